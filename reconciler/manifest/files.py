"""A directory -> the bytes of the manifests in it, in a fixed order. Never leaves the directory."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reconciler.errors import ManifestError, Problem
from reconciler.strict_yaml import MAX_BYTES

SUFFIXES = (".yaml", ".yml")


class ManifestFile(NamedTuple):
    """A file as people know it (a path relative to `reconciler.yaml`, with `/`) and its bytes."""

    name: str
    data: bytes


def read_directory(directory: Path, root: Path) -> tuple[list[ManifestFile], list[Problem]]:
    """Every `*.yaml` and `*.yml` below a directory, sorted by path, and what could not be read.

    Hidden files and directories are left out. Symbolic links are followed as long as they stay in
    the directory; each file is read once. `root` is what names are relative to. Raises
    `ManifestError` if there is no such directory.
    """
    if not directory.is_dir():
        name = _name(directory, root)
        raise ManifestError(
            [Problem(name, 0, 0, "there is no such directory", "create it, or correct `manifests`")]
        )
    walk = _Walk(Path(os.path.realpath(directory)), root)
    walk.visit(directory)
    return sorted(walk.files), walk.problems


class _Walk:
    """A walk over one directory; remembers which real files and directories it has seen."""

    def __init__(self, boundary: Path, root: Path) -> None:
        self.boundary = boundary
        self.root = root
        self.files: list[ManifestFile] = []
        self.problems: list[Problem] = []
        self._seen: set[str] = set()

    def visit(self, directory: Path) -> None:
        """Read a directory: what lies in it first, then what links in it lead to."""
        links: list[Path] = []
        for path in self._entries(directory):
            if path.is_symlink():
                links.append(path)
            elif path.is_dir():
                self.visit(path)
            else:
                self._read(path)
        for path in links:
            self._follow(path)

    def _entries(self, directory: Path) -> Iterator[Path]:
        real = os.path.realpath(directory)
        if real in self._seen:
            return
        self._seen.add(real)
        try:
            names = sorted(os.listdir(directory))  # noqa: PTH208  (names alone: half the cost)
        except OSError as error:
            self._fail(directory, f"it cannot be read: {error.strerror}", "check its permissions")
            return
        for name in names:
            if not name.startswith("."):
                yield directory / name

    def _follow(self, link: Path) -> None:
        is_manifest = link.name.endswith(SUFFIXES)
        try:
            real = link.resolve(strict=True)
        except (OSError, RuntimeError):
            if is_manifest:
                self._fail(link, "this link leads nowhere", "delete it, or correct where it leads")
            return
        if not real.is_relative_to(self.boundary):
            if is_manifest or real.is_dir():
                fix = "copy what it leads to into the directory"
                self._fail(link, "this link leads out of the manifests directory", fix)
        elif real.is_dir():
            self.visit(link)
        else:
            self._read(link)

    def _read(self, path: Path) -> None:
        if not path.name.endswith(SUFFIXES):
            return
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                self._fail(path, "it is not a regular file", "replace it with a file")
                return
            identity = f"{status.st_dev}:{status.st_ino}"
            if identity in self._seen:
                return
            self._seen.add(identity)
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as error:
            self._fail(path, f"it cannot be read: {error.strerror}", "check its permissions")
            return
        self.files.append(ManifestFile(_name(path, self.root), data))

    def _fail(self, path: Path, message: str, fix: str) -> None:
        self.problems.append(Problem(_name(path, self.root), 0, 0, message, fix))


def _name(path: Path, root: Path) -> str:
    """The path relative to the root, printable whatever bytes are in it."""
    try:
        relative = path.relative_to(root)
    except ValueError:
        relative = path
    return os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")
