"""A plan without live state: no output takes it for a plan to change nothing, or blames a commit.

What cannot be read is the control plane, the engine, or both; each is really unreachable.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.git_project import commit, git, start
from tests.acceptance.project import Project, Ran, environment, project
from tests.render.github import outputs

NOBODY = {"host": "unix:///nowhere/docker.sock"}
CLOSED = {"base_url": "http://127.0.0.1:1", "client_id": "i", "client_secret": "s"}
FORMS = (
    "text",
    "markdown=page.md",
    "html=page.html",
    "json=plan.json",
    "annotations=notes.txt",
    "outputs=outputs.txt",
)


@pytest.fixture
def branch(world: Project) -> Project:
    """A branch that changes an environment and adds an image; the base is applied."""
    world.write(environment("train"))
    start(world)
    world.apply()
    world.target = {"docker": NOBODY}
    world.configure()
    source = world.directory / "hello"
    source.mkdir()
    (source / "env.py").write_text("def hello():\n    return 1\n")
    (source / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    image = {"apiVersion": "reconciler/v1", "kind": "RayfineImage", "metadata": {"name": "hello"}}
    world.write({**image, "spec": {"path": "hello", "tag": "hello:1"}}, file="image.yaml")
    world.write(environment("train", image="busybox:2"))
    commit(world, "Use 2")
    return world


def plan(branch: Project) -> Ran:
    forms = [word for form in FORMS for word in ("-o", form)]
    return branch.reconcile("plan", "--since", "main", *forms)


def said(branch: Project, ran: Ran) -> dict[str, str]:
    """What each form shows to people."""
    files = ("page.md", "page.html", "notes.txt")
    return {"text": ran.out, **{name: (branch.directory / name).read_text() for name in files}}


def document(branch: Project) -> Any:
    return json.loads((branch.directory / "plan.json").read_text())


def shows(branch: Project, ran: Ran, line: str, *never: str) -> None:
    """Every form has this line, and none blames a commit or says what never stands in it."""
    assert ran.code == 1, ran.err
    for name, text in said(branch, ran).items():
        assert line in text, name
        assert not [words for words in ("Ada", *never) if words in text], name


def test_without_any_system_there_is_no_plan(branch: Project) -> None:
    branch.configure(targets={"live": {"runai": CLOSED, "docker": NOBODY}})
    ran = plan(branch)
    line = "No plan: the Docker engine and the Run:ai control plane could not be read."
    shows(branch, ran, line, "to add", git(branch.directory, "rev-parse", "main")[:7])
    assert "changes are not attributed, because this plan is incomplete" in ran.out
    own = document(branch)["reconciler"]
    assert (own["summary"], own["review"]["origins"]) == (None, None)
    found = outputs((branch.directory / "outputs.txt").read_text())
    assert (found["summary"], found["adds"], found["errored"]) == (line, "", "true")


def test_without_the_only_system_there_is_no_plan(branch: Project) -> None:
    branch.write(file="image.yaml")
    branch.configure(targets={"live": {"runai": CLOSED}})
    ran = plan(branch)
    assert ran.code == 1, ran.err
    assert "No plan: the Run:ai control plane could not be read." in ran.out


def test_without_the_engine_the_rest_is_an_incomplete_plan(branch: Project) -> None:
    ran = plan(branch)
    line = "Incomplete plan: 0 to add, 1 to change, 0 to destroy. The Docker engine could not be"
    shows(branch, ran, line)
    found = document(branch)
    assert found["reconciler"]["summary"]["change"] == 1
    assert {item["reconciler"]["cause"] for item in found["resource_changes"]} == {None}
    assert outputs((branch.directory / "outputs.txt").read_text())["updates"] == "1"


def test_a_kind_that_no_manifest_states_needs_no_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with project(tmp_path, capsys, Behaviour(denied=("datasource", "compute"))) as world:
        world.write(environment("train"))
        world.apply()
        ran = world.reconcile("plan")
        assert ran.code == 0
        assert "No changes." in ran.out
        for words in ("NFS data sources", "compute assets"):
            assert f"Warning: {words} were not looked at, and no manifest states any: " in ran.out
        document = json.loads(world.reconcile("plan", "-o", "json").out)
        assert (
            len([text for text in document["reconciler"]["warnings"] if "not looked" in text]) == 5
        )
        disk = {"name": "disk"}
        spec = {"scope": "cluster", "server": "nfs.example", "path": "/a", "mount_path": "/a"}
        nfs = {"apiVersion": "reconciler/v1", "kind": "RunaiNfsDataSource", "metadata": disk}
        world.write({**nfs, "spec": spec}, file="nfs.yaml")
        ran = world.reconcile("plan")
        assert ran.code == 1
        assert "the right to view data sources" in ran.out + ran.err
