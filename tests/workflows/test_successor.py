"""When a newer commit takes over an approved plan, and when that has to be applied all the same."""

from itertools import pairwise
from typing import Any

import pytest

from reconciler.errors import ReconcileError
from reconciler.github.rest import GitHub
from reconciler.github.runner import Runner
from reconciler.github.successor import find_successor, is_applying
from tests.workflows.fake_github import FakeGitHub, Repository

OURS, NEWER, NEWEST = "a" * 40, "b" * 40, "c" * 40
INPUTS = ["infra/manifests", "infra/overlays/production", "infra/reconciler.yaml", "images/train"]


def run(number: int, commit: str, **differs: Any) -> dict[str, Any]:
    return {
        "id": number,
        "workflow_id": 10,
        "head_sha": commit,
        "event": "push",
        "status": "in_progress",
        "conclusion": None,
        "created_at": f"2026-01-01T00:00:0{number}Z",
        **differs,
    }


def compare(known: Repository, newer: str, *names: str, status: str = "ahead") -> None:
    """Let GitHub tell what lies between our commit and a newer one."""
    shas = [NEWER, NEWEST] if newer == NEWEST else [newer]
    files = [{"filename": name} for name in names]
    known.compared[f"{OURS}...{newer}"] = {
        "status": status,
        "commits": [{"sha": sha} for sha in shas],
        "files": files,
    }


CASES = {
    "nothing newer": ([], [], False),
    "no run, though it touches the manifests": (["infra/manifests/a.yaml"], [], False),
    "a run, but nothing of ours": (
        ["README.md", "infra/manifests2/a.yaml"],
        [run(2, NEWEST)],
        False,
    ),
    "a run and a manifest": (["infra/manifests/a.yaml"], [run(2, NEWEST)], True),
    "a run and the configuration": (["infra/reconciler.yaml"], [run(2, NEWEST)], True),
    "a run and a file of an image": (["images/train/env.py"], [run(2, NEWEST)], True),
    "a run that was done": (
        ["images/train/env.py"],
        [run(2, NEWEST, status="completed", conclusion="success")],
        True,
    ),
    **{
        f"a run that ended as {end}": (
            ["images/train/env.py"],
            [run(2, NEWEST, status="completed", conclusion=end)],
            False,
        )
        for end in ("failure", "cancelled", "startup_failure", "timed_out", "skipped")
    },
    "a run of another workflow": (["images/train/x"], [run(2, NEWEST, workflow_id=11)], False),
    "a run of another event": (["images/train/x"], [run(2, NEWEST, event="schedule")], False),
    "a run before ours": (
        ["images/train/x"],
        [run(2, NEWEST, created_at="2025-12-31T00:00:00Z")],
        False,
    ),
    "a run of a commit that is not on the branch": (["images/train/x"], [run(2, "d" * 40)], False),
    "more files than are listed": ([f"other/{n}" for n in range(300)], [run(2, NEWEST)], True),
}


ENVIRON = {"GITHUB_REF": "refs/heads/main", "GITHUB_SHA": OURS, "GITHUB_RUN_ID": "1"}


@pytest.mark.parametrize("case", CASES)
def test_who_applies(case: str, github: FakeGitHub, gh: GitHub) -> None:
    names, runs, superseded = CASES[case]
    known = github.repository
    known.refs["heads/main"] = NEWEST if names else OURS
    known.runs = [run(1, OURS), *runs]
    compare(known, NEWEST, *names)
    assert find_successor(gh, Runner(ENVIRON), INPUTS) == (NEWEST if superseded else "")


def test_what_a_plan_is_made_of_may_not_be_known(github: FakeGitHub, gh: GitHub) -> None:
    known = github.repository
    known.refs["heads/main"] = NEWEST
    known.runs = [run(1, OURS), run(2, NEWEST)]
    compare(known, NEWEST, "README.md")
    assert find_successor(gh, Runner(ENVIRON), []) == NEWEST
    assert find_successor(gh, Runner(ENVIRON), ["."]) == NEWEST


def test_a_run_between_takes_over_only_with_what_it_touches_itself(
    github: FakeGitHub, gh: GitHub
) -> None:
    """The newest commit has no run; the one before has, and changes nothing of ours."""
    known = github.repository
    known.refs["heads/main"] = NEWEST
    known.runs = [run(1, OURS), run(2, NEWER)]
    compare(known, NEWEST, "infra/manifests/a.yaml", "README.md")
    compare(known, NEWER, "README.md")
    assert find_successor(gh, Runner(ENVIRON), INPUTS) == ""
    compare(known, NEWER, "infra/manifests/a.yaml")
    assert find_successor(gh, Runner(ENVIRON), INPUTS) == NEWER


@pytest.mark.parametrize("touching", [9, 10])
def test_only_so_many_commits_are_compared(touching: int, github: FakeGitHub, gh: GitHub) -> None:
    """The newest one touches ours and has no run; those before have one, the newest first."""
    known = github.repository
    known.refs["heads/main"] = NEWEST
    between = [f"{number:040x}" for number in range(30)]
    known.runs = [run(1, OURS), *(run(2, sha) for sha in between)]
    for number, sha in enumerate(reversed(between)):
        compare(known, sha, "infra/reconciler.yaml" if number == touching else "README.md")
    compare(known, NEWEST, "infra/reconciler.yaml")
    known.compared[f"{OURS}...{NEWEST}"]["commits"] = [{"sha": sha} for sha in between]
    wanted = between[-1 - touching] if touching < 10 else ""
    assert find_successor(gh, Runner(ENVIRON), INPUTS) == wanted
    assert sum("compare/" in path for _, path in known.requests) == 11


@pytest.mark.parametrize("status", ["diverged", "behind"])
def test_what_a_branch_does_not_hold_any_more_is_not_applied(
    status: str, github: FakeGitHub, gh: GitHub
) -> None:
    github.repository.refs["heads/main"] = NEWEST
    compare(github.repository, NEWEST, "README.md", status=status)
    with pytest.raises(ReconcileError, match="main does not hold aaaaaaa any more: it was rewritt"):
        find_successor(gh, Runner(ENVIRON), INPUTS)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_tag_is_applied_whatever_kind_it_is(depth: int, github: FakeGitHub, gh: GitHub) -> None:
    """An annotated tag points to an object of its own, and that to the commit, or another tag."""
    known = github.repository
    objects = [*(str(number) * 40 for number in range(1, depth + 1)), OURS]
    known.refs["tags/v1"] = objects[0]
    known.tags.update(pairwise(objects))
    runner = Runner({**ENVIRON, "GITHUB_REF": "refs/tags/v1"})
    assert find_successor(gh, runner, INPUTS) == ""
    known.refs["tags/v1"] = "e" * 40  # moved
    known.tags["e" * 40] = NEWER
    assert find_successor(gh, runner, INPUTS) == NEWER


@pytest.mark.parametrize(
    ("differs", "applying"),
    [
        ({"status": "waiting"}, True),
        ({"status": "in_progress"}, True),
        ({"status": "completed", "conclusion": "failure"}, False),
        ({"status": "waiting", "head_branch": "other"}, False),
        ({"status": "waiting", "event": "schedule"}, False),
    ],
)
def test_whether_an_apply_is_under_way(
    differs: dict[str, Any], applying: bool, github: FakeGitHub, gh: GitHub
) -> None:
    own = run(1, OURS, event="schedule")
    github.repository.runs = [own, run(2, OURS, **{"head_branch": "main", **differs})]
    assert is_applying(gh, Runner(ENVIRON)) is applying
