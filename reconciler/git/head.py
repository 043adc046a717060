"""A directory -> the commit that is checked out there, and where it came from. Never writes."""

import logging
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from reconciler.git.process import SAFE, find_top, git_environment

log = logging.getLogger(__name__)
NOT_TRUSTED = "dubious ownership"
"""In what git says of a repository that belongs to another user: see its `safe.directory`."""


def head_commit(directory: Path) -> str | None:
    """The full hash of HEAD of the repository around `directory`; None outside or without one.

    Asks git itself: one short process costs 4 ms, importing GitPython 150 ms, and every plan
    prints the commit in its header.
    """
    return _ask_git(directory, "rev-parse", "--verify", "--quiet", "HEAD")


def is_submodule(top: Path) -> bool:
    """Whether the repository around this one has it as a submodule; True if git cannot say."""
    if find_top(top.parent) is None:
        return False
    ran = _run_git(top.parent, "ls-files", "--stage", "-z", "--", str(top))
    return ran is None or ran.returncode != 0 or ran.stdout.startswith("160000 ")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which commit of which repository something was made from; empty where that is not known."""

    source: str = ""
    commit: str = ""


def read_provenance(directory: Path, *, dirty: bool) -> Provenance:
    """What is checked out around a directory; no commit has what is not committed."""
    return Provenance(origin_url(directory) or "", "" if dirty else head_commit(directory) or "")


def is_dirty(
    directory: Path,
    paths: Sequence[Path],
    complete: Sequence[Path] = (),
    suffixes: tuple[str, ...] = (),
) -> bool:
    """Whether any of these files and directories is not as the commit that is checked out states.

    Links are followed: what lies outside the repository is in none of its commits. A submodule
    counts as a whole. In the `complete` directories, files with one of the suffixes count even if
    Git ignores them. False outside Git.
    """
    paths = [*paths, *complete]
    found = find_top(directory)
    if found is None:
        return False
    top = str(found)
    places = {name for path in paths if os.path.lexists(path) for name in _names(path)}
    if any(os.path.commonpath((place, top)) != top for place in places):
        return True
    modules = {module for place in places if (module := _submodule(place, top))}
    names = sorted({_submodule(place, top) or place for place in places})
    words = ["status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=none", "-z"]
    if names and _differs(directory, *words, "--", *names):
        return True
    listed = ("ls-files", "-z", "--")  # an ignored clone is in no commit
    if any(_ask_git(directory, *listed, module) is None for module in modules):
        return True
    return _has_ignored(complete, suffixes)


def _has_ignored(directories: Sequence[Path], suffixes: tuple[str, ...]) -> bool:
    words = ("ls-files", "--others", "--ignored", "--exclude-standard", "-z")
    places = [os.path.realpath(directory) for directory in directories if directory.is_dir()]
    found = [_run_git(Path(place), *words, "--", place) for place in places]
    names = [name for ran in found if ran for name in ran.stdout.split("\0")]
    return any(ran.returncode for ran in found if ran) or any(
        name.endswith(suffixes) for name in names
    )


def _names(path: Path) -> tuple[str, str]:
    """A link itself, and what it leads to."""
    return os.path.join(os.path.realpath(path.parent), path.name), os.path.realpath(path)  # noqa: PTH118


def _submodule(place: str, top: str) -> str | None:
    """The outermost repository around a place that lies in another; None if it is only in `top`."""
    path = top
    for part in Path(place).relative_to(top).parts:
        path = os.path.join(path, part)  # noqa: PTH118  (strings, as from realpath)
        if os.path.lexists(os.path.join(path, ".git")):  # noqa: PTH118
            return path
    return None


def origin_url(directory: Path) -> str | None:
    """The address of the remote `origin`, without any user name, password or query in it."""
    address = _ask_git(directory, "config", "--get", "remote.origin.url")
    return None if address is None else without_credentials(address)


def without_credentials(address: str) -> str:
    """A URL without user name, password and query; anything else as it is."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


@cache
def _tell_once(directory: Path) -> None:
    log.warning(
        "git does not read the repository in %s, because its directory is somebody else's; so "
        "its commit is not known. If you trust it: git config --global --add safe.directory DIR",
        directory,
    )


def _ask_git(directory: Path, *words: str) -> str | None:
    ran = _run_git(directory, *words)
    return ran.stdout.strip() or None if ran else None


def _differs(directory: Path, *words: str) -> bool:
    """Whether git prints anything, or cannot say: what is not known to be committed is not."""
    ran = _run_git(directory, *words)
    return ran is not None and bool(ran.returncode or ran.stdout)


def _run_git(directory: Path, *words: str) -> subprocess.CompletedProcess[str] | None:
    """What git did; None where there is no git or repository, or it is somebody else's."""
    top = find_top(directory)
    if top is None:
        return None
    command = ["git", *SAFE, *words]
    try:
        ran = subprocess.run(  # noqa: S603  (fixed words; paths come after --)
            command,
            cwd=top,
            env=git_environment(),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=10,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, returncode=-1, stdout="", stderr="")
    except OSError:
        return None  # no git here: what it would tell is left out
    if NOT_TRUSTED in ran.stderr:
        _tell_once(top)
        return None
    return ran
