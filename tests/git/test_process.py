"""git is started in one place, which ends it in time and says what was wrong."""

import ast
import time
from pathlib import Path

import pytest

from reconciler.errors import ConfigError
from reconciler.git.process import GitError, NoGitError, ask_git, run_at, run_git, split_rows
from tests.docs.pages import ROOT
from tests.git.test_head import begin


def test_nothing_else_starts_git() -> None:
    found = set()
    for path in (ROOT / "reconciler").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            first = next(iter(node.elts), None) if isinstance(node, ast.List | ast.Tuple) else None
            if isinstance(first, ast.Constant) and first.value == "git":
                found.add(path.relative_to(ROOT).as_posix())
    assert found == {"reconciler/git/process.py"}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return begin(tmp_path / "top", "a.yaml").resolve()


def shim(place: Path, text: str) -> None:
    place.mkdir()
    (place / "git").write_text(f"#!/bin/sh\n{text}\n")
    (place / "git").chmod(0o755)


def test_a_git_that_does_not_end_is_ended(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim(top.parent / "bin", "exec sleep 600")
    monkeypatch.setenv("PATH", str(top.parent / "bin"), prepend=":")
    began = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        run_at(top, "-c", "core.fileMode=true", "status", seconds=0.1)
    assert time.monotonic() - began < 300
    assert not isinstance(caught.value, GitError | NoGitError), "for no question this is an answer"
    assert caught.value.what == "git status did not end within 0.1 s"
    assert caught.value.where == str(top)
    assert "run it by hand" in caught.value.fix


def test_what_git_says_is_what_is_wrong(top: Path) -> None:
    with pytest.raises(GitError) as caught:
        run_git(top, "cat-file", "blob", "0" * 40)
    assert caught.value.what.startswith("git cat-file failed: fatal: ")
    assert ask_git(top, "cat-file", "blob", "0" * 40) is None
    assert ask_git(top, "ls-files", "none") == ""


@pytest.mark.parametrize("name", ["log.showSignature", "color.ui", "color.diff", "core.fsmonitor"])
def test_settings_of_a_repository_change_no_output(top: Path, name: str) -> None:
    words = ("log", "--format=%H", "--raw", "-z", "HEAD")
    before = run_git(top, *words)
    value = "touch ran; false" if name == "core.fsmonitor" else "always"
    run_git(top, "config", name, "true" if name == "log.showSignature" else value)
    assert run_git(top, *words) == before
    run_git(top, "status", "--porcelain")
    assert not (top / "ran").exists()


def test_rows_end_in_a_nul() -> None:
    assert split_rows(b"a\n\0\xff b\0") == ["a\n", "\udcff b"]
    assert split_rows(b"") == []
