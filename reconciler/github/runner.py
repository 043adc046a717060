"""The runner's side of a step: its event, its files for outputs and summaries, its log."""

import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import ConfigError
from reconciler.git.process import ask_git
from reconciler.support.plain_file import append

_OF_NO_CHANGE = ("schedule", "workflow_dispatch")
"""Events that no commit has caused."""
APPLYING = ("push", "workflow_dispatch")
"""Events whose runs may apply what they have planned."""
SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's summary; GitHub shows nothing of a longer one."""


@dataclass(frozen=True, slots=True)
class Runner:
    """The variables that GitHub sets for a step, and the event that started the run."""

    environ: Mapping[str, str]
    event: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Runner":
        """Read the event's file. Raises `ConfigError` if there is none."""
        path = environ.get("GITHUB_EVENT_PATH", "")
        try:
            event = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the event cannot be read: {error}",
                where="GITHUB_EVENT_PATH",
                fix="run this in a step of GitHub Actions",
            ) from error
        return cls(environ, event if isinstance(event, dict) else {})

    def get(self, name: str, default: str = "") -> str:
        """A variable of the runner, or an input of the action (`RECONCILE_...`)."""
        return self.environ.get(name) or default

    def need(self, name: str) -> str:
        """The same, where it has to be there. Raises `ConfigError`."""
        found = self.get(name)
        if not found:
            raise ConfigError(f"{name} is not set", fix="pass it to the step under `env:`")
        return found

    def _said(self, *names: str) -> Any:
        """What the event says there, a name for each level; None if it says nothing."""
        found: Any = self.event
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    @property
    def repository(self) -> str:
        """OWNER/NAME."""
        return self.need("GITHUB_REPOSITORY")

    @property
    def directory(self) -> str:
        """The directory of reconciler.yaml, as the step names it."""
        return self.get("RECONCILE_DIRECTORY", ".")

    @property
    def event_name(self) -> str:
        """`pull_request`, `push`, `merge_group`, `schedule`, ..."""
        return self.get("GITHUB_EVENT_NAME")

    @property
    def pull_request(self) -> int | None:
        """The number of the pull request that the run is for."""
        number = self._said("pull_request", "number")
        return number if isinstance(number, int) else None

    @property
    def is_proposal(self) -> bool:
        """Whether the run is for a change that is not on its branch yet."""
        return "pull_request" in self.event or "merge_group" in self.event

    @property
    def is_outside(self) -> bool:
        """Whether GitHub gives this run no secrets: a fork's pull request, or one of Dependabot's.

        The actor is whoever has started the first attempt; a re-run has the same rights.
        https://docs.github.com/en/code-security/dependabot/troubleshooting-dependabot/troubleshooting-dependabot-on-github-actions
        """
        if "pull_request" not in self.event:
            return False
        head = self._said("pull_request", "head", "repo", "full_name")  # none: it was deleted
        return head != self.repository or self.get("GITHUB_ACTOR") == "dependabot[bot]"

    @property
    def attempt(self) -> int:
        """1 for the first run of the job, and one more for each time that it was run again."""
        return int(self.get("GITHUB_RUN_ATTEMPT", "1"))

    @property
    def base_branch(self) -> str:
        """The branch that the change is for; empty where there is none."""
        found = self._said("pull_request", "base", "ref") or self._said("merge_group", "base_ref")
        return str(found or "").removeprefix("refs/heads/")

    @property
    def queued(self) -> int | None:
        """The number of the pull request that a merge queue tries, as its branch is called."""
        ref = self._said("merge_group", "head_ref")
        found = re.search(r"/pr-(\d+)-[0-9a-f]+$", str(ref))
        return int(found[1]) if found else None

    @property
    def branch(self) -> str:
        return self.get("GITHUB_REF").removeprefix("refs/heads/")

    @property
    def default_branch(self) -> str:
        return str(self._said("repository", "default_branch") or "")

    @property
    def base(self) -> str:
        """The base commit as the event states it; empty where there is none."""
        found = (
            self._said("pull_request", "base", "sha")
            or self._said("merge_group", "base_sha")
            or self._said("before")
            or (self.sha if self.event_name in _OF_NO_CHANGE else "")  # all is drift, or unapplied
        )
        return str(found) if _is_commit(found) else ""

    @property
    def sha(self) -> str:
        """The commit that is checked out."""
        return self.get("GITHUB_SHA")

    @property
    def head(self) -> str:
        """The last commit of the pull request's branch; empty where there is none."""
        found = self._said("pull_request", "head", "sha")
        return str(found) if _is_commit(found) else ""

    @property
    def server(self) -> str:
        return self.get("GITHUB_SERVER_URL", "https://github.com")

    @property
    def run_url(self) -> str:
        return f"{self.server}/{self.repository}/actions/runs/{self.get('GITHUB_RUN_ID', '0')}"

    def output(self, **values: str | bool) -> None:
        """Set outputs of the step; each between delimiters that no value can know."""
        path = self.get("GITHUB_OUTPUT")
        if not path:
            return
        for name, value in values.items():
            end = f"end_{secrets.token_hex(16)}"
            text = str(value).lower() if isinstance(value, bool) else value
            append(Path(path), f"{name.replace('_', '-')}<<{end}\n{text}\n{end}\n")

    def summarise(self, text: str) -> None:
        """Add to the step's summary, as far as there is room."""
        path = self.get("GITHUB_STEP_SUMMARY")
        if not path:
            return
        room = SUMMARY_LIMIT - (Path(path).stat().st_size if Path(path).exists() else 0) - 1
        if len(text.encode()) > room:
            text = "The plan is too long for a summary; see the log and the artifact.\n"
        append(Path(path), text)


