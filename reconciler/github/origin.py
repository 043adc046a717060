"""One line of Markdown that says what a plan was made from, when, and where all of it is."""

from datetime import UTC, datetime

from reconciler.github.runner import Runner


def origin(runner: Runner) -> str:
    """The commit as people know it, the run, its artifact, and the time.

    A pull request's run has GitHub's test merge checked out, a commit that is in nobody's clone. So
    the last commit of the branch is named, and what that was merged into.
    """
    commit = runner.head or runner.sha
    place = f"{runner.server}/{runner.repository}/commit/{commit}"
    words = f"Commit [`{commit[:7]}`]({place})"
    if runner.head and runner.base_branch:
        words += f" merged into `{runner.base_branch.replace('`', '')}`"
    parts = [words, f"[run]({runner.run_url})"]
    if page := runner.get("RECONCILE_PAGE_URL"):
        parts.append(f"[the plan as a page]({page})")
    if artifact := runner.get("RECONCILE_ARTIFACT_URL"):
        parts.append(f"[artifact with `plan.html` and `plan.json`]({artifact})")
    return " · ".join([*parts, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"])
