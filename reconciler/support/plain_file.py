"""Files that somebody names: read with a limit, added to, or written as a whole."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from reconciler.errors import ReconcileError


def open_plain(path: Path | str, *, follow: bool = True) -> BinaryIO:
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


def read_plain(path: Path | str, limit: int, *, follow: bool = True) -> bytes:
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


def append(path: Path, text: str) -> None:
    """Add to what a step has written so far, on a line of its own. Raises `OSError`.

    Earlier text may end in the middle of a line: `printf name=value > $GITHUB_OUTPUT`.
    """
    with path.open("ab") as stream:
        written = path.stat()
        if text and stat.S_ISREG(written.st_mode) and written.st_size:
            with path.open("rb") as before:
                before.seek(-1, os.SEEK_END)
                text = text if before.read() == b"\n" else f"\n{text}"
        stream.write(text.encode())


def stated_directory() -> Path:
    """The current directory as it was gone to: through links, if there are any."""
    said = Path(os.environ.get("PWD", ""))
    return said if said.is_absolute() and is_here(said) else Path.cwd()


def is_here(directory: Path) -> bool:
    """Whether this is the directory of the process."""
    return directory.is_dir() and directory.samefile(os.curdir)


CHECK_PATH = "check the path, the free space and your rights there"
PRIVATE = 0o600
"""For plans, whatever the umask: nobody else reads them."""


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Put the text in place of a file's content in one step.

    A link is followed; a pipe or a device is written to as it is. An existing file keeps its mode;
    a new one gets `mode`, or what the umask leaves. Raises `ReconcileError` where that fails.
    """
    with os_errors_as(ReconcileError, "cannot write the file", path, CHECK_PATH):
        _write(path, text, mode)


def _write(path: Path, text: str, mode: int | None) -> None:
    found = path.stat() if path.exists() else None
    if found is not None and not stat.S_ISREG(found.st_mode):
        with path.open("w", encoding="utf-8") as stream:
            stream.write(text)
        return
    import tempfile  # noqa: PLC0415  (12 modules that --help does not need)

    path = Path(os.path.realpath(path))  # a pipe of /dev/stdout has no real path
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        temporary.chmod(stat.S_IMODE(found.st_mode) if found else mode or 0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The umask of the process; there is no way to ask without setting it."""
    found = os.umask(0o077)
    os.umask(found)
    return found
