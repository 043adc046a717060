"""What a change is compared with, and for which bases credentials are used at all."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ConfigError
from reconciler.github.decide import offline_because
from reconciler.github.runner import Runner, base_commit, pushed_commits

REPOSITORY = {"repository": {"default_branch": "main"}}


def onto(branch: object) -> dict[str, Any]:
    head = {"repo": {"full_name": "acme/platform"}}
    return {"pull_request": {"base": {"ref": branch}, "head": head}, **REPOSITORY}


def queued(branch: str) -> dict[str, Any]:
    return {"merge_group": {"base_ref": f"refs/heads/{branch}"}, **REPOSITORY}


@pytest.mark.parametrize(
    ("event", "named", "trusted"),
    [
        (onto("main"), None, True),
        (onto("feature"), None, False),
        (onto("Main"), None, False),
        (onto("feature"), '["release", "feature"]', True),
        (onto("feature/x"), '["feature"]', False),
        (onto(""), '[""]', False),
        (onto(None), None, False),
        ({"pull_request": {}, **REPOSITORY}, None, False),
        ({"pull_request": {"base": {"ref": ""}}}, None, False),  # and no default branch is known
        ({"pull_request": {"base": {"ref": "main"}}}, None, False),
        (queued("main"), None, True),
        (queued("feature"), None, False),
        (queued("feature"), '["feature"]', True),
        ({"before": "a" * 40, **REPOSITORY}, None, True),  # its own workflow names it
        ({"schedule": "x", **REPOSITORY}, None, True),
    ],
)
def test_which_base_is_trusted(event: dict[str, Any], named: str | None, trusted: bool) -> None:
    environ = {} if named is None else {"RECONCILE_TRUSTED_BRANCHES": named}
    environ["GITHUB_REPOSITORY"] = "acme/platform"
    assert (offline_because(Runner(environ, event)) == "") is trusted


@pytest.mark.parametrize("named", ["feature", '"feature"', '{"feature": 1}', "[1]"])
def test_what_is_no_list_of_branches_trusts_nothing(named: str) -> None:
    environ = {"RECONCILE_TRUSTED_BRANCHES": named, "GITHUB_REPOSITORY": "acme/platform"}
    with pytest.raises(ConfigError, match="is no JSON list of branches"):
        offline_because(Runner(environ, onto("feature")))


def git(place: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    command = ["git", *identity, "-C", str(place), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def merged(tmp_path: Path) -> dict[str, str]:
    """A base that went on after a branch left it, and GitHub's test merge of both."""
    git(tmp_path, "init", "-q", "-b", "main")
    names = {}
    for name, place in (("old", []), ("head", ["-b", "branch"]), ("tip", ["main"])):
        if place:
            git(tmp_path, "checkout", "-q", *place)
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", name)
        names[name] = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "merge", "-q", "--no-ff", "-m", "merge", "branch")
    return {**names, "merge": git(tmp_path, "rev-parse", "HEAD")}


@pytest.mark.parametrize(
    ("checked_out", "sha", "wanted"),
    [
        ("merge", "merge", "tip"),
        ("head", "merge", "old"),  # the step has checked out something else
        ("head", "head", "old"),
        ("merge", "head", "old"),
    ],
)
def test_the_base_of_a_test_merge_is_its_first_parent(
    checked_out: str, sha: str, wanted: str, merged: dict[str, str], tmp_path: Path
) -> None:
    git(tmp_path, "checkout", "-q", merged[checked_out])
    event = {"pull_request": {"head": {"sha": merged["head"]}, "base": {"sha": merged["old"]}}}
    environ = {"GITHUB_SHA": merged[sha], "RECONCILE_DIRECTORY": str(tmp_path)}
    assert base_commit(Runner(environ, event)) == merged[wanted]


def test_a_merge_of_another_head_is_not_the_test_merge(
    merged: dict[str, str], tmp_path: Path
) -> None:
    event = {"pull_request": {"head": {"sha": "e" * 40}, "base": {"sha": merged["old"]}}}
    environ = {"GITHUB_SHA": merged["merge"], "RECONCILE_DIRECTORY": str(tmp_path)}
    assert base_commit(Runner(environ, event)) == merged["old"]


def test_the_commits_of_a_push_are_those_of_its_branch(
    merged: dict[str, str], tmp_path: Path
) -> None:
    def commits(before: str, sha: str = "merge") -> list[str]:
        environ = {"GITHUB_SHA": merged[sha], "RECONCILE_DIRECTORY": str(tmp_path)}
        return pushed_commits(Runner(environ, {"before": before}))

    assert commits(merged["old"]) == [merged["merge"], merged["tip"]]
    assert commits(merged["tip"]) == [merged["merge"]]
    assert commits("0" * 40) == [merged["merge"]]
    assert commits("e" * 40) == [merged["merge"]], "it is in no clone any more"
    assert commits(merged["merge"], "tip") == [merged["tip"]], "the branch was put back"
