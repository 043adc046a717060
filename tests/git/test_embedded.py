"""A commit can hold what git takes for a repository: it is never read, and runs no command."""

import os
from pathlib import Path

import pytest

from reconciler.git import process
from reconciler.git.clone import cloned
from reconciler.git.head import head_commit, origin_url, read_state
from reconciler.git.process import find_top
from reconciler.git.repository import open_repository
from tests.acceptance.git_project import git
from tests.git.test_head import begin, commit


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A file that is there once the command of the embedded repository has run."""
    return tmp_path / "ran"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return begin(tmp_path / "top", "infra/reconciler.yaml", "infra/manifests/a.yaml")


def embed(top: Path, place: Path, ran: Path) -> None:
    """Commit a repository, without `.git`, into a directory of the other one."""
    other = begin(top.parent / "other", "reconciler.yaml", "manifests/a.yaml")
    git(top.parent, "clone", "--quiet", "--bare", str(other), "bare")
    git(top.parent / "bare", "config", "core.bare", "false")
    git(top.parent / "bare", "config", "core.worktree", ".")
    git(top.parent / "bare", "config", "core.fsmonitor", f"touch {ran}; false")
    for path in (top.parent / "bare").iterdir():
        path.rename(place / path.name)
    (place / "refs" / ".keep").touch()
    commit(top)
    assert git(top, "status", "--porcelain") == ""


@pytest.mark.parametrize("below", ["infra", "infra/manifests", "."])
def test_what_is_asked_is_asked_of_the_outer_repository(top: Path, ran: Path, below: str) -> None:
    embed(top, top / below, ran)
    root = top / "infra"
    assert find_top(root) == top.resolve()
    head = git(top, "rev-parse", "HEAD")
    git(top, "remote", "add", "origin", "https://example.com/own")
    assert head_commit(root) == head
    assert origin_url(root) == "https://example.com/own"
    places = ([root / "reconciler.yaml"], [root / "manifests"], (".yaml",))
    assert not read_state(root, *places).dirty
    (root / "manifests" / "new.yaml").write_text("b: 1\n")
    assert read_state(root, *places).dirty
    assert open_repository(root).commit("HEAD") == head
    assert open_repository(root).prefix == "infra/"
    assert not ran.exists()


@pytest.mark.parametrize("below", ["infra", "infra/manifests", "."])
def test_commits_are_read_from_the_outer_repository(top: Path, ran: Path, below: str) -> None:
    embed(top, top / below, ran)
    assert_read(top)
    assert not ran.exists()


def test_variables_of_a_hook_are_not_followed(
    top: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = begin(tmp_path / "other", "a.yaml")
    head = git(top, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert head_commit(top) == head
    assert_read(top, head)


def assert_read(top: Path, head: str = "") -> None:
    repository = open_repository(top / "infra")
    found = repository.commit("HEAD")
    assert found == (head or git(top, "rev-parse", "HEAD"))
    assert repository.prefix == "infra/"
    assert repository.read_at(found, "infra/reconciler.yaml") == b"a: 1\n"


def test_variables_of_a_hook_lead_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects, index, grafts and attributes are those of the directory, and come back after."""
    top = begin(tmp_path / "top", "infra/reconciler.yaml")
    head = git(top, "rev-parse", "HEAD")
    other = begin(tmp_path / "other", "x.yaml") / ".git"
    for name in sorted(process._LOCAL_VARIABLES):
        value = "1" if name.endswith("PATHSPECS") else str(other / "objects")
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert head_commit(top) == head
    repository = open_repository(top / "infra")
    assert repository.commit("HEAD") == head
    assert repository.read_at(head, "infra/reconciler.yaml") is not None
    (item,) = repository.files(head, ["infra"])
    with repository.reader() as read:
        assert read(item.blob) == b"a: 1\n"
    with cloned(str(top), "HEAD") as clone:
        assert (clone / "infra" / "reconciler.yaml").is_file()
    assert dict(os.environ) == before