def _is_commit(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) in (40, 64)
        and set(value) <= set("0123456789abcdef")
        and set(value) != {"0"}
    )


@contextmanager
def untrusted_log() -> Iterator[None]:
    """What is written within the block is never taken for a workflow command."""
    token = secrets.token_hex(16)
    _say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        _say(f"::{token}::")


def annotate(level: str, text: str) -> None:
    """A `notice`, `warning` or `error` of the run."""
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    _say(f"::{level}::{escaped}")


def _say(line: str) -> None:
    sys.stderr.flush()
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def temporary(runner: Runner) -> Path:
    """A directory for the files of this job, outside of the checkout."""
    place = Path(runner.get("RUNNER_TEMP") or os.environ.get("TMPDIR", "/tmp"))  # noqa: S108
    return place / "reconcile"


_MOST_COMMITS = 50
"""Commits of one push whose pull requests are asked for."""


def base_commit(runner: Runner) -> str:
    """The commit that the change is compared with; empty if there is none.

    For a pull request: the base's tip, which is the first parent of GitHub's test merge. The
    event's own `base.sha` may be older; then what others have merged since would count as this
    branch's, and old targets and guards would hold.
    """
    words = ("rev-list", "--parents", "--max-count=1", "HEAD", "--")
    commits = (ask_git(Path(runner.directory), *words) or "").split() if runner.head else []
    if len(commits) == 3 and (commits[0], commits[2]) == (runner.sha, runner.head):
        return commits[1]
    return runner.base


def pushed_commits(runner: Runner) -> list[str]:
    """The commits of a push, the newest first; the last one alone if the one before is gone.

    Only first parents: a merge stands for all that it has merged.
    """
    words = ("rev-list", "--first-parent", f"--max-count={_MOST_COMMITS}", runner.sha)
    place, before = Path(runner.directory), runner.base
    contains = before and ask_git(place, "merge-base", before, runner.sha) == before
    found = ask_git(place, *words, f"^{before}", "--") if contains else None
    return found.split() if found else [runner.sha]
