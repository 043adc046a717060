"""One git command on a directory: what it prints, or an error in its own words.

No hook, no monitor and no variable of a hook has a say in it, and a path is never a pattern.
"""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ConfigError

_TIMEOUT = 60.0
_LOCAL_VARIABLES = frozenset(
    {
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"),
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_PREFIX"),
    }
)
"""What a hook sets for the repository it runs in: here, the directory decides."""
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "--literal-pathspecs")


def run_git(
    directory: Path,
    *words: str,
    given: bytes = b"",
    environ: Mapping[str, str] | None = None,
    fix: str = "",
) -> bytes:
    """What git prints. Raises `ConfigError` with what it said on standard error."""
    answer = ask_git(directory, *words, given=given, environ=environ)
    if answer.code:
        what = f"git {words[0]} failed: {answer.reason}"
        raise ConfigError(what, where=str(directory), fix=fix)
    return answer.output


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended: its exit code, what it printed, and what it said of errors."""

    code: int
    output: bytes
    said: str

    @property
    def reason(self) -> str:
        """The line that says why it failed: advice may stand before and after it."""
        lines = self.said.strip().splitlines() or [f"exit code {self.code}"]
        fatal = [line for line in lines if line.startswith(("fatal: ", "error: "))]
        return (fatal or lines)[-1]


def ask_git(
    directory: Path,
    *words: str,
    given: bytes = b"",
    environ: Mapping[str, str] | None = None,
) -> Answer:
    """Run a command that may fail. Raises `ConfigError` only if it cannot be run at all."""
    clean = {name: text for name, text in os.environ.items() if name not in _LOCAL_VARIABLES}
    try:
        ran = subprocess.run(  # noqa: S603  (no shell; user's texts are no options)
            ["git", *_SAFE, *words],  # noqa: S607  (the user's own git)
            cwd=directory,
            env={**clean, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(environ or {})},
            input=given,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"git {words[0]} did not end within {_TIMEOUT:.0f} s", where=str(directory)
        ) from error
    except OSError as error:
        raise ConfigError(
            f"git is not installed, or cannot be run: {error.strerror or error}",
            where=str(directory),
            fix="install git, and have it on PATH",
        ) from error
    return Answer(ran.returncode, ran.stdout, ran.stderr.decode(errors="replace"))
