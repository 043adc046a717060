"""Files that somebody names -> their bytes: of plain files alone, and only so many."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reconciler.errors import ReconcileError


def open_plain(path: Path, *, follow: bool = True) -> BinaryIO:
    """Open a plain file; nothing is waited for. Raises `OSError`, in words, for all else.

    Without `follow` a link is none.
    """
    link = 0 if follow else os.O_NOFOLLOW
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | link)
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a directory", str(path))
    raise OSError(errno.EINVAL, "it is a pipe or a device, and no file", str(path))


def read_plain(path: Path, limit: int, *, follow: bool = True) -> bytes:
    """The content of a plain file. Raises what `open_plain` raises, and for more bytes."""
    with open_plain(path, follow=follow) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
    return data


@contextmanager
def os_errors_as(
    kind: type[ReconcileError], what: str, path: Path | str, fix: str
) -> Iterator[None]:
    """Turn an `OSError` of the block into an error of ours, with the system's reason."""
    try:
        yield
    except OSError as error:
        raise kind(f"{what}: {error.strerror or error}", where=str(path), fix=fix) from error
