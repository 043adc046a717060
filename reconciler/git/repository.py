"""A directory -> the repository around it: its commits by name, and files as a commit has them.

No text of a user becomes an option: a ref that starts with `-` is refused, and paths are literal
and come after `--`. Only `run` can write, and only `reconciler.git.branch` lets it.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from reconciler.errors import ConfigError
from reconciler.git.head import is_submodule
from reconciler.git.process import READING, ask_git, find_top, run_git, split_rows, without_hook

_SHA1 = 40
"""Digits of a hash, unless a repository was made with `--object-format=sha256`."""
_SORTS = {"040000": "directory", "120000": "symbolic link", "160000": "submodule"}
_PLACES = ("refs/", "refs/tags/", "refs/heads/", "refs/remotes/")
"""Where git looks for a name, in this order. It takes the first of several refs that one name may
mean, a tag before a branch, and says so on standard error alone."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED = re.compile(r"[0-9a-f]{4,63}")
_ODD = re.compile(r"[\s\x00-\x1f\x7f~^:?*\[\\]")
_SUFFIX = re.compile(r"[~^][0-9~^]*$")


class TreeEntry(NamedTuple):
    """What a commit has at a path, which is relative to the repository's top."""

    path: str
    mode: str
    blob: str

    @property
    def sort(self) -> str:
        """A file, a directory, a symbolic link or a submodule."""
        return _SORTS.get(self.mode, "file")


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository around a directory. Methods raise `ConfigError` in words for people.

    `prefix` is the directory inside of it, with a closing slash; empty for its top.
    """

    top: Path
    prefix: str

    def run(
        self, *words: str, given: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> bytes:
        return run_git(self.top, *words, given=given, environ=environ)

    def ask(self, *words: str) -> str | None:
        """The one line that a command prints; None if it fails, as such commands do for "no"."""
        return ask_git(self.top, *words)

    def require_outermost(self) -> None:
        """Refuse a submodule: which repository that is, a branch of the outer one decides."""
        if is_submodule(self.top):
            raise ConfigError(
                "this is a submodule: which repository it is, the branch of the outer one decides",
                where=str(self.top),
                fix="run it in a clone of that repository itself, or without --config-from",
            )

    def commit(self, ref: str) -> str:
        """The full hash of the commit that a ref, tag or hash means.

        A name of several refs is refused: git would prefer a tag `origin/main`, which anybody who
        may push can make, to the branch.
        """
        found = None
        if is_plain_ref(ref):
            self._require_one(ref)
            found = self.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if not found:
            raise ConfigError(
                f"there is no commit {ref!r} in this repository",
                where=str(self.top),
                fix=self._deepen(ref) if self.is_shallow else "fetch it first, or correct the name",
            )
        return found

    def _require_one(self, ref: str) -> None:
        """Refuse a name that may be several refs, or a ref and a hash."""
        name = _SUFFIX.sub("", ref)
        if name.startswith("refs/") or _HASH.fullmatch(name):
            return
        places = [f"{place}{name}" for place in _PLACES] + [f"refs/remotes/{name}/HEAD"]
        listed = self.run("for-each-ref", "--format=%(refname)", *places).decode(errors="replace")
        found = [place for place in places if place in listed.splitlines()]
        if len(found) > 1 or (found and _ABBREVIATED.fullmatch(name)):
            others = found if len(found) > 1 else [*found, "a hash"]
            raise ConfigError(
                f"{ref!r} may be {' or '.join(others)}",
                fix=f"write which one, such as {found[-1]}, or a full hash",
            )

    def current_branch(self) -> str:
        """The name of the branch that is checked out; empty if none is."""
        return self.ask("symbolic-ref", "--quiet", "--short", "HEAD") or ""

    def merge_base(self, ref: str) -> str:
        """The commit from which HEAD and a ref went different ways."""
        other = self.commit(ref)
        base = self.ask("merge-base", other, "HEAD")
        if base and not (self.is_shallow and self._cut_off(base)):
            return base
        if self.is_shallow:
            raise ConfigError(
                f"this is a shallow clone: the commits since {ref} are not all in it",
                fix=self._deepen(ref),
            )
        raise ConfigError(
            f"HEAD and {ref} have no commit in common", fix="compare with a ref of this history"
        )

    @property
    def is_shallow(self) -> bool:
        """Whether older commits were left out when this was cloned."""
        return self.ask("rev-parse", "--is-shallow-repository") == "true"

    def _cut_off(self, base: str) -> bool:
        """Whether the history between the base and HEAD ends where the clone was cut off."""
        shallow = self.top / os.fsdecode(self.run("rev-parse", "--git-path", "shallow")).strip()
        cut = set(shallow.read_text(encoding="ascii").split())
        return bool(cut & set(self.run("rev-list", f"{base}..HEAD").decode().split()))

    @staticmethod
    def _deepen(ref: str) -> str:
        branch = ref.removeprefix("origin/") if is_plain_ref(ref) else "REF"
        return (
            f"this is a shallow clone; fetch more of it: git fetch --deepen=100 origin {branch}, "
            "or git fetch --unshallow (actions/checkout: fetch-depth: 0)"
        )

    def entries(self, commit: str, paths: Sequence[str], *options: str) -> list[TreeEntry]:
        """What `git ls-tree` with these options lists of a commit or tree."""
        words = ("ls-tree", *options, "-z", "--full-tree", commit, "--", *paths)
        found = []
        for row in split_rows(self.run(*words)):
            head, _, path = row.partition("\t")
            mode, _, blob = head.split(" ")
            found.append(TreeEntry(path, mode, blob))
        return found

    def tree(self, commit: str, directory: str) -> list[TreeEntry]:
        """Everything below a directory (relative to the repository's top) of a commit or tree.

        The directory and those above it come first, as far as they exist: any of them may be a
        link. Directories below it are entries, too.
        """
        parts = directory.split("/")
        found = []
        for count in range(1, len(parts) + 1):
            found += self.entries(commit, ["/".join(parts[:count])])
        found += self.entries(commit, [f"{directory}/"], "-r", "-t")
        return list({item.path: item for item in found}.values())

    def files(self, commit: str, paths: Sequence[str]) -> list[TreeEntry]:
        """The files and links of a commit at or below these paths; submodules are left out."""
        found = self.entries(commit, paths, "-r")
        return [item for item in found if item.sort != "submodule"]

    def changed(self, commit: str, paths: Sequence[str]) -> list[str]:
        """The files and submodules, at or below these paths, that HEAD and a commit differ in."""
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", commit, "HEAD")
        return split_rows(self.run(*words, "--", *paths))

    def read_at(self, commit: str, path: str) -> bytes | None:
        """The content of a plain file of a commit; None if there is none."""
        found = [item for item in self.files(commit, [path]) if item.path == path]
        is_file = found and found[0].sort == "file"
        return self.run("cat-file", "blob", found[0].blob) if is_file else None

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], bytes]]:
        """A function that reads blobs by their hashes, thousands of them in one process.

        GitPython keeps that process, and takes 0.15 s to import. It has no time limit, but reads
        this disk alone; what a partial clone has to fetch is asked for in the usual way.
        """
        with without_hook():  # the import, too, runs git
            import git  # noqa: PLC0415  (heavy)

        batch = git.Git(self.top)
        batch.update_environment(**READING, GIT_NO_LAZY_FETCH="1")  # since git 2.39.4

        def read(blob: str) -> bytes:
            if len(blob) == _SHA1:  # GitPython knows no other
                try:
                    return bytes(batch.get_object_data(blob)[3])
                except (ValueError, OSError):  # not here: git fetches it, or has the words for it
                    batch.clear_cache()
            return self.run("cat-file", "blob", blob)

        with without_hook():
            try:
                yield read
            finally:
                batch.clear_cache()

    def export(self, commit: str, paths: Sequence[str], target: Path) -> None:
        """Write these files of a commit below a directory, as a checkout does.

        git itself writes them, with an index of its own: line ends, encodings, `$Id$`, filters and
        modes follow the commit's attributes.
        """
        files = [item for item in self.files(commit, paths) if _is_safe(item.path)]
        attributes = [item for item in self._attributes(commit, files) if _is_safe(item.path)]
        if not files:
            return
        target.mkdir(parents=True, exist_ok=True)
        rows = b"".join(
            f"{item.mode} {item.blob}\t".encode() + os.fsencode(item.path) + b"\0"
            for item in {item.path: item for item in (*files, *attributes)}.values()
        )
        with tempfile.TemporaryDirectory(prefix="reconcile-index-") as place:
            environ = {
                "GIT_DIR": os.fsdecode(self.run("rev-parse", "--absolute-git-dir")).strip("\n"),
                "GIT_WORK_TREE": str(target),
                "GIT_INDEX_FILE": os.path.join(place, "index"),  # noqa: PTH118  (text is wanted)
            }
            self.run("update-index", "-z", "--index-info", given=rows, environ=environ)
            names = b"".join(os.fsencode(item.path) + b"\0" for item in files)
            self.run("checkout-index", "--force", "-z", "--stdin", given=names, environ=environ)

    def _attributes(self, commit: str, files: Sequence[TreeEntry]) -> list[TreeEntry]:
        """Every `.gitattributes` of a commit that is about one of these files."""
        above = {parent for item in files for parent in PurePosixPath(item.path).parents}
        return self.files(commit, [str(place / ".gitattributes") for place in sorted(above)])


def open_repository(directory: Path, *, fix: str = "run it in a clone") -> Repository:
    """The repository around a directory.

    Raises `ConfigError` if there is none, with this way out; also if git cannot read it, or it
    belongs to another user.
    """
    top = find_top(directory)
    if top is None:
        raise ConfigError("this is no Git repository", where=str(directory), fix=fix)
    run_git(top, "rev-parse", "--git-dir")
    inside = PurePosixPath(os.path.relpath(os.path.realpath(directory), top)).as_posix()
    return Repository(top, "" if inside == "." else f"{inside}/")


def is_plain_ref(text: str) -> bool:
    """Whether a text can be a ref, a hash or one of their ancestors, and no option or range."""
    name = _SUFFIX.sub("", text)
    return bool(name) and not name.startswith("-") and ".." not in name and not _ODD.search(name)


def _is_safe(path: str) -> bool:
    return not any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/"))
