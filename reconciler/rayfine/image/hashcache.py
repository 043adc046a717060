"""What a file contained when it last looked like this: (path, stat) -> SHA-256, kept on disk.

An entry counts only while size, times, inode and device of the file are unchanged, and is stored
only if the file had been left alone for a while when it was read: a write within the resolution of
the clock leaves no trace in these (Git calls such entries racy). The cache lies in the user's own
cache directory, never in the repository, where a commit could plant it. Losing it costs time only.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

RACY_NANOSECONDS = 2_000_000_000
"""The coarsest resolution of file times in use (FAT: 2 s)."""

_VERSION = 1


def user_cache() -> Path | None:
    """`$XDG_CACHE_HOME/reconciler`, by default `~/.cache/reconciler`; None for a user without home.

    A container's user may have neither an entry in passwd nor HOME. What is relative counts as
    unset (XDG Base Directory Specification).
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not base.startswith("/"):
        base = os.path.expanduser("~/.cache")  # noqa: PTH111  (which does not raise)
    return Path(base, "reconciler") if base.startswith("/") else None


class HashCache:
    """The cache of one build context. Not for use by several threads at once."""

    def __init__(
        self,
        directory: Path | None,
        root: Path,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Open the cache for the context at `root`; with `directory` None nothing is kept."""
        self._clock = clock
        self._file: Path | None = None
        self._known: dict[str, list[int | str]] = {}
        self._seen: dict[str, list[int | str]] = {}
        if directory is not None:
            name = hashlib.sha256(os.fsencode(root)).hexdigest()[:32]
            self._file = directory / "context" / f"{name}.json"
            self._known = _load(self._file)

    def look_up(self, path: str, stat: os.stat_result) -> str | None:
        """The digest (hex) of a file that looks like this, if it is known."""
        entry = self._known.get(path)
        if entry is None or entry[:-1] != _fingerprint(stat):
            return None
        self._seen[path] = entry
        return str(entry[-1])

    def store(self, path: str, stat: os.stat_result, digest: str) -> None:
        """Remember a digest. `stat` was taken before the file was read and held afterwards."""
        newest = max(stat.st_mtime_ns, stat.st_ctime_ns)
        if newest < self._clock() - RACY_NANOSECONDS:
            self._seen[path] = [*_fingerprint(stat), digest]

    def save(self) -> None:
        """Write what was looked up or stored since opening; a failure to write is no error."""
        if self._file is None or self._seen == self._known:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "w", encoding="ascii") as stream:
                    stream.write(json.dumps([_VERSION, self._seen], separators=(",", ":")))
                Path(temporary).replace(self._file)
            except OSError:
                Path(temporary).unlink(missing_ok=True)


def _fingerprint(stat: os.stat_result) -> list[int | str]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]


def _load(file: Path) -> dict[str, list[int | str]]:
    try:
        version, entries = json.loads(file.read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
    if version != _VERSION or not isinstance(entries, dict):
        return {}
    return {
        path: entry
        for path, entry in entries.items()
        if isinstance(entry, list) and len(entry) == 6 and isinstance(entry[-1], str)
    }
