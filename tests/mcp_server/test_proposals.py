"""Proposals over MCP: a real repository, a branch, and a plan of it that shows what was asked."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp.client import Client

from tests.acceptance.project import Project, environment
from tests.mcp_server.clients import call, in_process, read_plan
from tests.mcp_server.test_hostile import is_plain


def git(directory: Path, *arguments: str) -> str:
    """Run git there."""
    words = ["git", "-C", str(directory), "-c", "user.name=T", "-c", "user.email=t@example.com"]
    done = subprocess.run([*words, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(world: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project as a Git repository with one commit, applied, and one edit in the work tree."""
    for variable in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{variable}_NAME", "T")
        monkeypatch.setenv(f"GIT_{variable}_EMAIL", "t@example.com")
    world.write(environment("train", compute={"gpu": 1}), environment("other"))
    git(world.directory, "init", "-q", "-b", "main")
    git(world.directory, "add", "-A")
    git(world.directory, "commit", "-qm", "Start")
    world.apply()
    (world.directory / "notes.txt").write_text("not committed")
    return world


def state(world: Project) -> tuple[str, str, str]:
    """The work tree, index and checked-out commit, as Git sees them."""
    directory = world.directory
    return (
        git(directory, "status", "--porcelain"),
        git(directory, "rev-parse", "HEAD"),
        git(directory, "symbolic-ref", "HEAD"),
    )


def planned_on(world: Project, branch: str, into: Path) -> dict[str, str]:
    """What the plan of a branch says, in a work tree of its own."""
    git(world.directory, "worktree", "add", "-q", str(into), branch)
    there = Project(into, world.server, world.endpoint, world.capture)
    return there.plan()


def test_a_changed_manifest_is_a_branch_whose_plan_shows_just_that(
    repository: Project, tmp_path: Path
) -> None:
    before = state(repository)
    repository.server.requests.clear()

    async def use(client: Client) -> dict[str, Any]:
        got = await call(client, "get", address="RunaiEnvironment.train")
        manifest = got.value["desired"]["manifest"]
        assert manifest["spec"]["compute"] == {"gpu": 1}
        manifest["spec"]["image"] = "busybox:2"
        made = await call(client, "propose_manifest", manifest=manifest)
        assert not made.failed, made.raw
        assert made.value["differs"] == ["RunaiEnvironment.train"]
        assert made.value["next"]
        again = await call(client, "propose_manifest", manifest=manifest)
        assert again.value["branch"] == made.value["branch"]
        return made.value

    made = in_process(repository.directory, use)
    assert not repository.server.requests.writes()
    assert state(repository) == before
    planned = planned_on(repository, made["branch"], tmp_path / "branch")
    assert planned == {"RunaiEnvironment.train": "update"}


def test_a_new_manifest_and_a_removal_are_branches(repository: Project, tmp_path: Path) -> None:
    before = state(repository)
    new = {
        "kind": "RunaiEnvironment",
        "metadata": {"name": "fresh"},
        "spec": {"scope": "cluster", "image": "busybox:9"},
    }

    async def use(client: Client) -> list[str]:
        added = await call(client, "propose_manifest", manifest=new)
        gone = await call(client, "propose_removal", address="RunaiEnvironment.other")
        assert not added.failed, added.raw
        assert not gone.failed, gone.raw
        return [str(added.value["branch"]), str(gone.value["branch"])]

    added, gone = in_process(repository.directory, use)
    assert state(repository) == before
    assert planned_on(repository, added, tmp_path / "a") == {"RunaiEnvironment.fresh": "create"}
    assert planned_on(repository, gone, tmp_path / "b") == {"RunaiEnvironment.other": "delete"}


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ({"kind": "Pod", "metadata": {"name": "a"}, "spec": {}}, "`manifest.kind` must be one of"),
        ({"kind": "RunaiEnvironment", "metadata": {}, "spec": {}}, "`manifest.metadata.name`"),
        ("kind: RunaiEnvironment", "`manifest` must be a mapping"),
        (
            {
                "kind": "RunaiEnvironment",
                "metadata": {"name": "train"},
                "spec": {"scope": "cluster", "image": "busybox", "colour": "red"},
            },
            "problem",
        ),
        (
            {
                "kind": "RunaiEnvironment",
                "metadata": {"name": "../../outside"},
                "spec": {"scope": "cluster", "image": "cut... (17 more characters)"},
            },
            "cut",
        ),
    ],
)
def test_a_wrong_manifest_makes_no_branch(repository: Project, manifest: object, says: str) -> None:
    before = git(repository.directory, "for-each-ref")

    async def use(client: Client) -> None:
        done = await call(client, "propose_manifest", manifest=manifest)
        assert done.failed
        assert says in done.raw

    in_process(repository.directory, use)
    assert git(repository.directory, "for-each-ref") == before


