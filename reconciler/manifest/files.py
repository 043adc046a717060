"""A directory -> the bytes of the manifests in it, in a fixed order. Never leaves the directory."""

import errno
import os
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import ManifestError, Problem
from reconciler.strict_yaml import MAX_BYTES
from reconciler.support.plain_file import read_plain

SUFFIXES = (".yaml", ".yml")
_FIXES = {errno.EFBIG: "split it into several files", errno.EINVAL: "replace it with a file"}


class ManifestFile(NamedTuple):
    """A file as people know it (a path relative to `reconciler.yaml`, with `/`) and its bytes."""

    name: str
    data: bytes


class ReadFiles(NamedTuple):
    """What was found below a directory, and what could not be read there."""

    files: list[ManifestFile]
    problems: list[Problem]


NO_FILES = ReadFiles([], [])


def read_directory(directory: Path, root: Path) -> ReadFiles:
    """Every `*.yaml` and `*.yml` below a directory, sorted by path, and what could not be read.

    Hidden files and directories are left out. Symbolic links are followed within the directory; the
    target of several links is read once. Names are relative to `root`. Raises `ManifestError` if
    there is no such directory.
    """
    shown = directory.relative_to(root) if directory.is_relative_to(root) else directory
    name = shown.as_posix()
    if not directory.is_dir():
        fix = "create it, or correct `manifests` in reconciler.yaml"
        raise ManifestError([Problem(_printable(name), 0, 0, "there is no such directory", fix)])
    real = os.path.realpath(directory)
    walk = _Walk(real)
    walk.visit(real, "" if name == "." else name + "/")
    while walk.links:
        walk.follow(*walk.links.pop(0))
    return ReadFiles(sorted(walk.files), walk.problems)


class _Walk:
    """A walk over one directory (a real path); paths are plain strings, for speed.

    `links` holds (path, name) of symbolic links, which come after everything else.
    """

    def __init__(self, boundary: str) -> None:
        self.boundary = boundary
        self.files: list[ManifestFile] = []
        self.problems: list[Problem] = []
        self.links: list[tuple[str, str]] = []
        self._seen: set[str] = set()

    def visit(self, directory: str, name: str) -> None:
        """Read what lies in a directory; `name` is how it is shown, with a closing slash."""
        if directory in self._seen:
            return
        self._seen.add(directory)
        try:
            with os.scandir(directory) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            self._fail(name, f"it cannot be read: {error.strerror}", "check its permissions")
            return
        for entry in found:
            if entry.is_symlink():
                self.links.append((entry.path, name + entry.name))
            elif entry.is_dir(follow_symlinks=False):
                self.visit(entry.path, f"{name}{entry.name}/")
            elif entry.name.endswith(SUFFIXES):
                self._read(entry.path, name + entry.name)

    def follow(self, link: str, name: str) -> None:
        """Read what a symbolic link leads to, if that lies in the directory."""
        is_manifest = name.endswith(SUFFIXES)
        real = os.path.realpath(link)
        is_directory = Path(real).is_dir()
        if not is_manifest and not is_directory:
            return
        if not Path(real).exists():
            fix = "delete it, or correct where it leads"
            self._fail(name, "this link leads nowhere", fix)
        elif os.path.commonpath((real, self.boundary)) != self.boundary:
            fix = "copy what it leads to into the directory"
            self._fail(name, "this link leads out of the manifests directory", fix)
        elif is_directory:
            self.visit(real, name + "/")
        elif real not in self._seen:
            self._read(real, name)

    def _read(self, path: str, name: str) -> None:
        self._seen.add(path)
        try:
            data = read_plain(path, MAX_BYTES)
        except OSError as error:
            fix = _FIXES.get(error.errno or 0, "check its permissions")
            self._fail(name, f"it cannot be read: {error.strerror}", fix)
        else:
            self.files.append(ManifestFile(_printable(name), data))

    def _fail(self, name: str, message: str, fix: str) -> None:
        self.problems.append(Problem(_printable(name), 0, 0, message, fix, rule="unreadable"))


def _printable(name: str) -> str:
    """The name, whatever bytes are in it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
