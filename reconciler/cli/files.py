"""Writes a result to a file: whole or not at all, and never by replacing what is no plain file."""

import os
import stat
import tempfile
from pathlib import Path

from reconciler.errors import ReconcileError
from reconciler.support.plain_file import os_errors_as

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
