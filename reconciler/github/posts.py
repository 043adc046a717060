"""The commands of the action that write to GitHub: comments, and the issue about drift."""

import os
from collections.abc import Sequence
from pathlib import Path

from reconciler.errors import ConfigError, ReconcileError
from reconciler.github.applying import PAGE_FILE as APPLIED_PAGE
from reconciler.github.findings import caused_here, read_plan
from reconciler.github.rest import GitHub
from reconciler.github.reviewed import PLAN_FILE, Push, merged_pull_requests
from reconciler.github.runner import Runner, annotate
from reconciler.github.site import Site, body, heading, origin, told
from reconciler.github.steps import PAGE_FILE as PLAN_PAGE
from reconciler.github.sticky import (
    close_drift,
    marker,
    neighbours,
    report_drift,
    touches,
    write_comment,
)
from reconciler.github.successor import is_applying

APPLIED = "apply:"
"""The kind of the comment that tells what became of an apply."""


def comment(runner: Runner) -> int:
    """Write or update this site's comment on the pull request; without a page, say there is none.

    An old comment would show the plan of an earlier commit. If nothing changes, only an existing
    comment is updated.
    """
    number = runner.pull_request
    if number is None:
        raise ConfigError("this event has no pull request", where=runner.event_name)
    site, github = Site.of(runner), GitHub.of(runner)
    changes = runner.get("RECONCILE_CHANGES") != "false"
    mark = marker(site.name)
    if given := runner.get("RECONCILE_BODY"):
        page = Path(given)
        addresses = caused_here(read_plan(page.with_name(PLAN_FILE)))
        above = touches(addresses) + _others(github, number, mark, addresses)
        text = body(runner, site, page, above)
    elif changes:
        said = told(site, "plan", "the job failed before its plan", "there is no plan")
        text = f"{said}\n{origin(runner)}\n"
    else:
        text = f"{heading(site, 'plan', 'nothing is changed here')}{origin(runner)}\n"
    done = write_comment(github, number, mark, text, first=changes)
    annotate("notice", f"{done} the comment of target {site}")
    return 0


def _others(github: GitHub, number: int, mark: str, addresses: Sequence[str]) -> str:
    try:
        return neighbours(github, number, mark, addresses)
    except ReconcileError as error:
        annotate("warning", f"nobody has looked at other pull requests: {error}")
        return ""


def outcome(runner: Runner) -> int:
    """Tell every pull request that this push has merged what became of the apply.

    RECONCILE_BODY is the directory of an artifact: the apply's, or the plan's. For a push without a
    pull request `reviewed` has warned.
    """
    site, github = Site.of(runner), GitHub.of(runner)
    nothing = heading(site, "apply", "nothing was applied")
    given = Path(runner.get("RECONCILE_BODY") or os.devnull)
    if (given / APPLIED_PAGE).exists():
        text = body(runner, site, given / APPLIED_PAGE)
    elif (given / PLAN_PAGE).exists():
        text = body(runner, site, given / PLAN_PAGE, nothing)
    else:
        text = f"{nothing}{origin(runner)}\n"
    for pull in merged_pull_requests(github, Push.of(runner)):
        done = write_comment(github, pull["number"], marker(site.name, APPLIED), text)
        annotate("notice", f"{done} the comment of pull request #{pull['number']}")
    return 0


def drift(runner: Runner) -> int:
    """Open, update or close the one issue about this site's drift.

    What an approved or waiting apply is about to change is not drift: the issue stays as it is.
    """
    site, github = Site.of(runner), GitHub.of(runner)
    if runner.need("RECONCILE_CHANGES") != "true":
        words = f"No drift any more: [the run that looked]({runner.run_url})."
        done = close_drift(github, site, words)
    elif runner.get("RECONCILE_DRIFT") == "false" and is_applying(github, runner):
        done = "left as it is, because what was merged is still being applied"
    else:
        page = Path(runner.need("RECONCILE_BODY"))
        done = report_drift(github, site, body(runner, site, page))
    annotate("notice", f"issue about drift of target {site}: {done}")
    return 0
