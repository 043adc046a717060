"""A directory -> the sorted entries of its build context. Reads the disk, writes nothing to it.

Only files and links count, by relative POSIX path, and of a file's mode only whether its owner may
execute it: that is what Git keeps, so another checkout, umask or user gives the same context.
Empty directories are no part of it for the same reason, nor is our own `.reconcile` at its top.
What cannot be sent faithfully or safely (links that leave the directory, pipes, devices, sockets)
is refused before an engine is called.
"""

import errno
import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import BuildError
from reconciler.rayfine.image.dockerignore import IGNORE_FILE, MAX_BYTES, IgnoreRules, Verdict
from reconciler.rayfine.image.hashcache import HashCache
from reconciler.support.plain_file import open_plain, os_errors_as

OWN_DIRECTORY = ".reconcile"
"""What the reconciler itself writes beside the manifests, such as the sandbox's database."""

_POINTER = b"version https://git-lfs.github.com/spec/"
_LARGEST_POINTER = 1024
MAX_FILES = 200_000
MAX_PATH = 1024
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or link. `digest` is the hex SHA-256 of its content, or of the link's target."""

    path: str
    mode: str
    """`644` or `755` for a file, `link` for a symbolic link."""
    size: int
    digest: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What is sent of a directory: entries sorted by the bytes of their path.

    `ignore_file` holds the bytes of .dockerignore, which an engine needs even if it leaves itself
    out; then it is no entry.
    """

    root: Path
    entries: tuple[Entry, ...]
    ignore_file: bytes = b""

    def find(self, path: str) -> Entry | None:
        """The entry at a path, if it is part of the context."""
        return next((entry for entry in self.entries if entry.path == path), None)


def read_context(root: Path, cache_directory: Path | None = None) -> Context:
    """Walk a context. Raises `BuildError` for what must not or cannot be sent."""
    if not root.is_dir():
        raise BuildError("this directory does not exist", where=str(root), fix="correct spec.path")
    real = Path(os.path.realpath(root))
    ignore_file = _read_ignore_file(real)
    rules = IgnoreRules(_decoded(real / IGNORE_FILE, ignore_file), str(real / IGNORE_FILE))
    cache = HashCache(cache_directory, real)
    entries = []
    for path, item in _walk(real, rules):
        entries.append(_entry(real, path, item, cache))
        if len(entries) > MAX_FILES:
            raise BuildError(
                f"the build context has more than {MAX_FILES} files",
                where=str(root),
                fix=f"leave files out with a {IGNORE_FILE}",
            )
    cache.save()
    entries.sort(key=lambda entry: entry.path.encode())
    return Context(real, tuple(entries), ignore_file)


def read_regular_file(path: Path, limit: int) -> bytes | None:
    """The bytes of a plain file, None if nothing is there. Raises `BuildError` for all else."""
    with _readable(path):
        try:
            stream = open_plain(path, follow=False)
        except FileNotFoundError:
            return None
        with stream:
            data = stream.read(limit + 1)
    if len(data) > limit:
        raise BuildError(f"larger than {limit // 1024} KiB", where=str(path), fix="make it smaller")
    return data


def follow_link(root: Path, name: str, where: str, fix: str) -> str:
    """The path, relative to `root` (a real path), of the file that a path in it leads to.

    Raises `BuildError` where that is no file, or lies outside.
    """
    try:
        real = os.path.realpath(root / name, strict=True)
    except OSError as error:
        what = "there is no such file"
        if error.errno == errno.ELOOP:
            what = "this link leads to itself"
        elif (root / name).is_symlink():
            what = "this link leads nowhere"
        elif error.errno != errno.ENOENT:
            what = f"cannot be read: {error.strerror or error}"
        raise BuildError(what, where=where, fix=fix) from error
    if not _is_below(real, root):
        raise BuildError(
            "this file is outside of the build context",
            where=where,
            fix="move it into the directory, and name it by a relative path",
        )
    return os.path.relpath(real, root)


def _read_ignore_file(root: Path) -> bytes:
    """The patterns of what is left out; a link to them is followed within the context."""
    path = root / IGNORE_FILE
    if path.is_symlink():
        path = root / follow_link(root, IGNORE_FILE, str(path), "correct the link")
    return read_regular_file(path, MAX_BYTES) or b""


def hash_file(path: Path) -> tuple[os.stat_result, str]:
    """Stat and hex SHA-256 of a plain file that did not change meanwhile."""
    digest = hashlib.sha256()
    with open_plain(path, follow=False) as stream:
        before = os.fstat(stream.fileno())
        while block := stream.read(BLOCK):
            digest.update(block)
        after = os.fstat(stream.fileno())
    if (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    ):
        raise changed_while_read(path)
    return before, digest.hexdigest()


def changed_while_read(path: Path) -> BuildError:
    return BuildError(
        "the file changed while it was being read", where=str(path), fix="run again when it is done"
    )


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        place = f"{path}:{data[: error.start].count(10) + 1}"
        raise BuildError("not UTF-8 text", where=place, fix="save it as UTF-8") from error


def _walk(root: Path, rules: IgnoreRules) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything below `root` that is sent, directories aside, with its relative path."""
    pending: list[tuple[str, str, Verdict | None]] = [(str(root), "", None)]
    while pending:
        directory, prefix, parent = pending.pop()
        with _readable(directory), os.scandir(directory) as found:
            items = list(found)
        for item in items:
            path = prefix + item.name
            verdict = rules.judge(path, parent)
            if item.is_dir(follow_symlinks=False):
                if path == OWN_DIRECTORY:
                    continue
                if not verdict.ignored or rules.may_hold_exceptions(path):
                    pending.append((item.path, f"{path}/", verdict))
            elif not verdict.ignored:
                yield path, item


