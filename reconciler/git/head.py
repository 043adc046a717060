"""A directory -> the commit that is checked out there, and what differs from it. Never writes."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from reconciler.core.mark import UNWRITTEN, Written
from reconciler.git.process import GitError, ask_git, find_top, read_git, split_rows


def head_commit(directory: Path) -> str | None:
    """The full hash of HEAD of the repository around `directory`; None outside or without one.

    One short git process takes 4 ms; importing GitPython takes 150 ms, and every plan needs this.
    """
    return ask_git(directory, "rev-parse", "--verify", "--quiet", "HEAD")


def is_submodule(top: Path) -> bool:
    """Whether the repository around this one has it as a submodule; True if git cannot say."""
    if find_top(top.parent) is None:
        return False
    found = ask_git(top.parent, "ls-files", "--stage", "-z", "--", str(top))
    return found is None or found.startswith(f"{_SUBMODULE} ")


@dataclass(frozen=True, slots=True)
class Provenance:
    """The commit and repository that something was made from; empty if unknown.

    `written` is the same as marks have it, and `place` where people find it.
    """

    source: str = ""
    commit: str = ""
    written: Written = UNWRITTEN
    place: str = ""


class State(NamedTuple):
    """What a plan is made of: HEAD's full hash, and how the disk differs from it.

    `gone` are files of the `complete` directories that HEAD has and the disk lacks, and submodules
    of other commits; paths are relative to the top of the repository.
    """

    commit: str = ""
    dirty: bool = False
    gone: tuple[str, ...] = ()


def read_state(
    directory: Path,
    paths: Sequence[Path],
    complete: Sequence[Path] = (),
    suffixes: tuple[str, ...] = (),
    *,
    modes: bool = False,
) -> State:
    """HEAD, and whether any of these files and directories differs from it.

    Links are followed: files outside the repository are in none of its commits. A submodule counts
    as a whole. In the `complete` directories, ignored files with one of the suffixes count. With
    `modes`, so do execute bits that `core.fileMode` hides. Clean outside Git.
    """
    found = find_top(directory)
    if found is None:
        return State()
    top = str(found)
    places = {name for path in (*paths, *complete) for name in _names(path)}
    inside = {place for place in places if os.path.commonpath((place, top)) == top}
    outside = {place for place in places - inside if os.path.lexists(place)}
    names = sorted({submodule_of(place, top) or place for place in inside})
    if not names:
        return State(head_commit(directory) or "", dirty=bool(outside))
    try:
        output = read_git(directory, *(_MODES if modes else ()), *_STATUS, "--", *names)
    except GitError:  # what is not known to be committed is not
        return State(head_commit(directory) or "", dirty=True)
    if output is None:
        return State()
    rows = split_rows(output)
    heads = [row.removeprefix("# branch.oid ") for row in rows if row.startswith("# branch.oid ")]
    changed = [row for row in rows if not row.startswith("# ")]
    gone = tuple(path for row in changed for path in _gone(row, top, complete, suffixes))
    commit = heads[0] if heads and heads[0] != "(initial)" else ""
    dirty = bool(outside or changed) or _has_unknown(directory, inside, top)
    return State(commit, dirty or _has_ignored(complete, suffixes), gone)


_STATUS = (
    *("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--no-renames", "-z"),
    *("--untracked-files=normal", "--ignore-submodules=none"),
)


_SUBMODULE = "160000"
_MODES = ("-c", "core.fileMode=true")


def _gone(row: str, top: str, complete: Sequence[Path], suffixes: tuple[str, ...]) -> Iterator[str]:
    """What HEAD has of these directories and the disk lacks, by one row of the status.

    `1 XY SUB MODE_HEAD MODE_INDEX MODE_DISK BLOB_HEAD BLOB_INDEX PATH`, and in an unfinished merge
    `u XY SUB MODE_BASE MODE_HEAD MODE_OTHER MODE_DISK BLOB BLOB BLOB PATH`.
    """
    mode, last = {"1": (3, 8), "u": (4, 10)}.get(row[:1], (0, 0))
    words = row.split(" ", last)
    if not last or not words[mode].strip("0"):
        return
    path = words[last]
    place = os.path.join(top, path)  # noqa: PTH118  (strings, as from git)
    places = map(os.path.realpath, complete)
    within = [max(place, item, key=len) for item in places if _overlap(place, item)]
    if words[mode] == _SUBMODULE and within:
        if words[1][0] != "." or "C" in words[2]:
            yield path
        elif find_top(Path(place)) == Path(place):
            inner = read_state(Path(place), [], [Path(item) for item in within], suffixes)
            yield from (f"{path}/{name}" for name in inner.gone)
    elif within and path.endswith(suffixes) and not os.path.isfile(place):  # noqa: PTH113
        yield path


def _overlap(one: str, other: str) -> bool:
    return os.path.commonpath((one, other)) in (one, other)


def _has_unknown(directory: Path, places: Collection[str], top: str) -> bool:
    """Whether one of these places lies in a clone that is no submodule: it is in no commit."""
    modules = {module for place in places if (module := submodule_of(place, top))}
    return any(not ask_git(directory, "ls-files", "-z", "--", module) for module in modules)


def _has_ignored(directories: Sequence[Path], suffixes: tuple[str, ...]) -> bool:
    words = ("ls-files", "--others", "--ignored", "--exclude-standard", "-z")
    places = [os.path.realpath(directory) for directory in directories if directory.is_dir()]
    found = [ask_git(Path(place), *words, "--", place) for place in places]
    return any(
        text is None or any(name.endswith(suffixes) for name in text.split("\0")) for text in found
    )


def _names(path: Path) -> tuple[str, str]:
    """A link itself, and what it leads to."""
    return os.path.join(os.path.realpath(path.parent), path.name), os.path.realpath(path)  # noqa: PTH118


def submodule_of(place: str, top: str) -> str | None:
    """The outermost repository around a place that lies in another; None if it is only in `top`."""
    path = top
    for part in Path(place).relative_to(top).parts:
        path = os.path.join(path, part)  # noqa: PTH118  (strings, as from realpath)
        if os.path.lexists(os.path.join(path, ".git")):  # noqa: PTH118
            return path
    return None


def origin_url(directory: Path) -> str | None:
    """The address of the remote `origin`, without any user name, password or query in it."""
    address = ask_git(directory, "remote", "get-url", "origin")
    return None if address is None else without_credentials(address)


def without_credentials(address: str) -> str:
    """A URL without user name, password and query; anything else as it is."""
    if "://" not in address:
        return address
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
