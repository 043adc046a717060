"""Files that somebody names: read with a limit, added to, or written as a whole."""

import errno
import os
import stat
from pathlib import Path

from reconciler.errors import ReconcileError


def read_plain(path: Path | str, limit: int) -> bytes:
    """The content of a plain file. Raises `OSError`, in words, for others and for more bytes.

    Never reads from a pipe or a device, and never waits.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a directory", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, and no file", str(path))
        with os.fdopen(handle, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(path))
    return data


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


PRIVATE = 0o600
"""For plans, whatever the umask: nobody else reads them."""


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Put the text in place of a file's content in one step.

    A link is followed; a pipe or a device is written to as it is. An existing file keeps its mode;
    a new one gets `mode`, or what the umask leaves. Raises `ReconcileError` where that fails.
    """
    try:
        _write(path, text, mode)
    except OSError as error:
        raise ReconcileError(
            f"cannot write the file: {error.strerror or error}",
            where=str(path),
            fix="check the path, the free space and your rights there",
        ) from error


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
