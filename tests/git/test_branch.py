"""A commit on a new branch out of Git's own objects."""

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.errors import ConfigError
from reconciler.git.branch import (
    NewCommit,
    make_branch,
    write_tree,
)
from reconciler.git.repository import Repository, open_repository


def git(place: Path, *words: str) -> str:
    ran = subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


@pytest.fixture(params=["sha1", "sha256"])
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    words = ("--quiet", "--initial-branch=main", f"--object-format={request.param}")
    git(tmp_path, "init", *words)
    git(tmp_path, "config", "user.name", "Tester")
    git(tmp_path, "config", "user.email", "tester@example.com")
    below = tmp_path / "infra" / "manifests"
    (below / "sub dir").mkdir(parents=True)
    (below / "a.yaml").write_bytes(b"a: 1\r\n")
    (below / "sub dir" / "ü.yaml").write_text("b: 2\n")
    (below / "run.yaml").write_text("c: 3\n")
    (below / "run.yaml").chmod(0o755)
    (below / "link.yaml").symlink_to("/etc/hostname")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return open_repository(tmp_path / "infra")


def test_a_commit_is_listed_with_links_and_odd_names_and_its_files_are_read(
    repository: Repository,
) -> None:
    base = repository.commit("HEAD")
    entries = repository.tree(base, "infra/manifests")
    assert repository.prefix == "infra/"
    assert [(item.path, item.sort) for item in entries] == [
        ("infra", "directory"),
        ("infra/manifests", "directory"),
        ("infra/manifests/a.yaml", "file"),
        ("infra/manifests/link.yaml", "symbolic link"),
        ("infra/manifests/run.yaml", "file"),
        ("infra/manifests/sub dir", "directory"),
        ("infra/manifests/sub dir/ü.yaml", "file"),
    ]
    found = {item.path: item for item in entries if item.sort == "file"}
    with repository.reader() as read:
        contents = {path: read(item.blob) for path, item in found.items()}
    assert contents == {
        "infra/manifests/a.yaml": b"a: 1\r\n",
        "infra/manifests/run.yaml": b"c: 3\n",
        "infra/manifests/sub dir/ü.yaml": b"b: 2\n",
    }
    assert found["infra/manifests/run.yaml"].mode == "100755"
    assert [item.path for item in repository.tree(base, "infra/nothing")] == ["infra"]
    assert repository.current_branch() == "main"


def test_a_link_on_the_way_is_listed_and_not_followed(repository: Repository) -> None:
    (repository.top / "infra" / "there").symlink_to("manifests")
    git(repository.top, "add", "--all")
    git(repository.top, "commit", "--quiet", "--message", "Link")
    for directory in ("infra/there", "infra/there/sub dir"):
        found = repository.tree(repository.commit("HEAD"), directory)
        assert [(item.path, item.sort) for item in found] == [
            ("infra", "directory"),
            ("infra/there", "symbolic link"),
        ]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("infra/manifests/link.yaml", b"l: 1\n"),
        ("infra/manifests/link.yaml", None),
        ("infra/manifests/link.yaml/x.yaml", b"x: 1\n"),
        ("infra/manifests/a.yaml/x.yaml", b"x: 1\n"),
        ("infra/manifests", b"m: 1\n"),
    ],
)
def test_a_write_that_would_change_more_than_its_file_is_refused(
    repository: Repository, path: str, data: bytes | None
) -> None:
    new = NewCommit(repository.commit("HEAD"), {path: data}, "Do it\n")
    with pytest.raises(ConfigError, match="would change more than the files"):
        write_tree(repository, new)
    with pytest.raises(ConfigError, match="would change more than the files"):
        make_branch(repository, "reconcile/x", new)
    assert git(repository.top, "branch", "--format=%(refname:short)") == "main"


def test_files_are_written_changed_and_removed(repository: Repository) -> None:
    base = repository.commit("main")
    files = {
        "infra/manifests/new.yaml": b"n: 1\n",
        "infra/manifests/run.yaml": b"c: 4\n",
        "infra/manifests/sub dir/ü.yaml": None,
    }
    commit, existed = make_branch(repository, "reconcile/x", NewCommit(base, files, "Do it\n"))
    assert not existed
    changed = git(repository.top, "diff", "--name-status", "-z", "main", "reconcile/x")
    assert changed.split("\0")[:-1] == [
        *("A", "infra/manifests/new.yaml"),
        *("M", "infra/manifests/run.yaml"),
        *("D", "infra/manifests/sub dir/ü.yaml"),
    ]
    listed = git(repository.top, "ls-tree", commit, "infra/manifests/run.yaml")
    assert listed.startswith("100755 ")
    assert git(repository.top, "log", "-1", "--format=%s %P", commit) == f"Do it {base}"
    assert make_branch(repository, "reconcile/x", NewCommit(base, files, "Again\n")) == (
        commit,
        True,
    )


