"""What a change is compared with: the commit before it, and the commits that it has brought."""

from pathlib import Path

from reconciler.git.process import ask_git
from reconciler.github.runner import Runner

_MOST_COMMITS = 50
"""Commits of one push whose pull requests are asked for."""


def base_commit(runner: Runner) -> str:
    """The commit that the change is compared with; empty where there is none.

    Of a pull request it is the first parent of GitHub's test merge, where that is checked out: the
    base's tip. The event's own `base.sha` may be behind that, so that what others have merged since
    would count as this branch's, and old targets and guards would hold.
    """
    words = ("rev-list", "--parents", "--max-count=1", "HEAD", "--")
    commits = (ask_git(Path(runner.directory), *words) or "").split() if runner.head else []
    if len(commits) == 3 and (commits[0], commits[2]) == (runner.sha, runner.head):
        return commits[1]
    return runner.base


def pushed_commits(runner: Runner) -> list[str]:
    """What a push has brought, the newest first; its last commit alone if the one before is gone.

    Only the first parents: a merge stands for all that it has merged.
    """
    words = ("rev-list", "--first-parent", f"--max-count={_MOST_COMMITS}", runner.sha)
    place, before = Path(runner.directory), runner.base
    contains = before and ask_git(place, "merge-base", before, runner.sha) == before
    found = ask_git(place, *words, f"^{before}", "--") if contains else None
    return found.split() if found else [runner.sha]
