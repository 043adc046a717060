"""Which repository a directory is in, and how git is run there: safe from what a commit holds.

To git, any directory with `HEAD`, `objects` and `refs` in it is a repository, and the `config` in
it may name commands to run. Anybody can commit such files. So the repository is the nearest one by
its entry `.git`, which no commit can have, and git is run from beside that.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SAFE = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.bareRepository=explicit"),  # since git 2.38; older ones ignore it
    "--literal-pathspecs",
)
"""No hook and no file-system monitor is run, and names are names, whatever stands in them."""
PLAIN_READING = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.path.join(os.devnull, "none"),  # noqa: PTH118  (an empty file is warned of)
}
"""Take no lock to read, and read what a hash names: not what `refs/replace` puts in its place, nor
the parents that `info/grafts` gives it, which may make HEAD contain what it does not."""
_LOCAL_VARIABLES = frozenset(
    {
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"),
        *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_CONFIG"),
        *("GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_REPLACE_REF_BASE"),
        *("GIT_INTERNAL_SUPER_PREFIX", "GIT_QUARANTINE_PATH", "GIT_ATTR_SOURCE"),
        *("GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"),
    }
)
"""What a hook sets for the repository it runs in, or would change what is read or which names are
meant: here, the directory decides. `git rev-parse --local-env-vars` lists most of them.
"""


def find_top(directory: Path) -> Path | None:
    """The nearest directory around this one (or itself) that has `.git`; a real path, or None."""
    real = Path(os.path.realpath(directory))
    for place in (real, *real.parents):
        if os.path.lexists(place / ".git"):
            return place
    return None


def git_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables for a git process, in English, that takes no lock unless it writes."""
    clean = {name: text for name, text in os.environ.items() if name not in _LOCAL_VARIABLES}
    return {**clean, **PLAIN_READING, "LC_ALL": "C", **(more or {})}


@contextmanager
def without_hook() -> Iterator[None]:
    """The same for what GitPython does in the block: it looks into this process's own variables."""
    hidden = {name: os.environ.pop(name) for name in _LOCAL_VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
