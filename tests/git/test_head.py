"""Whether what is checked out is what the commit states: links, submodules and ignored files."""

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.git.head import State, is_submodule, read_state
from tests.acceptance.git_project import git


def begin(place: Path, *files: str) -> Path:
    git(place.parent, "init", "--quiet", place.name)
    for file in files:
        path = place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a: 1\n")
    commit(place)
    return place


def commit(place: Path) -> None:
    git(place, "add", "--all")
    who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    git(place, *who, "commit", "--quiet", "--allow-empty", "--message", "Commit")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository with a submodule `parts`, which has `manifests`."""
    begin(tmp_path / "parts", "manifests/a.yaml", "README.md")
    top = begin(tmp_path / "top", "reconciler.yaml", "stated/b.yaml")
    git(top, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../parts", "parts")
    commit(top)
    return top


def manifests(top: Path) -> Path:
    return top / "parts" / "manifests"


def test_a_submodule_at_its_commit_is_clean_and_any_other_is_not(top: Path) -> None:
    assert not read_state(top, [manifests(top)]).dirty
    (manifests(top) / "new.yaml").write_text("b: 1\n")
    assert read_state(top, [manifests(top)]).dirty
    assert read_state(top, [top / "parts"]).dirty
    commit(top / "parts")  # a commit of its own, which the outer one does not have
    assert read_state(top, [manifests(top)]).dirty
    assert not read_state(top, [top / "stated", top / "reconciler.yaml", top / "missing"]).dirty
    commit(top)
    assert not read_state(top, [manifests(top)]).dirty


def test_a_submodule_is_known_whatever_lies_beside_it(top: Path) -> None:
    assert is_submodule(top / "parts")
    assert not is_submodule(top)
    assert not is_submodule(begin(top / "clone", "a.yaml"))
    (top / "objects").mkdir()
    (top / "refs").mkdir()
    (top / "HEAD").write_text("ref: refs/heads/none\n")
    assert is_submodule(top / "parts")
    (top / ".git" / "index").write_text("no index")
    assert is_submodule(top / "clone")  # git cannot say


def test_what_a_submodule_ignores_is_found_in_it(top: Path) -> None:
    (top / "parts" / ".gitignore").write_text("made.yaml\n*.pyc\n")
    commit(top / "parts")
    commit(top)
    (manifests(top) / "x.pyc").write_text("")
    assert not read_state(top, [], [manifests(top)], (".yaml",)).dirty
    (manifests(top) / "made.yaml").write_text("b: 1\n")
    assert not read_state(top, [manifests(top)]).dirty
    assert read_state(top, [], [top / "missing", manifests(top)], (".yaml",)).dirty


def test_a_clone_that_is_ignored_is_in_no_commit(top: Path) -> None:
    (top / ".gitignore").write_text("clone/\n")
    commit(top)
    begin(top / "clone", "manifests/a.yaml")
    assert read_state(top, [top / "clone" / "manifests"]).dirty


def test_what_git_cannot_say_is_not_known_to_be_committed(top: Path) -> None:
    assert not read_state(top, [top / "stated"]).dirty
    (top / ".git" / "index").write_text("no index")
    assert read_state(top, [top / "stated"]).dirty


def test_links_are_followed(top: Path, tmp_path: Path) -> None:
    (top / "manifests").symlink_to("stated")
    assert read_state(top, [top / "manifests"]).dirty  # the link itself is not committed
    commit(top)
    assert not read_state(top, [top / "manifests"]).dirty
    (top / "stated" / "b.yaml").write_text("a: 2\n")
    assert read_state(top, [top / "manifests"]).dirty
    commit(top)
    (tmp_path / "above").symlink_to("top")
    assert not read_state(tmp_path / "above", [tmp_path / "above" / "manifests"]).dirty
    (top / "outside").symlink_to(tmp_path / "parts")
    commit(top)
    assert read_state(top, [top / "outside"]).dirty


def test_outside_of_a_repository_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert not read_state(tmp_path, [tmp_path / "a.yaml"]).dirty
    assert not read_state(tmp_path, [], [tmp_path], (".yaml",)).dirty


def test_head_and_what_was_removed(tmp_path: Path) -> None:
    top = begin(tmp_path / "top", "reconciler.yaml", "stated/a.yaml", "stated/b.txt", "c.yaml")
    stated = [top / "stated"]
    head = git(top, "rev-parse", "HEAD")
    assert read_state(top, [], stated, (".yaml",)) == State(head)
    for name in ("stated/a.yaml", "stated/b.txt", "c.yaml"):
        (top / name).unlink()
    found = read_state(top, [top / "c.yaml"], stated, (".yaml",))
    assert found == State(head, dirty=True, gone=("stated/a.yaml",))
    git(top, "add", "--all")
    assert read_state(top, [], stated, (".yaml",)).gone == ("stated/a.yaml",)
    (top / "stated").mkdir(exist_ok=True)
    (top / "stated/a.yaml").write_text("again\n")  # removed from the index, and on the disk
    assert read_state(top, [], stated, (".yaml",)).gone == ()
    (top / "stated/new.yaml").write_text("new\n")
    git(top, "add", "--all")
    (top / "stated/new.yaml").unlink()  # HEAD never had it
    assert read_state(top, [], stated, (".yaml",)).gone == ()


def test_modes_count_where_they_are_part_of_what_is_made(tmp_path: Path) -> None:
    top = begin(tmp_path / "top", "context/run.sh")
    git(top, "config", "core.fileMode", "false")
    (top / "context/run.sh").chmod(0o755)
    assert not read_state(top, [top / "context"]).dirty
    assert read_state(top, [top / "context"], modes=True).dirty


def test_before_the_first_commit_and_outside(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "top")
    (tmp_path / "top/a.yaml").write_text("a: 1\n")
    assert read_state(tmp_path / "top", [tmp_path / "top/a.yaml"]) == State(dirty=True)
    assert read_state(tmp_path, [tmp_path / "a.yaml"]) == State()
    assert read_state(tmp_path / "top", [tmp_path / "elsewhere"]) == State()


def test_a_file_that_became_something_else_is_gone(tmp_path: Path) -> None:
    top = begin(tmp_path / "top", "reconciler.yaml", "stated/a.yaml")
    for make in (Path.mkdir, lambda path: path.symlink_to("nowhere"), os.mkfifo):
        (top / "stated/a.yaml").unlink()
        make(top / "stated/a.yaml")
        assert read_state(top, [], [top / "stated"], (".yaml",)).gone == ("stated/a.yaml",)
        git(top, "clean", "--quiet", "-fdx")
        git(top, "checkout", "--quiet", "--force", "HEAD")


def test_a_file_that_was_removed_in_the_middle_of_a_merge_is_gone(tmp_path: Path) -> None:
    top = begin(tmp_path / "top", "reconciler.yaml", "stated/a.yaml", "stated/ours.yaml")
    for branch, text in (("theirs", "theirs\n"), ("-", "ours\n")):
        git(top, "checkout", "--quiet", *(["-b"] if branch != "-" else []), branch)
        (top / "stated/a.yaml").write_text(text)
        if branch == "-":
            (top / "stated/theirs.yaml").write_text(text)
        else:
            git(top, "rm", "--quiet", "stated/ours.yaml")
        commit(top)
    (top / "stated/ours.yaml").write_text("changed here, removed there\n")
    commit(top)
    with pytest.raises(subprocess.CalledProcessError):
        git(top, "merge", "theirs")
    assert read_state(top, [], [top / "stated"], (".yaml",)).gone == ()
    for name in ("a", "ours"):
        (top / f"stated/{name}.yaml").unlink()
    found = read_state(top, [], [top / "stated"], (".yaml",)).gone
    assert set(found) == {"stated/a.yaml", "stated/ours.yaml"}


@pytest.mark.parametrize("stated", [".", "parts", "parts/manifests"])
def test_what_a_submodule_lacks_is_gone(top: Path, stated: str) -> None:
    parts, complete = top / "parts", [top / stated]
    assert read_state(top, [], complete, (".yaml",)).gone == ()
    (parts / "README.md").unlink()
    assert read_state(top, [], complete, (".yaml",)).gone == ()
    (manifests(top) / "a.yaml").unlink()
    assert read_state(top, [], complete, (".yaml",)).gone == ("parts/manifests/a.yaml",)
    commit(parts)
    assert read_state(top, [], complete, (".yaml",)).gone == ("parts",)
    git(top, "add", "parts")
    assert read_state(top, [], complete, (".yaml",)).gone == ("parts",)
    assert read_state(top, [top / "parts"], [top / "stated"], (".yaml",)).gone == ()
    commit(top)
    assert read_state(top, [], complete, (".yaml",)).gone == ()
    git(top, "rm", "--quiet", "parts")
    assert "parts" in read_state(top, [], [top], (".yaml",)).gone


def test_without_git_nothing_is_known_and_that_is_said(
    top: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(top))
    assert read_state(top, [], [top]) == State()
    assert read_state(top, [], [top / "stated"]) == State()
    assert caplog.text.count("git cannot be run") == 1
    assert "install git" in caplog.text
