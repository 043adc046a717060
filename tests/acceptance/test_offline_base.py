"""`plan --offline --since REF`: the manifests of the base count as live; nothing is reached."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.project import Project, Ran, environment

VARIABLE = {"PASSWORD": {"env": "OFFLINE_TEST_PASSWORD"}, "LEVEL": "1"}
CLOSED = {
    "base_url": {"env": "OFFLINE_TEST_URL"},
    "client_id": {"env": "OFFLINE_TEST_ID"},
    "client_secret": {"env": "OFFLINE_TEST_SECRET"},
}
IMAGE = {
    "apiVersion": "reconciler/v1",
    "kind": "RayfineImage",
    "metadata": {"name": "hello"},
    "spec": {"path": "hello", "tag": "registry.example/hello:1", "push": True},
}
KEPT = [environment(f"kept-{number}") for number in range(6)]


@pytest.fixture
def fork(world: Project) -> Project:
    """A branch off a base of nine objects; no variable of the target is set."""
    world.configure(
        targets={"live": {"runai": CLOSED, "docker": {}}}, env_allow=["OFFLINE_TEST_PASSWORD"]
    )
    world.write(environment("train", environment_variables=VARIABLE), *KEPT)
    world.write(environment("user", image={"from": "RayfineImage.hello"}), IMAGE, file="image.yaml")
    source = world.directory / "hello"
    source.mkdir()
    (source / "env.py").write_text("def hello():\n    return 1\n")
    (source / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    start(world)
    return world


def plan(fork: Project, *arguments: str) -> Ran:
    sent = len(fork.server.requests)
    ran = fork.reconcile("plan", "--offline", "--since", "main", *arguments)
    assert len(fork.server.requests) == sent
    return ran


def actions(fork: Project, *arguments: str) -> dict[str, str]:
    ran = plan(fork, "-o", "json", *arguments)
    assert ran.code in (0, 4), ran.err
    return {
        item["address"]: item["reconciler"]["action"]
        for item in json.loads(ran.out)["resource_changes"]
        if item["reconciler"]["action"] != "unchanged"
    }


def test_a_branch_that_states_the_same_changes_nothing(fork: Project) -> None:
    path = fork.directory / "manifests" / "all.yaml"
    path.write_text(f"# words\n{path.read_text()}")
    commit(fork, "Comment")
    ran = plan(fork, "--detailed-exitcode")
    assert ran.code == 0, ran.err
    base = git(fork.directory, "rev-parse", "main")[:7]
    assert f"Target: live (offline, compared with the manifests of {base})" in ran.out
    assert "No changes." in ran.out
    assert "9 unchanged." in ran.out


def test_one_change_is_one_change(fork: Project) -> None:
    later = {**VARIABLE, "LEVEL": "2"}
    fork.write(environment("train", environment_variables=later), *KEPT)
    made = commit(fork, "Raise it")
    ran = plan(fork)
    assert ran.code == 0, ran.err
    assert '~ LEVEL = "1" -> "2"' in ran.out
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in ran.out
    assert f'# branch: {made} Ada Lovelace "Raise it" (manifests/all.yaml:' in ran.out
    assert "1 change from this branch, 0 drift (since main)." in ran.out
    found: Any = json.loads(plan(fork, "-o", "json").out)
    assert (found["applyable"], found["reconciler"]["offline"]) == (False, True)


def test_every_action_has_its_meaning(fork: Project) -> None:
    moved = environment("kept-0", scope="project", scope_id="team-b")
    fork.write(environment("train", environment_variables=VARIABLE), moved, *KEPT[2:])
    fork.write(environment("new"), file="new.yaml")
    (fork.directory / "hello" / "env.py").write_text("def hello():\n    return 2\n")
    commit(fork, "Change a lot")
    assert actions(fork) == {
        "RayfineImage.hello": "update",
        "RunaiEnvironment.kept-0": "replace",
        "RunaiEnvironment.kept-1": "delete",
        "RunaiEnvironment.new": "create",
        "RunaiEnvironment.user": "update",
    }
    page = plan(fork, "-o", "markdown").out
    base = git(fork.directory, "rev-parse", "main")[:7]
    assert f"existing object {base}:RunaiEnvironment.kept-1" in page


def test_another_scope_or_credential_is_a_change(fork: Project) -> None:
    """No id is known here, so that each name stands for itself."""

    def used(project: str, credential: str) -> dict[str, Any]:
        variables = {"TOKEN": {"credential": {"name": credential, "key": "TOKEN"}}}
        return environment(
            "train", scope="project", scope_id=project, environment_variables=variables
        )

    fork.write(used("team-a", "hub"), *KEPT)
    commit(fork, "Use a project")
    git(fork.directory, "branch", "--force", "main")
    assert actions(fork) == {}
    fork.write(used("team-a", "lab"), *KEPT)
    commit(fork, "Use another credential")
    assert actions(fork) == {"RunaiEnvironment.train": "update"}
    fork.write(used("team-b", "hub"), *KEPT)
    commit(fork, "Use another project")
    assert actions(fork) == {"RunaiEnvironment.train": "replace"}


def test_guards_and_protection_hold_and_no_commit_can_clear_them(fork: Project) -> None:
    fork.write(environment("train", environment_variables=VARIABLE), *KEPT[4:])
    commit(fork, "Remove most")
    ran = plan(fork)
    assert ran.code == 4
    assert "the plan destroys 4 of 9 owned objects" in ran.out
    assert "Reconcile-Allow" not in ran.out


def test_an_overlay_of_the_base_counts(fork: Project) -> None:
    place = fork.directory / "overlays" / "live"
    place.mkdir(parents=True)
    patch = {
        "apiVersion": "reconciler/v1",
        "kind": "RunaiEnvironment",
        "metadata": {"name": "train"},
        "spec": {"image": "busybox:7"},
    }
    (place / "train.yaml").write_text(yaml.safe_dump(patch))
    commit(fork, "Patch it")
    assert actions(fork) == {"RunaiEnvironment.train": "update"}
    git(fork.directory, "branch", "--force", "main")
    assert actions(fork) == {}


@pytest.mark.parametrize("without", ["reconciler.yaml", "manifests"])
def test_the_first_pull_request_adds_everything(fork: Project, without: str) -> None:
    git(fork.directory, "checkout", "--quiet", "main")
    git(fork.directory, "rm", "-r", "--quiet", "--cached", without)
    kept = fork.directory / without
    kept.rename(fork.directory / ".reconcile")
    commit(fork, "Have none yet")
    git(fork.directory, "checkout", "--quiet", "-b", "first")
    (fork.directory / ".reconcile").rename(kept)
    commit(fork, "Begin here")
    assert set(actions(fork).values()) == {"create"}
    assert "Plan: 9 to add, 0 to change, 0 to destroy." in plan(fork).out


def test_a_base_with_errors_is_said(fork: Project) -> None:
    bad = fork.directory / "manifests" / "bad.yaml"
    bad.write_text("kind: [\n")
    commit(fork, "Break it")
    git(fork.directory, "branch", "--force", "main")
    bad.unlink()
    commit(fork, "Mend it")
    ran = plan(fork)
    assert "offline, compared with nothing" in ran.out
    assert "Notice: changes are not attributed, because" in ran.out
    assert "Plan: 9 to add" in ran.out


def test_a_base_that_is_not_here(fork: Project, tmp_path: Path) -> None:
    ran = fork.reconcile("plan", "--offline", "--since", "f" * 40)
    assert (ran.code, ran.out) == (1, "")
    assert "there is no commit" in ran.err
    ran = fork.reconcile("plan", "--offline", "--since", "f" * 40, "--if-comparable")
    assert ran.code == 0, ran.err
    assert "Plan: 9 to add, 0 to change, 0 to destroy." in ran.out
    assert "offline, compared with nothing" in ran.out
    assert ran.err.count("Warning: changes are not attributed: there is no commit") == 1
