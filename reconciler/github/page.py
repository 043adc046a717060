"""Pages of Markdown for GitHub: what `reconcile` wrote, below the line that says what it is of."""

import re
from datetime import UTC, datetime
from pathlib import Path

from reconciler.errors import ConfigError
from reconciler.github.runner import Runner
from reconciler.github.site import Site


def body(runner: Runner, site: Site, path: Path, above: str = "") -> str:
    """The page to be shown, below what it was made from. It tells of a target alone."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"it cannot be read: {error}", where=str(path)) from error
    if runner.head:  # the test merge, which the line of the origin stands for
        text = text.replace(f" · commit {code(runner.sha[:7])}", "", 1)
    said = f"In {code(site.directory)}:\n\n" if site.directory else ""
    return _below_marker(text, f"{above}{said}{origin(runner)}\n")


def origin(runner: Runner) -> str:
    """One line: the commit as people know it, the run, its artifact, and the time.

    A pull request's run checks out GitHub's test merge, which is in nobody's clone. So this names
    the last commit of the branch, and what it was merged into.
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


def told(site: Site, what: str, text: str, headline: str) -> str:
    return f"{heading(site, what, headline)}{fenced(text)}\n"


def heading(site: Site, what: str, headline: str) -> str:
    """The headline of a command, with the target and where its reconciler.yaml is."""
    place = f" in {code(site.directory)}" if site.directory else ""
    return f"### reconcile {what}: {code(site.target)}{place}: {headline}\n\n"


def code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def fenced(text: str) -> str:
    """Text as a block of code that it cannot end: the fence is longer than any in it."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _below_marker(text: str, words: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first}\n{words}\n{rest}" if first.startswith("<!--") else f"{words}\n{text}"
