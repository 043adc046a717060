"""A commit on a new branch out of Git's own objects."""

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.errors import ConfigError
from reconciler.git.branch import (
    NewCommit,
    list_tree,
    make_branch,
    read_tree,
    wants_signatures,
    write_tree,
)
from reconciler.git.checkout import Checkout, current_branch, find_commit, open_checkout


def git(place: Path, *words: str) -> str:
    ran = subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


@pytest.fixture(params=["sha1", "sha256"])
def checkout(request: pytest.FixtureRequest, tmp_path: Path) -> Checkout:
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
    return open_checkout(tmp_path / "infra")


def test_a_commit_is_listed_with_links_and_odd_names_and_its_files_are_read(
    checkout: Checkout,
) -> None:
    base = find_commit(checkout, "HEAD")
    entries = list_tree(checkout, base, "infra/manifests")
    assert checkout.prefix == "infra/"
    assert [(item.path, item.sort) for item in entries] == [
        ("infra", "directory"),
        ("infra/manifests", "directory"),
        ("infra/manifests/a.yaml", "file"),
        ("infra/manifests/link.yaml", "symbolic link"),
        ("infra/manifests/run.yaml", "file"),
        ("infra/manifests/sub dir", "directory"),
        ("infra/manifests/sub dir/ü.yaml", "file"),
    ]
    found = {item.path: item for item in read_tree(checkout, entries)}
    assert {path: item.data for path, item in found.items()} == {
        "infra/manifests/a.yaml": b"a: 1\r\n",
        "infra/manifests/run.yaml": b"c: 3\n",
        "infra/manifests/sub dir/ü.yaml": b"b: 2\n",
    }
    assert found["infra/manifests/run.yaml"].mode == "100755"
    assert [item.path for item in list_tree(checkout, base, "infra/nothing")] == ["infra"]
    assert current_branch(checkout) == "main"


def test_a_link_on_the_way_is_listed_and_not_followed(checkout: Checkout) -> None:
    (checkout.directory / "there").symlink_to("manifests")
    git(checkout.directory, "add", "--all")
    git(checkout.directory, "commit", "--quiet", "--message", "Link")
    for directory in ("infra/there", "infra/there/sub dir"):
        found = list_tree(checkout, find_commit(checkout, "HEAD"), directory)
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
    checkout: Checkout, path: str, data: bytes | None
) -> None:
    new = NewCommit(find_commit(checkout, "HEAD"), {path: data}, "Do it\n")
    with pytest.raises(ConfigError, match="would change more than the files"):
        write_tree(checkout, new)
    with pytest.raises(ConfigError, match="would change more than the files"):
        make_branch(checkout, "reconcile/x", new)
    assert git(checkout.directory, "branch", "--format=%(refname:short)") == "main"


def test_files_are_written_changed_and_removed(checkout: Checkout) -> None:
    base = find_commit(checkout, "main")
    files = {
        "infra/manifests/new.yaml": b"n: 1\n",
        "infra/manifests/run.yaml": b"c: 4\n",
        "infra/manifests/sub dir/ü.yaml": None,
    }
    commit, existed = make_branch(checkout, "reconcile/x", NewCommit(base, files, "Do it\n"))
    assert not existed
    changed = git(checkout.directory, "diff", "--name-status", "-z", "main", "reconcile/x")
    assert changed.split("\0")[:-1] == [
        *("A", "infra/manifests/new.yaml"),
        *("M", "infra/manifests/run.yaml"),
        *("D", "infra/manifests/sub dir/ü.yaml"),
    ]
    listed = git(checkout.directory, "ls-tree", commit, "manifests/run.yaml")
    assert listed.startswith("100755 ")
    assert git(checkout.directory, "log", "-1", "--format=%s %P", commit) == f"Do it {base}"
    assert make_branch(checkout, "reconcile/x", NewCommit(base, files, "Again\n")) == (commit, True)


def test_a_branch_that_is_there_is_never_moved(checkout: Checkout) -> None:
    base = find_commit(checkout, "main")
    git(checkout.directory, "branch", "taken")
    new = NewCommit(base, {"infra/manifests/new.yaml": b"n: 1\n"}, "Do it\n")
    with pytest.raises(ConfigError, match="exists and holds something else"):
        make_branch(checkout, "taken", new)
    assert find_commit(checkout, "taken") == base


