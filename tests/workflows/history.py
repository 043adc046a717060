"""What GitHub's REST interface tells of the commits of a clone: branches, comparisons, messages."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST_FILES = 300
_MOST_COMMITS = 250


@dataclass(frozen=True)
class History:
    """Answers of GitHub for a repository of which this is the clone."""

    clone: Path

    def branch(self, name: str) -> str | None:
        """The tip of `heads/NAME`; None if there is no such branch."""
        return self._git("for-each-ref", "--format=%(objectname)", f"refs/{name}") or None

    def compare(self, base: str, head: str) -> dict[str, Any]:
        """https://docs.github.com/en/rest/commits/commits#compare-two-commits"""
        start = self._git("merge-base", base, head)
        if start == base:
            status = "identical" if base == head else "ahead"
        else:
            status = "behind" if start == head else "diverged"
        names = self._git("diff", "--name-only", "--no-renames", start, head).split()
        return {
            "status": status,
            "commits": self.commits(head, base),
            "files": [{"filename": name} for name in names[:_MOST_FILES]],
        }

    def commits(self, head: str, without: str) -> list[dict[str, Any]]:
        """Those of a head that another commit does not hold, the oldest first."""
        found = self._git("rev-list", "--reverse", head, f"^{without}").split()[:_MOST_COMMITS]
        return [self._commit(sha) for sha in found]

    def first_parent(self, commit: str) -> str:
        """What a branch was before it got this commit."""
        return self._git("rev-parse", f"{commit}^1")

    def _commit(self, sha: str) -> dict[str, Any]:
        author, _, message = self._git("show", "-s", "--format=%an%x00%B", sha).partition("\0")
        return {"sha": sha, "commit": {"message": message, "author": {"name": author}}}

    def _git(self, *words: str) -> str:
        command = ["git", "-C", str(self.clone), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