def test_a_branch_that_is_there_is_never_moved(repository: Repository) -> None:
    base = repository.commit("main")
    git(repository.top, "branch", "taken")
    new = NewCommit(base, {"infra/manifests/new.yaml": b"n: 1\n"}, "Do it\n")
    with pytest.raises(ConfigError, match="exists and holds something else"):
        make_branch(repository, "taken", new)
    assert repository.commit("taken") == base


def test_a_name_of_two_refs_is_no_base(repository: Repository) -> None:
    """git takes the tag, which anybody who may push can make."""
    git(repository.top, "update-ref", "refs/remotes/origin/main", "main")
    git(repository.top, "tag", "origin/main")
    for name in ("origin/main", "origin/main~0"):
        with pytest.raises(ConfigError) as caught:
            repository.commit(name)
        assert f"'{name}' may be refs/tags/origin/main or refs/remotes/" in caught.value.what
    git(repository.top, "tag", "HEAD")
    head = repository.commit("refs/remotes/origin/main")
    assert repository.commit("HEAD") == repository.commit("@") == head


def test_no_hook_of_the_repository_runs(repository: Repository) -> None:
    hook = Path(git(repository.top, "rev-parse", "--absolute-git-dir")) / "hooks"
    hook.mkdir(exist_ok=True)
    ran = repository.top / "ran"
    for name in ("reference-transaction", "post-index-change", "pre-commit", "post-commit"):
        (hook / name).write_text(f'#!/bin/sh\ntouch "{ran}"\nexit 1\n')
        (hook / name).chmod(0o755)
    new = NewCommit(repository.commit("HEAD"), {"infra/x.yaml": b"x: 1\n"}, "Do it\n")
    make_branch(repository, "reconcile/y", new)
    assert not ran.exists()


def test_a_path_with_a_newline_is_one_path(repository: Repository) -> None:
    name = "infra/manifests/two\nlines\t.yaml"
    new = NewCommit(repository.commit("HEAD"), {name: b"x: 1\n"}, "Do it\n")
    commit, _ = make_branch(repository, "reconcile/z", new)
    assert name in {item.path for item in repository.tree(commit, "infra/manifests")}


def test_git_that_is_not_there_is_said(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(ConfigError, match="git cannot be run"):
        open_repository(repository.top)


def test_a_repository_of_another_user_is_said_to_be_one(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ConfigError, match="it belongs to another user") as caught:
        open_repository(repository.top)
    assert f"git config --global --add safe.directory {repository.top}" in caught.value.fix
    assert "no Git repository" not in str(caught.value)


def test_no_repository_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigError, match="this is no Git repository") as caught:
        open_repository(tmp_path)
    assert "run it in a clone" in caught.value.fix


def test_a_repository_that_git_cannot_read_is_said_in_git_s_words(repository: Repository) -> None:
    git(repository.top, "config", "core.repositoryFormatVersion", "99")
    with pytest.raises(ConfigError, match=r"[Ee]xpected git repo version") as caught:
        open_repository(repository.top)
    assert "no Git repository" not in str(caught.value)


def test_a_branch_that_is_in_the_way_of_a_name_is_said(repository: Repository) -> None:
    git(repository.top, "branch", "reconcile")
    new = NewCommit(repository.commit("HEAD"), {"infra/x.yaml": b"x: 1\n"}, "Do it\n")
    with pytest.raises(ConfigError, match="the branch reconcile is in the way of reconcile/x") as e:
        make_branch(repository, "reconcile/x", new)
    assert "git branch -m reconcile OTHER-NAME" in e.value.fix
    git(repository.top, "branch", "-m", "reconcile", "other")
    git(repository.top, "branch", "reconcile/x/y")
    with pytest.raises(ConfigError, match="the branch reconcile/x/y is in the way") as e:
        make_branch(repository, "reconcile/x", new)
    git(repository.top, "branch", "-m", "reconcile/x/y", "another")
    make_branch(repository, "reconcile/x", new)


def test_a_commit_is_not_signed_whatever_the_configuration_says(repository: Repository) -> None:
    git(repository.top, "config", "commit.gpgSign", "true")
    git(repository.top, "config", "gpg.program", "false")
    new = NewCommit(repository.commit("HEAD"), {"infra/x.yaml": b"x: 1\n"}, "Do it\n")
    commit, _ = make_branch(repository, "reconcile/x", new)
    assert "gpgsig" not in git(repository.top, "cat-file", "commit", commit)
