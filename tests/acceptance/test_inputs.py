"""`reconcile inputs`: what a plan is made of, and what of it a branch has changed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.project import Project, environment

IMAGE = {
    "apiVersion": "reconciler/v1",
    "kind": "RayfineImage",
    "metadata": {"name": "hello"},
    "spec": {"path": "images/hello", "tag": "hello:1"},
}
INFRA = ("--config", "infra/reconciler.yaml")


def lay_out(world: Project) -> None:
    """A project with an image, in a directory of a repository that has other things, too."""
    names = ("live", "other")
    world.configure(
        targets={name: {"runai": {"sandbox": f"{name}.db"}, "docker": {}} for name in names}
    )
    world.write(environment(), file="deep/a.yaml")
    world.write(IMAGE, file="image.yaml")
    source = world.directory / "images" / "hello"
    source.mkdir(parents=True)
    (source / "env.py").write_text("def hello():\n    return 1\n")
    (source / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    for name in names:
        (world.directory / "overlays" / name).mkdir(parents=True)


@pytest.fixture
def infra(world: Project) -> Project:
    """It lies in `infra/`, and a branch is checked out there."""
    (world.directory / "manifests" / "deep").mkdir()
    lay_out(world)
    top = world.directory
    inner = top / "infra"
    inner.mkdir()
    for name in ("manifests", "overlays", "images", "reconciler.yaml"):
        (top / name).rename(inner / name)
    (top / "README.md").write_text("words\n")
    start(world)
    return world


def inputs(infra: Project, *words: str) -> list[str]:
    sent = len(infra.server.requests)
    ran = infra.reconcile(*INFRA, "inputs", *words)
    assert (ran.code, len(infra.server.requests)) == (0, sent), ran.err
    return ran.out.splitlines()


def asked(infra: Project, *words: str) -> Any:
    return json.loads("".join(inputs(infra, *words, "-o", "json")))


def test_they_are_those_of_the_json_plan(infra: Project) -> None:
    found = [
        "infra/images/hello",
        "infra/manifests",
        "infra/overlays/live",
        "infra/reconciler.lock",
        "infra/reconciler.yaml",
    ]
    assert inputs(infra) == found
    ran = infra.reconcile(*INFRA, "plan", "--offline", "-o", "json")
    assert json.loads(ran.out)["reconciler"]["inputs"] == found
    assert "infra/overlays/other" in inputs(infra, "--target", "other")
    assert asked(infra) == {"inputs": found, "since": None, "changed": None, "new": None}


@pytest.mark.parametrize(
    ("path", "target", "touches"),
    [
        ("README.md", "live", False),
        ("infra/notes.md", "live", False),
        ("infra/images/other/env.py", "live", False),
        ("infra/manifests/deep/a.yaml", "live", True),
        ("infra/manifests-2/a.yaml", "live", False),
        ("infra/overlays/other/a.yaml", "live", False),
        ("infra/images/hello/data.txt", "live", True),
        ("infra/reconciler.lock", "live", True),
        ("infra/reconciler.yaml", "other", True),
        ("infra/images/.gitattributes", "live", True),
        (".gitattributes", "live", True),
        ("other/.gitattributes", "live", False),
    ],
)
def test_a_branch_touches_a_plan_by_what_it_is_made_of(
    infra: Project, path: str, target: str, *, touches: bool
) -> None:
    file = infra.directory / path
    before = file.read_text() if file.exists() else ""
    valid = '{"images": {}}' if path.endswith(".lock") else f"{before}# more\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(valid)
    commit(infra, "Touch it")
    assert inputs(infra, "--target", target, "--since", "main") == ([path] if touches else [])
    ran = infra.reconcile(
        *INFRA, "inputs", "--target", target, "--since=main", "--detailed-exitcode"
    )
    assert ran.code == (2 if touches else 0)


def test_what_others_merged_meanwhile_is_not_the_branch_s(infra: Project) -> None:
    git(infra.directory, "checkout", "--quiet", "main")
    (infra.directory / "infra" / "manifests" / "deep" / "a.yaml").write_text("")
    commit(infra, "Empty it")
    git(infra.directory, "checkout", "--quiet", "work")
    assert inputs(infra, "--since", "main") == []


def test_a_file_that_is_gone_or_renamed(infra: Project) -> None:
    git(infra.directory, "mv", "infra/manifests/deep/a.yaml", "infra/manifests/b.yaml")
    commit(infra, "Rename it")
    paths = ["infra/manifests/b.yaml", "infra/manifests/deep/a.yaml"]
    assert asked(infra, "--since", "main")["changed"] == paths


def test_a_submodule_with_a_context(infra: Project, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / "hello").mkdir(parents=True)
    (inner / "hello" / "env.py").write_text("def hello():\n    return 1\n")
    (inner / "hello" / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    git(inner, "init", "--quiet", "--initial-branch", "main")
    git(inner, "add", "--all")
    git(inner, "commit", "--quiet", "-m", "Begin")
    git(infra.directory, "submodule", "--quiet", "add", str(inner), "infra/module")
    path = infra.directory / "infra" / "manifests" / "image.yaml"
    path.write_text(path.read_text().replace("images/hello", "module/hello"))
    commit(infra, "Use the module")
    assert "infra/module" in inputs(infra)
    git(infra.directory, "branch", "--force", "main")
    module = infra.directory / "infra" / "module"
    (module / "hello" / "env.py").write_text("def hello():\n    return 2\n")
    git(module, "commit", "--quiet", "--all", "-m", "Change it")
    commit(infra, "Take the newer one")
    assert inputs(infra, "--since", "main") == ["infra/module"]


@pytest.mark.parametrize("base", ["nothing", "broken", "without the target", "as it is"])
def test_a_base_that_knows_no_such_target_is_new_to_it(infra: Project, base: str) -> None:
    path = infra.directory / "infra" / "reconciler.yaml"
    text = path.read_text()
    git(infra.directory, "checkout", "--quiet", "main")
    match base:
        case "nothing":
            path.unlink()
        case "broken":
            path.write_text("targets: [\n")
        case "without the target":
            path.write_text(text.replace("other", "staging"))
    commit(infra, "Be the base")
    git(infra.directory, "checkout", "--quiet", "-b", "next")
    path.write_text(f"{text}\n")
    commit(infra, "Have it")
    found = asked(infra, "--target", "other", "--since", "main")
    assert found["new"] is (base != "as it is")
    assert found["changed"] == ["infra/reconciler.yaml"]


def test_what_cannot_be_told_is_an_error(infra: Project) -> None:
    ran = infra.reconcile(*INFRA, "inputs", "--since", "nowhere")
    assert (ran.code, ran.out) == (1, "")
    (infra.directory / "infra" / "manifests" / "bad.yaml").write_text("kind: [\n")
    ran = infra.reconcile(*INFRA, "inputs", "--since", "main")
    assert (ran.code, ran.out) == (1, "")
    assert "manifests/bad.yaml" in ran.err


def test_outside_of_a_repository(world: Project) -> None:
    world.write(environment())
    ran = world.reconcile("inputs")
    assert (ran.code, ran.out) == (1, "")
    assert "this is no Git repository" in ran.err
