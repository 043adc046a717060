"""How git is run: one way, with one environment, a time limit and one sort of error.

To git, any directory with `HEAD`, `objects` and `refs` in it is a repository, and the `config` in
it may name commands to run. Anybody can commit such files. So the repository is the nearest one by
its entry `.git`, which no commit can have, and git is run from beside that.

Texts of users go to git on standard input, or behind `--end-of-options` or `--`, so that none can
become an option.
"""

import logging
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from reconciler.errors import ConfigError

log = logging.getLogger(__name__)

_SECONDS = 60.0
"""What git may take for what is on this machine."""
_SAFE = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.bareRepository=explicit"),  # since git 2.38; older ones ignore it
    *("-c", "log.showSignature=false"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
    "--literal-pathspecs",
)
"""No hook, no file-system monitor and no gpg is run, and names are names, whatever is in them."""
_COMMAND = re.compile(r"[a-z][a-z-]*")
READING = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.path.join(os.devnull, "none"),  # noqa: PTH118  (an empty file is warned of)
}
"""Ask nobody, take no lock to read, and read what a hash names: not what `refs/replace` puts in its
place, nor the parents that `info/grafts` gives it, which may make HEAD contain what it does not."""
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


class GitError(ConfigError):
    """git ran and failed, which for some questions is a "no"."""


class NoGitError(ConfigError):
    """There is nothing to ask: no repository, no git, or a repository of another user."""


def find_top(directory: Path) -> Path | None:
    """The nearest directory around this one (or itself) that has `.git`; a real path, or None."""
    real = Path(os.path.realpath(directory))
    for place in (real, *real.parents):
        if os.path.lexists(place / ".git"):
            return place
    return None


def run_git(
    directory: Path, *words: str, given: bytes = b"", environ: Mapping[str, str] | None = None
) -> bytes:
    """What git prints in the repository around a directory. Raises as `run_at` does."""
    top = find_top(directory)
    if top is None:
        raise NoGitError("this is no Git repository", where=str(directory), fix="run it in a clone")
    return run_at(top, *words, given=given, environ=environ)


def read_git(directory: Path, *words: str, given: bytes = b"") -> bytes | None:
    """The same; None if there is nothing to ask. A warning tells of it, unless that is usual."""
    if find_top(directory) is None:
        return None
    try:
        return run_git(directory, *words, given=given)
    except NoGitError as error:
        _warn_once(error.where, error.what, error.fix)
        return None


def ask_git(directory: Path, *words: str, given: bytes = b"") -> str | None:
    """The same as stripped text; None if git fails as well."""
    try:
        output = read_git(directory, *words, given=given)
    except GitError:
        return None
    return None if output is None else output.decode(errors="surrogateescape").strip()


def split_rows(output: bytes) -> list[str]:
    """What a command has printed with `-z`: each row ends in a NUL."""
    return output.decode(errors="surrogateescape").split("\0")[:-1]


def run_at(
    place: Path,
    *words: str,
    given: bytes = b"",
    environ: Mapping[str, str] | None = None,
    seconds: float = _SECONDS,
) -> bytes:
    """What git prints in exactly this directory, in English. Nothing else here starts git.

    Raises `NoGitError`, `GitError` with git's words, or `ConfigError` if git does not end in time.
    """
    clean = {name: text for name, text in os.environ.items() if name not in _LOCAL_VARIABLES}
    try:
        ran = subprocess.run(  # noqa: S603  (no shell; user's texts are no options, see above)
            ["git", *_SAFE, *words],  # noqa: S607  (the user's own git)
            cwd=place,
            env={**clean, **READING, "LC_ALL": "C", **(environ or {})},
            input=given,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        what = f"git cannot be run: {error}"
        raise NoGitError(what, where=str(place), fix="install git") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"git {_name(words)} did not end within {seconds:g} s",
            where=str(place),
            fix="run it by hand to see what it waits for: a lock, a network, a slow disk",
        ) from error
    if ran.returncode:
        raise _error(place, _name(words), ran.stderr.decode(errors="replace").strip())
    return ran.stdout


def _name(words: Sequence[str]) -> str:
    """Which command this is: options such as `-c NAME=VALUE` may stand before it."""
    return next(word for word in words if _COMMAND.fullmatch(word))


def _error(place: Path, name: str, said: str) -> ConfigError:
    owner = re.search(r"dubious ownership in repository at '(.*)'", said)
    if owner is not None:
        trust = f"git config --global --add safe.directory {shlex.quote(owner[1])}"
        what = "git does not read this repository, because it belongs to another user"
        return NoGitError(what, where=str(place), fix=f"if you trust it: {trust}")
    if "not a git repository" in said:
        what = "git finds no repository here, although there is `.git`"
        return NoGitError(what, where=str(place), fix="mend it, or remove it: git status says more")
    lines = said.splitlines()
    first = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:]
    what = f"git {name} failed: {first[0] if first else 'it gave no reason'}"
    return GitError(what, where=str(place), fix="git status and git fsck say more about it")


@cache
def _warn_once(where: str, what: str, fix: str) -> None:
    lost = "its commit is not known, and nothing that a repository has written is changed"
    log.warning("%s: %s. So %s; %s", where, what, lost, fix)


@contextmanager
def without_hook() -> Iterator[None]:
    """The same variables for what GitPython does in the block: it looks into this process's own."""
    hidden = {name: os.environ.pop(name) for name in _LOCAL_VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)
