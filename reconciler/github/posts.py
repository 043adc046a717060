"""The commands of the action that write to GitHub: comments, and the issue about drift."""

from collections.abc import Sequence
from pathlib import Path

from reconciler.errors import ConfigError, ReconcileError
from reconciler.github.api import GitHub
from reconciler.github.findings import caused_here, read_plan
from reconciler.github.neighbours import neighbours, touches
from reconciler.github.origin import origin
from reconciler.github.page import body, title, told
from reconciler.github.reviewed import PLAN_FILE, Push, merged_pull_requests
from reconciler.github.runner import Runner, annotate
from reconciler.github.site import Site
from reconciler.github.sticky import close_drift, marker, report_drift, write_comment
from reconciler.github.successor import is_applying

APPLIED = "apply:"
"""The kind of the comment that tells what became of an apply."""


def comment(runner: Runner) -> int:
    """Write or update the pull request's comment of this site; without a page, that there is none.

    A comment that was left as it is would show the plan of an earlier commit. Where nothing changes
    there is a comment only if something has changed before.
    """
    number = runner.pull_request
    if number is None:
        raise ConfigError("this event has no pull request", where=runner.event_name)
    site, github = Site.of(runner), GitHub.of(runner)
    changes = runner.get("RECONCILE_CHANGES") != "false"
    mark = marker(site.name)
    if place := runner.get("RECONCILE_BODY"):
        addresses = caused_here(read_plan(Path(place).with_name(PLAN_FILE)))
        text = body(runner, site, touches(addresses) + _others(github, number, mark, addresses))
    elif changes:
        said = told(site, "plan", "the job failed before its plan", "there is no plan")
        text = f"{said}\n{origin(runner)}\n"
    else:
        text = f"### reconcile plan: {title(site)}: nothing is changed here\n\n{origin(runner)}\n"
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
    """Say in every pull request that this push has merged what became of its apply."""
    site, github = Site.of(runner), GitHub.of(runner)
    if runner.get("RECONCILE_BODY"):
        text = body(runner, site)
    else:
        text = (
            f"### reconcile apply: {title(site)}: nothing was applied\n\n"
            f"There is no plan, it was not approved, or the job has failed before: see the run.\n\n"
            f"{origin(runner)}\n"
        )
    pulls = list(merged_pull_requests(github, Push.of(runner)))
    for pull in pulls:
        done = write_comment(github, pull["number"], marker(site.name, APPLIED), text)
        annotate("notice", f"{done} the comment of pull request #{pull['number']}")
    if not pulls:
        annotate("notice", f"no pull request has brought {runner.sha[:7]}: there is none to tell")
    return 0


def drift(runner: Runner) -> int:
    """Open, update or close the one issue about this site's drift.

    While an apply waits for its approval or runs, what it will apply is no drift: nothing is said.
    """
    site, github = Site.of(runner), GitHub.of(runner)
    if runner.need("RECONCILE_CHANGES") != "true":
        words = f"No drift any more: [the run that looked]({runner.run_url})."
        done = close_drift(github, site, words)
    elif runner.get("RECONCILE_DRIFT") == "false" and is_applying(github, runner):
        done = "left as it is, because what was merged is still being applied"
    else:
        done = report_drift(github, site, body(runner, site))
    annotate("notice", f"issue about drift of target {site}: {done}")
    return 0
