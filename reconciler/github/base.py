"""What a change is compared with: the commit, and whether the branch it is for is trusted.

Targets and guards of a pull request's plan come from the base. A base that anybody may push to
could send the credentials to an address of its own, so only the default branch counts, and branches
that the workflow names.
"""

import json
from pathlib import Path

from reconciler.errors import ConfigError
from reconciler.git.head import ask_git
from reconciler.github.runner import Runner

_MOST_COMMITS = 50
"""Commits of one push whose pull requests are asked for."""
_BRANCHES = "RECONCILE_TRUSTED_BRANCHES"


def is_trusted(runner: Runner) -> bool:
    """Whether the branch that this change is for may say where credentials go.

    Only pull requests and merge queues are for another branch than that of their own workflow.
    Raises `ConfigError` for an input that is no list.
    """
    if not runner.is_proposal:
        return True
    branch, named = runner.base_branch, _named(runner)
    return bool(branch) and branch in (runner.default_branch, *named)


def base_commit(runner: Runner) -> str:
    """The commit that the change is compared with; empty where there is none.

    Of a pull request it is the first parent of GitHub's test merge, where that is checked out: the
    base's tip. The event's own `base.sha` may be behind that, so that what others have merged since
    would count as this branch's, and old targets and guards would hold.
    """
    place = Path(runner.get("RECONCILE_DIRECTORY", "."))
    words = ("rev-list", "--parents", "--max-count=1", "HEAD", "--")
    commits = (ask_git(place, *words) or "").split() if runner.head else []
    if len(commits) == 3 and (commits[0], commits[2]) == (runner.sha, runner.head):
        return commits[1]
    return runner.base


def pushed_commits(runner: Runner) -> list[str]:
    """What a push has brought, the newest first; its last commit alone if the one before is gone.

    Only the first parents: a merge stands for all that it has merged.
    """
    words = ("rev-list", "--first-parent", f"--max-count={_MOST_COMMITS}", runner.sha)
    place, before = Path(runner.get("RECONCILE_DIRECTORY", ".")), runner.base
    contains = before and ask_git(place, "merge-base", before, runner.sha) == before
    found = ask_git(place, *words, f"^{before}", "--") if contains else None
    return found.split() if found else [runner.sha]


def _named(runner: Runner) -> list[str]:
    text = runner.get(_BRANCHES, "[]")
    try:
        named = json.loads(text)
    except ValueError:
        named = None
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise ConfigError(
            f"{text!r} is no JSON list of branches",
            where="trusted-branches",
            fix='write it as ["main", "release"]',
        )
    return named
