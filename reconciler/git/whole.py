"""What the index has and the disk has not, or what git was told not to look at. Never writes.

A sparse checkout leaves files out, `git update-index` hides them from `git status`, and a submodule
may be empty. Of two files whose names differ in case only, the file systems of macOS and Windows
keep one, which has both names. To a plan, a manifest that was left out looks like a removed one.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import ConfigError
from reconciler.git.process import find_top, read_git, split_rows

_SUBMODULE = "160000"


class _Entry(NamedTuple):
    """One file of the index. `hidden`: git does not look at it on the disk.

    `twin`: another name differs from this one in case only.
    """

    path: str
    submodule: bool
    hidden: bool
    twin: bool


def require_whole(directory: Path, places: Sequence[Path]) -> None:
    """Refuse a checkout that leaves out any of these files and directories.

    Raises `ConfigError` that names a file and how to bring it back.
    """
    for top, entry in _unseen(directory, places):
        path = os.path.join(top, entry.path)  # noqa: PTH118  (strings, as from git)
        if entry.submodule:
            raise ConfigError(
                f"the submodule {entry.path} is empty here, and what is in it belongs to the plan",
                where=top,
                fix=f"git submodule update --init -- {entry.path}",
            )
        if entry.hidden and not os.path.lexists(path):
            raise ConfigError(
                f"HEAD has {entry.path} and this checkout leaves it out, so that it would look "
                "like a file that was removed",
                where=top,
                fix="git sparse-checkout disable, or git sparse-checkout add "
                f"{os.path.dirname(entry.path) or entry.path}; if it is not sparse: "  # noqa: PTH120
                f"git update-index --no-skip-worktree --no-assume-unchanged {entry.path} && "
                f"git checkout HEAD -- {entry.path}",
            )
        if entry.twin and not _is_listed(top, entry.path):
            raise ConfigError(
                f"HEAD has {entry.path} and a file whose name differs from that in case only. Only "
                "one is here, so that the other would look like a file that was removed",
                where=top,
                fix="rename one of them in Git, if the file system takes both for one; if it was "
                f"removed on purpose: git rm --cached {entry.path}",
            )


def _is_listed(top: str, path: str) -> bool:
    """Whether a file with exactly this name exists: finding it by the name says nothing of case."""
    place = Path(top)
    for name in path.split("/"):
        if not place.is_dir() or all(name != each.name for each in place.iterdir()):
            return False
        place /= name
    return True


def has_hidden(directory: Path, places: Sequence[Path]) -> bool:
    """Whether git was told not to look at any of these: what they hold may be in no commit."""
    return any(entry.hidden for _, entry in _unseen(directory, places))


def _unseen(directory: Path, places: Sequence[Path]) -> Iterator[tuple[str, _Entry]]:
    """Hidden entries, twins and empty submodules, each with the top of its repository."""
    if not places or find_top(directory) is None:
        return
    pending = [os.path.realpath(place) for place in places]
    while pending:
        tops = {place: find_top(_nearest(place)) for place in pending}
        pending = []
        for top in {str(found) for found in tops.values() if found is not None}:
            names = sorted(place for place, found in tops.items() if str(found) == top)
            for entry in _entries(top, tuple(names), _stamp(Path(top))):
                path = os.path.join(top, entry.path)  # noqa: PTH118
                if entry.submodule and os.path.lexists(os.path.join(path, ".git")):  # noqa: PTH118
                    pending.append(path)
                else:
                    yield top, entry


def _nearest(place: str) -> Path:
    """The place itself, or the nearest directory above it that is there."""
    path = Path(place)
    while not os.path.lexists(path):
        path = path.parent
    return path


@lru_cache(maxsize=32)
def _entries(top: str, names: tuple[str, ...], stamp: object) -> tuple[_Entry, ...]:  # noqa: ARG001
    """What needs a look, of these places. The stamp makes the answer that of the index now."""
    output = read_git(Path(top), "ls-files", "-v", "-z", "--stage", "--", *names)
    rows = [row.partition("\t") for row in split_rows(output or b"")]
    folded = {path: _folded(path) for _, _, path in rows}  # in a merge, a path has several rows
    counts = Counter(folded.values())
    found = []
    for head, _, path in rows:
        tag, mode = head.split(" ")[:2]
        hidden, twin = tag == "S" or tag.islower(), counts[folded[path]] > 1
        if mode == _SUBMODULE or hidden or twin:
            found.append(_Entry(path, mode == _SUBMODULE, hidden, twin))
    return tuple(found)


def _folded(path: str) -> str:
    """What file systems that know no case take for the same name."""
    return unicodedata.normalize("NFC", path.casefold())


def _stamp(top: Path) -> object:
    """What changes with the index, wherever that lies."""
    git = top / ".git"
    try:
        if git.is_file():
            git = top / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        found = (git / "index").stat()
    except (OSError, UnicodeDecodeError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