def _entry(root: Path, path: str, item: os.DirEntry[str], cache: HashCache) -> Entry:
    _check_name(path, item.path)
    with _readable(item.path):
        found = item.stat(follow_symlinks=False)
        if stat.S_ISLNK(found.st_mode):
            return _link(root, path)
        if not stat.S_ISREG(found.st_mode):
            raise BuildError(
                f"{_special(found.st_mode)} cannot be part of an image",
                where=item.path,
                fix=f"remove it, or leave it out with a {IGNORE_FILE}",
            )
        digest = cache.look_up(path, found)
        if digest is None:
            _refuse_pointer(Path(item.path), found)
            found, digest = hash_file(Path(item.path))
            cache.store(path, found, digest)
    mode = "755" if found.st_mode & stat.S_IXUSR else "644"
    return Entry(path, mode, found.st_size, digest)


def _refuse_pointer(path: Path, found: os.stat_result) -> None:
    """Refuse what Git LFS left in place of a file: an image of it would hold no content."""
    if found.st_size > _LARGEST_POINTER:
        return
    with open_plain(path, follow=False) as stream:
        if stream.read(len(_POINTER)) == _POINTER:
            raise BuildError(
                "this is a pointer of Git LFS and not the file itself",
                where=str(path),
                fix=f"git lfs pull, or leave it out with a {IGNORE_FILE}",
            )


def _check_name(path: str, full: str) -> None:
    try:
        length = len(path.encode())
    except UnicodeEncodeError as error:
        raise BuildError(
            "a file name that is not UTF-8", where=repr(full), fix="rename the file"
        ) from error
    if length > MAX_PATH:
        raise BuildError(
            f"a path of more than {MAX_PATH} bytes in the build context",
            where=f"{full[:100]}...",
            fix="use shorter names, or leave it out with a " + IGNORE_FILE,
        )


def _link(root: Path, path: str) -> Entry:
    """A link is kept as a link, if neither its text nor what it leads to is outside."""
    full = root / path
    target = str(full.readlink())
    lexical = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    inside = os.path.realpath(full)
    if (
        target.startswith("/")
        or lexical == ".."
        or lexical.startswith("../")
        or not _is_below(inside, root)
    ):
        within = target.startswith("/") and _is_below(inside, root)
        raise BuildError(
            "the target of this link is absolute, which differs on every machine"
            if within
            else "this link leads out of the build context",
            where=str(full),
            fix=f"copy the file there, link with a relative path, or use a {IGNORE_FILE}",
        )
    _check_name(target, str(full))
    content = target.encode()
    return Entry(path, "link", 0, hashlib.sha256(content).hexdigest(), target)


def _is_below(path: str, root: Path) -> bool:
    """Whether a real path is this directory or in it."""
    return path == str(root) or path.startswith(f"{str(root).rstrip('/')}/")


def _special(mode: int) -> str:
    names = {
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFBLK: "a block device",
        stat.S_IFCHR: "a character device",
    }
    return names.get(stat.S_IFMT(mode), "a special file")


def _readable(path: Path | str) -> AbstractContextManager[None]:
    fix = f"correct its rights, or leave it out with a {IGNORE_FILE}"
    return os_errors_as(BuildError, "cannot be read", path, fix)
