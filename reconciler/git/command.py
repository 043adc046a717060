"""One git command on a directory: what it prints, or an error in its own words.

No hook, no monitor and no variable of a hook has a say in it, and a path is never a pattern.
"""

import os
import subprocess
from collections.abc import Mapping
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
    clean = {name: text for name, text in os.environ.items() if name not in _LOCAL_VARIABLES}
    try:
        ran = subprocess.run(  # noqa: S603  (no shell; user's texts are no options, see above)
            ["git", *_SAFE, *words],  # noqa: S607  (the user's own git)
            cwd=directory,
            env={**clean, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", **(environ or {})},
            input=given,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"git {words[0]} could not be run: {error}", fix="install git") from error
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        what = f"git {words[0]} failed: {said[-1] if said else f'exit code {ran.returncode}'}"
        raise ConfigError(what, where=str(directory), fix=fix)
    return ran.stdout
