"""Which run applies what: whether a newer commit has taken over an approved plan.

It has only if its own run applies all of it. A commit may be newer and have no run at all:
`[skip ci]`, a bot's push, `paths:`. One that changes nothing that the plan is made of voids no
approval, either.
https://docs.github.com/en/actions/managing-workflow-runs/skipping-workflow-runs
"""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote

from reconciler.errors import ReconcileError
from reconciler.github.rest import GitHub
from reconciler.github.runner import APPLYING, Runner

_MOST_FILES = 300
"""Files that a comparison lists at most; of more, any may be among them."""
_MOST_COMPARED = 10
"""Newer commits with a run that are compared with ours, besides the newest."""
_UNDER_WAY = ("requested", "queued", "pending", "waiting", "in_progress")
_MOST_TAGS = 10
"""Tags of tags that are followed."""


def find_successor(github: GitHub, runner: Runner, inputs: Collection[str]) -> str:
    """The commit whose run applies what this one would; empty if this run has to.

    `inputs` are the files and directories that the plan is made of. Raises `ReconcileError` if the
    branch no longer holds our commit: then nobody may apply it.
    """
    name = runner.need("GITHUB_REF").removeprefix("refs/")
    newest = _targets_of(github, name)
    if runner.sha in newest:
        return ""
    if name.startswith("tags/"):  # it was moved: what it meant before is no longer asked for
        return newest[-1]
    pages = list(github.each(f"compare/{runner.sha}...{newest[-1]}?per_page=100", "."))
    if pages[0]["status"] not in ("ahead", "identical"):
        raise ReconcileError(
            f"{name.removeprefix('heads/')} does not hold {runner.sha[:7]} any more: "
            f"it was rewritten, to {newest[-1][:7]}",
            fix="nothing was applied: push a commit, or start the workflow, to plan what is there",
        )
    if not _touches(pages[0], inputs):  # the first has all files
        return ""
    own = github.get(f"actions/runs/{runner.need('GITHUB_RUN_ID')}")
    commits = [str(item["sha"]) for page in pages for item in page["commits"]]
    for commit in islice(_with_run(github, own, commits), _MOST_COMPARED):
        if commit == newest[-1]:
            return commit
        if _touches(github.get(f"compare/{runner.sha}...{commit}?per_page=1"), inputs):
            return commit
    return ""


def is_applying(github: GitHub, runner: Runner) -> bool:
    """Whether a run of this workflow that may apply this branch is under way, or waits."""
    own = github.get(f"actions/runs/{runner.need('GITHUB_RUN_ID')}")
    path = f"actions/workflows/{own['workflow_id']}/runs?branch={quote(runner.branch, safe='')}"
    return any(
        run["event"] in APPLYING
        for status in _UNDER_WAY
        for run in github.each(f"{path}&status={status}&per_page=100", ".workflow_runs[]")
    )


def _targets_of(github: GitHub, name: str) -> list[str]:
    """What a branch or tag points to now; the commit is the last.

    An annotated tag is an object that may point to another tag.
    """
    found = github.get(f"git/ref/{name}")["object"]
    passed = [str(found["sha"])]
    while found.get("type") == "tag" and len(passed) <= _MOST_TAGS:
        found = github.get(f"git/tags/{found['sha']}")["object"]
        passed.append(str(found["sha"]))
    return passed


def _touches(page: Any, inputs: Collection[str]) -> bool:
    """Whether anything that a plan is made of differs; also where that cannot be seen."""
    files = page.get("files") or []
    if not inputs or len(files) >= _MOST_FILES:
        return True
    names = {item.get(key) for item in files for key in ("filename", "previous_filename")}
    return any(
        name == place or name.startswith(f"{place}/") or place == "."
        for name in names
        if name
        for place in inputs
    )


def _with_run(github: GitHub, own: Any, commits: Collection[str]) -> Iterator[str]:
    """Those of the commits, the newest first, whose push started this workflow.

    A run that ended without success applies nothing any more.
    """
    since = str(own["created_at"]).replace(":", "%3A").replace("+", "%2B")
    query = f"event=push&created=%3E%3D{since}&per_page=100"
    path = f"actions/workflows/{own['workflow_id']}/runs?{query}"
    running = {
        run["head_sha"]
        for run in github.each(path, ".workflow_runs[]")
        if run["status"] != "completed" or run["conclusion"] == "success"
    }
    return (commit for commit in reversed(list(commits)) if commit in running)
