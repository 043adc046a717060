"""A context -> the bytes of a normalised tar: sorted, fixed times and owners, streamed.

Every file is hashed again on its way out and compared with the entry, so that what is built is
what was planned. The archive is never whole in memory.
"""

import hashlib
import posixpath
import tarfile
from collections.abc import Iterator

from reconciler.errors import BuildError
from reconciler.rayfine.image.context import BLOCK, Context, Entry, changed_while_read, open_regular

FIXED_TIME = 315_619_200
"""1980-01-02 UTC: the zip format, and so building a wheel, knows no time before 1980."""


def stream_tar(context: Context, extra: dict[str, bytes]) -> Iterator[bytes]:
    """The archive of a context; `extra` adds files, or replaces the bytes of those in it."""
    known = {entry.path: entry for entry in context.entries}
    sent: set[str] = set()
    for path in sorted({*known, *extra}, key=str.encode):
        for directory in _new_parents(path, sent):
            yield _header(directory, tarfile.DIRTYPE, 0o755)
        if path in extra:
            data = extra[path]
            yield _header(path, tarfile.REGTYPE, 0o644, len(data))
            yield data + _padding(len(data))
        elif known[path].mode == "link":
            yield _header(path, tarfile.SYMTYPE, 0o777, target=known[path].target)
        else:
            yield from _file(context, known[path])
    yield bytes(2 * tarfile.BLOCKSIZE)


def _new_parents(path: str, sent: set[str]) -> Iterator[str]:
    missing = []
    directory = posixpath.dirname(path)
    while directory and directory not in sent:
        missing.append(directory)
        sent.add(directory)
        directory = posixpath.dirname(directory)
    yield from reversed(missing)


def _file(context: Context, entry: Entry) -> Iterator[bytes]:
    full = context.root / entry.path
    yield _header(entry.path, tarfile.REGTYPE, int(entry.mode, 8), entry.size)
    digest = hashlib.sha256()
    left = entry.size
    try:
        with open_regular(full) as stream:
            while left and (block := stream.read(min(BLOCK, left))):
                digest.update(block)
                left -= len(block)
                yield block
            longer = bool(stream.read(1))
    except OSError as error:
        raise BuildError(
            f"cannot be read: {error.strerror or error}",
            where=str(full),
            fix="run again once the file is there",
        ) from error
    if left or longer or digest.hexdigest() != entry.digest:
        raise changed_while_read(full)
    yield _padding(entry.size)


def _header(name: str, kind: bytes, mode: int, size: int = 0, target: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, size, target
    info.mtime = FIXED_TIME
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