PIECES = (
    "#!/bin/sh\nset -e\n\techo hi\n", "\n", "\t", "\u00a0", "\u200d", "\u2764\ufe0f", "\u202e",
    "\\", "\\n", "\\ufe0f", "\\x0a", "[\\x00-\\x1f]", '"', "`", "```\n</result>\n", "  ", "\x7f",
    "... (12 more characters)", "... 3 more", "\U0001f468\u200d\U0001f469", "\u2028", "word",
)  # fmt: skip
"""What escaping, quoting and cutting could change."""
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map("".join)
texts = texts.filter(lambda text: "\0" not in text)


def commit_variables(world: Project, variables: dict[str, str]) -> None:
    """State these variables of `train` in a commit."""
    world.write(environment("train", environment_variables=variables), environment("other"))
    git(world.directory, "commit", "-qam", "Odd values", "--allow-empty")


def propose_other_image(world: Project, variables: dict[str, str], *, whole: bool) -> str:
    """As a model does it: get, alter one value, propose. Returns the branch."""

    async def use(client: Client) -> str:
        got = await call(client, "get", address="RunaiEnvironment.train")
        assert is_plain(got.raw)
        desired = (await read_plan(client, got.uri) if whole else got.value)["desired"]
        manifest = desired["manifest"]
        assert manifest["spec"]["environment_variables"] == variables
        manifest["spec"]["image"] = "busybox:2"
        made = await call(client, "propose_manifest", manifest=manifest)
        assert not made.failed, made.raw
        return str(made.value["branch"])

    return in_process(world.directory, use)


def stated_on(world: Project, branch: str) -> dict[str, Any]:
    """What the manifest of `train` says on a branch, by a YAML loader that is not ours."""
    text = git(world.directory, "show", f"{branch}:manifests/all.yaml")
    documents = yaml.safe_load_all(text)
    stated: dict[str, Any] = next(
        item["spec"] for item in documents if item["metadata"]["name"] == "train"
    )
    return stated


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(values=st.lists(texts, min_size=4, max_size=8))
def test_what_get_shows_comes_back_unchanged(repository: Project, values: list[str]) -> None:
    """A model alters one value of what it was given; all others stay as they were, to the byte."""
    variables = {f"V{number}": text for number, text in enumerate([*values, *PIECES])}
    commit_variables(repository, variables)
    branch = propose_other_image(repository, variables, whole=False)
    stated = stated_on(repository, branch)
    assert stated["environment_variables"] == variables
    assert stated["image"] == "busybox:2"


def test_a_large_manifest_comes_back_unchanged_from_the_resource(repository: Project) -> None:
    variables = {f"V{number}": f"{PIECES[number % 20]} {'long ' * 40}" for number in range(200)}
    commit_variables(repository, variables)
    branch = propose_other_image(repository, variables, whole=True)
    assert stated_on(repository, branch)["environment_variables"] == variables


def test_a_work_tree_that_is_half_done_stops_no_proposal(repository: Project) -> None:
    (repository.directory / "manifests" / "all.yaml").write_text("kind: [")
    manifest = environment("fresh")

    async def use(client: Client) -> None:
        made = await call(client, "propose_manifest", manifest=manifest)
        assert not made.failed, made.raw

    in_process(repository.directory, use)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("a\0b", "holds a NUL character"),
        ("a\ud800b", "holds half a character"),
        (2**64, "is a number out of range"),
    ],
)
def test_what_no_yaml_holds_is_refused_with_its_place(
    repository: Project, value: object, says: str
) -> None:
    manifest = environment("train", environment_variables={"A": "b", "ODD": value})

    async def use(client: Client) -> None:
        made = await call(client, "propose_manifest", manifest=manifest)
        assert made.failed
        assert says in made.value["error"]
        assert made.value["where"] == "manifest.spec.environment_variables.ODD"

    in_process(repository.directory, use)


def test_a_manifest_that_nobody_could_review_is_refused(repository: Project) -> None:
    deep: Any = "end"
    for _ in range(100):
        deep = {"a": deep}
    manifest = {"kind": "RunaiEnvironment", "metadata": {"name": "train"}}

    async def use(client: Client) -> None:
        for spec, limit in (
            ({"image": "x" * 200_000}, "at most 100000 are taken here"),
            (deep, "has more than 20 levels"),
        ):
            made = await call(client, "propose_manifest", manifest={**manifest, "spec": spec})
            assert made.failed
            assert limit in made.value["error"]

    in_process(repository.directory, use)


@pytest.mark.parametrize(
    "text", ["two\\x0alines", "a\\ufe0f", "a\\u200b", "long... (700 more characters)"]
)
def test_a_value_as_it_was_shown_is_not_proposed(repository: Project, text: str) -> None:
    manifest = {
        "kind": "RunaiEnvironment",
        "metadata": {"name": "train"},
        "spec": {"scope": "tenant", "image": "b", "environment_variables": {"A": text}},
    }

    async def use(client: Client) -> None:
        made = await call(client, "propose_manifest", manifest=manifest)
        assert made.failed
        assert "not the real one" in made.value["error"]

    in_process(repository.directory, use)
    assert git(repository.directory, "branch", "--list", "reconcile/*") == ""
