"""Commits that marks name, looked up in real histories: known, contained, or not to be told."""

import subprocess
from pathlib import Path

import pytest

from reconciler.core.lineage import Standing
from reconciler.git.commits import GitHistory, read_edit
from reconciler.git.identity import identify
from reconciler.git.repository import open_repository
from tests.acceptance.git_project import git


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Four commits on `main`, and one on `side`, which left after the second."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", "top")
    place = tmp_path / "top"
    for number in range(4):
        if number == 2:
            git(place, "branch", "side")
        git(place, "commit", "--quiet", "--allow-empty", "-m", f"Number {number}")
    git(place, "checkout", "--quiet", "side")
    git(place, "commit", "--quiet", "--allow-empty", "-m", "Aside")
    git(place, "checkout", "--quiet", "main")
    return place


def standings(place: Path, *names: str) -> list[str]:
    commits = [git(place, "rev-parse", name)[:10] if name else "0" * 10 for name in names]
    history = GitHistory(place, git(place, "rev-parse", "HEAD"), set(commits))
    return [history.standing(commit).value for commit in commits]


def test_what_head_contains(top: Path) -> None:
    names = ("HEAD", "HEAD~3", "side", "side~1", "")
    assert standings(top, *names) == ["contained", "contained", "outside", "contained", "missing"]
    git(top, "merge", "--quiet", "side")
    assert standings(top, "side") == ["contained"]
    history = GitHistory(top, git(top, "rev-parse", "HEAD"), ["0" * 10])
    assert history.standing("never asked") is Standing.MISSING


@pytest.mark.parametrize("by", ["grafts", "replace"])
def test_parents_that_are_only_claimed_do_not_count(top: Path, by: str) -> None:
    """Neither `info/grafts` nor `refs/replace` is part of a commit, or of anybody else's clone."""
    head, parent, side = (git(top, "rev-parse", name) for name in ("HEAD", "HEAD~1", "side"))
    if by == "grafts":
        (top / ".git" / "info" / "grafts").write_text(f"{head} {parent} {side}\n")
    else:
        git(top, "replace", "--graft", head, parent, side)
    assert git(top, "merge-base", "--is-ancestor", side, "HEAD") == "", "git itself believes it"
    assert standings(top, "side") == ["outside"]
    repository = open_repository(top)
    assert repository.merge_base("side") == git(top, "rev-parse", "HEAD~2")


def test_a_branch_that_is_named_like_a_commit_is_none(top: Path) -> None:
    name = git(top, "rev-parse", "side")[:10]
    git(top, "branch", name, "HEAD~1")
    assert standings(top, "HEAD~1") == ["contained"]
    history = GitHistory(top, git(top, "rev-parse", "HEAD"), [name])
    assert history.standing(name) is not Standing.CONTAINED


def test_a_shallow_clone_does_not_guess(top: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth", "2", top.as_uri(), "shallow")
    old, head = git(top, "rev-parse", "HEAD~3")[:10], git(top, "rev-parse", "HEAD")
    history = GitHistory(tmp_path / "shallow", head, [old, head[:10], "0" * 10])
    assert history.standing(head[:10]) is Standing.CONTAINED
    assert history.standing(old) is Standing.UNSURE
    assert history.standing("0" * 10) is Standing.UNSURE


def test_nothing_is_known_outside_of_git(tmp_path: Path) -> None:
    assert GitHistory(tmp_path, "", ["0" * 10]).standing("0" * 10) is Standing.MISSING
    git(tmp_path, "init", "--quiet", "empty")
    assert GitHistory(tmp_path / "empty", "", ["0" * 10]).standing("0" * 10) is Standing.MISSING
    assert read_edit(tmp_path / "empty", "0" * 10) is None


def test_a_thousand_commits_are_two_processes(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = top.parent / "bin"
    shim.mkdir()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True)
    log = top.parent / "log"
    (shim / "git").write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {real.stdout.strip()} "$@"\n')
    (shim / "git").chmod(0o755)
    names = [f"{number:010x}" for number in range(999)] + [git(top, "rev-parse", "HEAD")[:10]]
    history = GitHistory(top, git(top, "rev-parse", "HEAD"), names)
    monkeypatch.setenv("PATH", str(shim), prepend=":")
    assert not log.exists(), "nothing is asked before the first question"
    assert [history.standing(name).value for name in names].count("contained") == 1
    assert len(log.read_text().splitlines()) == 3, "and whether the clone is shallow"


def test_who_made_a_commit(top: Path) -> None:
    edit = read_edit(top, git(top, "rev-parse", "HEAD~1")[:10])
    assert edit is not None
    assert (edit.author, edit.subject) == ("Ada Lovelace", "Number 2")
    for odd in ("--all", "HEAD", "0" * 10, "", "fffffff\n"):
        assert read_edit(top, odd) is None


def test_a_former_name_is_the_first_commits_or_another_directory(top: Path) -> None:
    unnamed = identify(top).name
    git(top, "remote", "add", "origin", "https://github.com/acme/ml")
    history = GitHistory(top, git(top, "rev-parse", "HEAD"), [])
    named = identify(top).name
    assert unnamed[:5] != named[:5]
    assert all(history.is_former(name) for name in (unnamed, named, f"{named[:5]}xyz"))
    assert not history.is_former("otherrep")
    assert GitHistory(top.parent, "", []).is_former("otherrep"), "nothing is known to differ"
    for place in ("a", "b"):
        (top / place).mkdir()
        (top / place / "reconciler.yaml").touch()
    git(top, "add", "--all")
    history = GitHistory(top / "a", "", [])
    assert history.is_former(identify(top / "a").name)
    assert not history.is_former(f"{named[:5]}xyz"), "a or b, nobody knows"
