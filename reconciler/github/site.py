"""A site: a target of one reconciler.yaml, with one comment, artifact and issue, and its pages.

A page is the Markdown that `reconcile` wrote, below the line that says what it is of.
"""

import os
import posixpath
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reconciler.errors import ConfigError
from reconciler.github.runner import Runner
from reconciler.support.printable import slug


@dataclass(frozen=True, slots=True)
class Site:
    """A target, and the directory of its reconciler.yaml: "" at the root of the repository."""

    target: str
    directory: str = ""

    @classmethod
    def of(cls, runner: Runner) -> "Site":
        """The one that the inputs of the step name. Raises `ConfigError` if there is no target."""
        given = runner.directory
        if posixpath.isabs(given):
            root = os.path.realpath(runner.get("GITHUB_WORKSPACE", "."))
            given = os.path.relpath(os.path.realpath(given), root)
        path = posixpath.normpath(given)
        return cls(runner.need("RECONCILE_TARGET"), "" if path == "." else path)

    @property
    def name(self) -> str:
        """One name for both; that of the target alone at the root. No target has a colon."""
        return f"{self.directory}:{self.target}" if self.directory else self.target

    @property
    def environment(self) -> str:
        """The GitHub environment whose account may write; the one for plans ends in `-plan`.

        https://docs.github.com/en/rest/deployments/environments takes slashes in names.
        """
        return f"{self.directory}/{self.target}" if self.directory else self.target

    @property
    def slug(self) -> str:
        """The name as part of a path, an artifact's name or a comment of HTML."""
        return slug(self.name)

    def __str__(self) -> str:
        return f"{self.target} in {self.directory}" if self.directory else self.target


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
