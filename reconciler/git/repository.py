"""A Git repository, read through GitPython: refs, ancestry, and files as a commit has them.

Nothing is ever written. No text of a user becomes an option: a ref that starts with `-` is refused,
and paths are literal and come after `--`. GitPython costs 0.15 s to import, so that it is entered
here alone, and only by commands that compare with another commit.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from reconciler.errors import ConfigError
from reconciler.git import checkout
from reconciler.git.head import NOT_TRUSTED, is_submodule
from reconciler.git.process import PLAIN_READING, SAFE, find_top, without_hook
from reconciler.git.refs import is_plain_ref, require_one

if TYPE_CHECKING:
    import git

_LINK = "120000"
_SHA1 = 40
"""Digits of a hash, unless a repository was made with `--object-format=sha256`."""


class TreeFile(NamedTuple):
    """One file of a commit: its path from the repository's top, Git mode and blob."""

    path: str
    mode: str
    blob: str


class Repository:
    """The repository around a directory. Methods raise `ConfigError` in words for people."""

    def __init__(self, repo: "git.Repo", top: Path, directory: Path) -> None:
        self._repo = repo
        inside = os.path.relpath(os.path.realpath(directory), top)
        self.top = top
        self.prefix = "" if inside == "." else PurePosixPath(inside).as_posix() + "/"
        """The directory inside of the repository, with a closing slash; empty for its top."""

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

        A name that means several refs is refused: git would take a tag `origin/main`, which anybody
        who may push can make, before the branch.
        """
        found = None
        if is_plain_ref(ref):
            require_one(ref, self.run)
            found = self.ask("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if not found:
            raise ConfigError(
                f"there is no commit {ref!r} in this repository",
                fix=self._deepen(ref) if self.is_shallow else "fetch it first, or correct the name",
            )
        return found

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
        common = self.ask("rev-parse", "--git-common-dir") or ".git"
        shallow = Path(self.top / common / "shallow")
        cut = set(shallow.read_text(encoding="ascii").split()) if shallow.is_file() else set()
        return bool(cut & set(self.run("rev-list", f"{base}..HEAD").decode().split()))

    @staticmethod
    def _deepen(ref: str) -> str:
        branch = ref.removeprefix("origin/") if is_plain_ref(ref) else "REF"
        return (
            f"this is a shallow clone; fetch more of it: git fetch --deepen=100 origin {branch}, "
            "or git fetch --unshallow (actions/checkout: fetch-depth: 0)"
        )

    def files(self, commit: str, paths: Sequence[str]) -> list[TreeFile]:
        """The files of a commit at or below these paths; submodules are left out."""
        output = self.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
        found = []
        for entry in filter(None, output.split(b"\0")):
            head, _, name = entry.partition(b"\t")
            mode, kind, blob = head.decode().split()
            if kind == "blob":
                found.append(TreeFile(os.fsdecode(name), mode, blob))
        return found

    def changed(self, commit: str, paths: Sequence[str]) -> list[str]:
        """The files and submodules, at or below these paths, that HEAD and a commit differ in."""
        words = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", commit, "HEAD")
        found = self.run(*words, "--", *paths)
        return [os.fsdecode(name) for name in found.split(b"\0") if name]

    def read(self, blob: str) -> bytes:
        """The content of a blob."""
        if len(blob) == _SHA1:  # GitPython knows no other, and keeps one process for all of them
            with suppress(ValueError):  # not there: git has the words for it
                return bytes(self._repo.odb.stream(bytes.fromhex(blob)).read())
        return self.run("cat-file", "blob", blob)

    def read_at(self, commit: str, path: str) -> bytes | None:
        """The content of a plain file of a commit; None if there is none."""
        found = [item for item in self.files(commit, [path]) if item.path == path]
        return self.read(found[0].blob) if found and found[0].mode != _LINK else None

    def export(self, commit: str, paths: Sequence[str], target: Path) -> None:
        """Write these files of a commit below a directory, as a checkout does it.

        git itself writes them, with an index of its own: line ends, encodings, `$Id$`, filters and
        modes come out as in a work tree, by the attributes that the commit has.
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
                "GIT_DIR": str(self._repo.git_dir),
                "GIT_WORK_TREE": str(target),
                "GIT_INDEX_FILE": os.path.join(place, "index"),  # noqa: PTH118  (text is wanted)
            }
            words = ("update-index", "-z", "--index-info")
            checkout.git(self.top, *words, given=rows, environ=environ)
            names = b"".join(os.fsencode(item.path) + b"\0" for item in files)
            write = ("checkout-index", "--force", "-z", "--stdin")
            checkout.git(self.top, *write, given=names, environ=environ)

    def _attributes(self, commit: str, files: Sequence[TreeFile]) -> list[TreeFile]:
        """Every `.gitattributes` of a commit that is about one of these files."""
        above = {parent for item in files for parent in PurePosixPath(item.path).parents}
        return self.files(commit, [str(place / ".gitattributes") for place in sorted(above)])

    def run(self, *words: str) -> bytes:
        """What a reading git command prints. Raises `ConfigError` with what it says."""
        import git  # noqa: PLC0415  (heavy)

        try:
            answer: Any = self._repo.git.execute(
                ["git", *SAFE, *words],
                stdout_as_string=False,
                strip_newline_in_stdout=False,
                with_extended_output=False,
            )
        except git.GitCommandError as error:
            if NOT_TRUSTED in str(error.stderr):
                raise ConfigError(
                    "git does not read this repository, because its directory is somebody else's",
                    where=str(self.top),
                    fix=f"if you trust it: git config --global --add safe.directory {self.top}",
                ) from error
            raise ConfigError(
                f"git {words[0]} failed: {_last_line(error.stderr)}", where=str(self.top)
            ) from error
        return bytes(answer)

    def ask(self, *words: str) -> str | None:
        """The one line that a command prints; None if it fails, as such commands do for "no"."""
        try:
            return self.run(*words).decode("utf-8", "replace").strip() or None
        except ConfigError:
            return None


@contextmanager
def open_repository(directory: Path) -> Iterator[Repository]:
    """The repository around a directory, closed with the block. Raises `ConfigError`."""
    with without_hook(), _opened(directory) as repository:
        yield repository


@contextmanager
def _opened(directory: Path) -> Iterator[Repository]:
    import git  # noqa: PLC0415  (heavy)

    top = find_top(directory)
    try:
        repo = None if top is None else git.Repo(top, expand_vars=False)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        repo = None
    if top is None or repo is None:
        raise ConfigError(
            "this is no Git repository", where=str(directory), fix="run it in a clone"
        )
    try:
        repo.git.update_environment(GIT_TERMINAL_PROMPT="0", **PLAIN_READING)
        repository = Repository(repo, top, directory)
        repository.run("rev-parse", "--git-dir")  # says where git trusts the directory's owner not
        yield repository
    finally:
        repo.close()


def _is_safe(path: str) -> bool:
    return not any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/"))


def _last_line(text: object) -> str:
    lines = str(text or "").strip().strip("'").splitlines()
    return lines[-1].strip() if lines else "no reason was given"