def test_a_name_of_two_refs_is_no_base(checkout: Checkout) -> None:
    """git takes the tag, which anybody who may push can make."""
    git(checkout.directory, "update-ref", "refs/remotes/origin/main", "main")
    git(checkout.directory, "tag", "origin/main")
    for name in ("origin/main", "origin/main~0"):
        with pytest.raises(ConfigError) as caught:
            find_commit(checkout, name)
        assert f"'{name}' may be refs/tags/origin/main or refs/remotes/" in caught.value.what
    git(checkout.directory, "tag", "HEAD")
    head = find_commit(checkout, "refs/remotes/origin/main")
    assert find_commit(checkout, "HEAD") == find_commit(checkout, "@") == head


def test_no_hook_of_the_repository_runs(checkout: Checkout) -> None:
    hook = Path(git(checkout.directory, "rev-parse", "--absolute-git-dir")) / "hooks"
    hook.mkdir(exist_ok=True)
    ran = checkout.directory / "ran"
    for name in ("reference-transaction", "post-index-change", "pre-commit", "post-commit"):
        (hook / name).write_text(f'#!/bin/sh\ntouch "{ran}"\nexit 1\n')
        (hook / name).chmod(0o755)
    new = NewCommit(find_commit(checkout, "HEAD"), {"infra/x.yaml": b"x: 1\n"}, "Do it\n")
    make_branch(checkout, "reconcile/y", new)
    assert not ran.exists()


def test_a_path_with_a_newline_is_one_path(checkout: Checkout) -> None:
    name = "infra/manifests/two\nlines\t.yaml"
    new = NewCommit(find_commit(checkout, "HEAD"), {name: b"x: 1\n"}, "Do it\n")
    commit, _ = make_branch(checkout, "reconcile/z", new)
    assert name in {item.path for item in list_tree(checkout, commit, "infra/manifests")}


def test_git_that_is_not_there_is_said(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(ConfigError, match="git rev-parse could not be run"):
        open_checkout(checkout.directory)


def test_a_repository_of_another_user_is_said_to_be_one(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ConfigError, match="detected dubious ownership in repository") as caught:
        open_checkout(checkout.directory)
    top = checkout.directory.parent
    assert f"git config --global --add safe.directory {top}" in caught.value.fix
    assert "no Git repository" not in str(caught.value)


def test_no_repository_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigError, match="it is in no Git repository") as caught:
        open_checkout(tmp_path)
    assert "mode gitops commits to a branch" in caught.value.fix


def test_a_repository_that_git_cannot_read_is_said_in_git_s_words(checkout: Checkout) -> None:
    top = checkout.directory.parent
    git(top, "config", "core.repositoryFormatVersion", "99")
    with pytest.raises(ConfigError, match=r"[Ee]xpected git repo version") as caught:
        open_checkout(checkout.directory)
    assert "no Git repository" not in str(caught.value)


def test_a_branch_that_is_in_the_way_of_a_name_is_said(checkout: Checkout) -> None:
    git(checkout.directory, "branch", "reconcile")
    new = NewCommit(find_commit(checkout, "HEAD"), {"infra/x.yaml": b"x: 1\n"}, "Do it\n")
    with pytest.raises(ConfigError, match="the branch reconcile is in the way of reconcile/x") as e:
        make_branch(checkout, "reconcile/x", new)
    assert "git branch -m reconcile OTHER-NAME" in e.value.fix
    git(checkout.directory, "branch", "-m", "reconcile", "other")
    git(checkout.directory, "branch", "reconcile/x/y")
    with pytest.raises(ConfigError, match="the branch reconcile/x/y is in the way") as e:
        make_branch(checkout, "reconcile/x", new)
    git(checkout.directory, "branch", "-m", "reconcile/x/y", "another")
    make_branch(checkout, "reconcile/x", new)


def test_a_commit_is_not_signed_whatever_the_configuration_says(checkout: Checkout) -> None:
    assert not wants_signatures(checkout)
    git(checkout.directory, "config", "commit.gpgSign", "true")
    git(checkout.directory, "config", "gpg.program", "false")
    assert wants_signatures(checkout)
    new = NewCommit(find_commit(checkout, "HEAD"), {"infra/x.yaml": b"x: 1\n"}, "Do it\n")
    commit, _ = make_branch(checkout, "reconcile/x", new)
    assert "gpgsig" not in git(checkout.directory, "cat-file", "commit", commit)
