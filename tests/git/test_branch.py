"""A commit on a new branch out of Git's own objects."""

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.errors import ConfigError
from reconciler.git.branch import (
    Checkout,
    NewCommit,
    TreeFile,
    current_branch,
    find_commit,
    list_tree,
    make_branch,
    open_checkout,
    read_files,
)


def git(place: Path, *words: str) -> str:
    ran = subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def files_below(checkout: Checkout, commit: str, directory: str) -> list[TreeFile]:
    return read_files(checkout, list_tree(checkout, commit, directory))


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


def test_a_commit_is_read_without_links_and_with_odd_names(checkout: Checkout) -> None:
    base = find_commit(checkout, "HEAD")
    listed = files_below(checkout, base, f"{checkout.prefix}manifests/")
    found = {item.path: item for item in listed}
    assert checkout.prefix == "infra/"
    assert {path: item.data for path, item in found.items()} == {
        "infra/manifests/a.yaml": b"a: 1\r\n",
        "infra/manifests/run.yaml": b"c: 3\n",
        "infra/manifests/sub dir/ü.yaml": b"b: 2\n",
    }
    assert found["infra/manifests/run.yaml"].mode == "100755"
    assert files_below(checkout, base, "infra/nothing/") == []
    assert current_branch(checkout) == "main"


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
    assert name in {item.path for item in files_below(checkout, commit, "infra/manifests/")}


def test_git_that_is_not_there_is_said(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(ConfigError, match="git is not installed"):
        open_checkout(checkout.directory)


@pytest.mark.parametrize(
    "path",
    ["infra/manifests/link.yaml", "infra/manifests/link.yaml/x.yaml", "infra/manifests/sub dir"],
)
def test_what_stands_in_the_way_is_not_replaced(checkout: Checkout, path: str) -> None:
    new = NewCommit(find_commit(checkout, "HEAD"), {path: b"x: 1\n"}, "Do it\n")
    with pytest.raises(ConfigError, match=r"would change .* as well"):
        make_branch(checkout, "reconcile/way", new)
    assert git(checkout.directory, "branch", "--format=%(refname:short)") == "main"


def test_a_repository_of_another_user_is_said_and_how_to_trust_it(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(ConfigError) as caught:
        open_checkout(checkout.directory)
    assert caught.value.what == "git does not trust this repository: it belongs to another user"
    top = checkout.directory.parent
    assert f"git config --global --add safe.directory {top}" in caught.value.fix


def test_a_repository_that_git_cannot_read_is_said_in_git_s_words(checkout: Checkout) -> None:
    (checkout.directory.parent / ".git" / "config").write_text("[core\n")
    with pytest.raises(ConfigError, match="bad config line 1"):
        open_checkout(checkout.directory)


@pytest.mark.parametrize("there", ["reconcile", "reconcile/x/y"])
def test_a_branch_in_the_way_of_the_name_is_said_with_a_fix(checkout: Checkout, there: str) -> None:
    git(checkout.directory, "branch", there)
    new = NewCommit(find_commit(checkout, "main"), {"infra/x.yaml": b"x: 1\n"}, "Do it\n")
    with pytest.raises(ConfigError) as caught:
        make_branch(checkout, "reconcile/x", new)
    assert caught.value.what == f"the branch {there} leaves no room for a branch reconcile/x"
    assert caught.value.fix == f"rename it: git branch -m {there} NEW-NAME"
    git(checkout.directory, "branch", "-m", there, "elsewhere")
    make_branch(checkout, "reconcile/x", new)
