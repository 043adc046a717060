"""Files of a commit, and a new branch with one commit on top: by Git's own objects alone.

Neither the work tree, nor the index, nor any existing branch is touched: blobs are written, a tree
is made from an index of its own in a temporary directory, and a branch is created, never moved.
Paths and contents go to git on standard input, so that no text of a user can become an option.
"""

import os
import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ConfigError
from reconciler.git.command import Answer, ask_git, run_git

LINK = "120000"
SUBMODULE = "160000"
DIRECTORY = "040000"
_REGULAR = frozenset({"100644", "100755"})
_ABSENT = "000000"
_OTHER_OWNER = re.compile(r"detected dubious ownership in repository at '(?P<place>.+)'")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A repository, and where a directory lies in it: `prefix` is empty or ends in a slash."""

    directory: Path
    prefix: str


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """Anything that a tree holds; `path` is relative to the repository's root, `mode` is Git's."""

    path: str
    mode: str
    blob: str

    @property
    def sort(self) -> str:
        """What it is, in words."""
        sorts = {LINK: "a symbolic link", SUBMODULE: "a submodule", DIRECTORY: "a directory"}
        return sorts.get(self.mode, "a file")


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A regular file of a commit; `path` is relative to the repository's root."""

    path: str
    mode: str
    data: bytes


@dataclass(frozen=True, slots=True)
class NewCommit:
    """What to commit: `files` maps paths to contents, None removes one. `author`: `NAME <MAIL>`."""

    base: str
    files: Mapping[str, bytes | None]
    message: str
    author: str | None = None


def open_checkout(directory: Path) -> Checkout:
    """The repository around a directory. Raises `ConfigError` if there is none, or no access."""
    answer = ask_git(directory, "rev-parse", "--show-prefix")
    if answer.code:
        raise _not_opened(directory, answer)
    return Checkout(directory, answer.output.decode(errors="surrogateescape").rstrip("\n"))


def _not_opened(directory: Path, answer: Answer) -> ConfigError:
    if found := _OTHER_OWNER.search(answer.said):
        trust = f"git config --global --add safe.directory {shlex.quote(found['place'])}"
        return ConfigError(
            "git does not trust this repository: it belongs to another user",
            where=found["place"],
            fix=f"make it yours, or, if you trust what is in it: {trust}",
        )
    if "not a git repository" in answer.said:
        return ConfigError(
            "it is in no Git repository",
            where=str(directory),
            fix="mode gitops commits to a branch: clone the repository, or use mode direct",
        )
    return ConfigError(
        f"its Git repository cannot be read: {answer.reason}",
        where=str(directory),
        fix="git status says the same there: mend it first",
    )


def find_commit(checkout: Checkout, name: str) -> str:
    """The full hash of a commit by any name that git knows. Raises `ConfigError`."""
    try:
        found = run_git(
            checkout.directory,
            *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
        )
    except ConfigError as error:
        raise ConfigError(
            f"{name!r} is no commit of this repository",
            where=str(checkout.directory),
            fix="name a branch or a commit that is there; a repository needs a first commit",
        ) from error
    return found.decode().strip()


def current_branch(checkout: Checkout) -> str:
    """The name of the branch that is checked out; empty if none is."""
    try:
        name = run_git(checkout.directory, "symbolic-ref", "--quiet", "--short", "HEAD")
    except ConfigError:
        return ""
    return name.decode(errors="replace").strip()


def list_tree(checkout: Checkout, tree: str, directory: str) -> list[TreeEntry]:
    """All entries below a directory, directories as well; `directory` ends in a slash."""
    words = ("ls-tree", "-r", "-t", "-z", "--full-tree", tree, "--", directory)
    entries = _entries(run_git(checkout.directory, *words))
    return [entry for entry in entries if entry.path.startswith(directory)]


def find_entry(checkout: Checkout, tree: str, path: str) -> TreeEntry | None:
    """What a tree holds under this very path. None: nothing."""
    words = ("ls-tree", "-z", "--full-tree", tree, "--", path)
    return next(iter(_entries(run_git(checkout.directory, *words))), None)


def _entries(listed: bytes) -> list[TreeEntry]:
    found = []
    for row in listed.decode(errors="surrogateescape").split("\0"):
        head, _, path = row.partition("\t")
        words = head.split(" ")
        if len(words) == 3:
            found.append(TreeEntry(path, words[0], words[2]))
    return found


def read_files(checkout: Checkout, entries: Sequence[TreeEntry]) -> list[TreeFile]:
    """The regular files among these entries, with what is in them."""
    regular = [entry for entry in entries if entry.mode in _REGULAR]
    contents = _read_blobs(checkout, [entry.blob for entry in regular])
    return [
        TreeFile(entry.path, entry.mode, data)
        for entry, data in zip(regular, contents, strict=True)
    ]


def make_branch(checkout: Checkout, name: str, new: NewCommit) -> tuple[str, bool]:
    """Create a branch with one new, unsigned commit; its hash, and whether it was there already.

    A branch of this name with this very tree and parent is taken for what it is: an earlier call
    whose answer was lost. Raises `ConfigError` for any other branch of the name.
    """
    tree = write_tree(checkout, new)
    found = _existing(checkout, name)
    if found:
        words = ("log", "-1", "--no-show-signature", "--format=%T %P", found, "--")
        same = run_git(checkout.directory, *words)
        if same.decode().strip() == f"{tree} {new.base}":
            return found, True
        raise ConfigError(f"the branch {name} exists and holds something else", fix="delete it")
    _require_room(checkout, name)
    identity = _identity(new.author)
    commit = run_git(
        checkout.directory,
        *("commit-tree", "--no-gpg-sign", tree, "-p", new.base, "-F", "-"),
        given=new.message.encode(),
        environ=identity,
        fix="say who commits: git config user.name and user.email, or the setting author",
    )
    digest = commit.decode().strip()
    create = ("update-ref", "-m", "reconcile: propose", f"refs/heads/{name}", digest)
    run_git(checkout.directory, *create, "0" * len(digest))  # it must not exist
    return digest, False


def write_tree(checkout: Checkout, new: NewCommit) -> str:
    """Write the tree of a commit and return its hash; no branch leads to it yet.

    Raises `ConfigError` if it would differ from the base in more than the regular files asked for:
    a link, a submodule or a directory in the place of one of them is never replaced.
    """
    with tempfile.TemporaryDirectory(prefix="reconcile-index-") as place:
        environ = {"GIT_INDEX_FILE": os.path.join(place, "index")}  # noqa: PTH118  (text is wanted)
        run_git(checkout.directory, "read-tree", new.base, environ=environ)
        rows = b""
        for path, data in sorted(new.files.items()):
            raw = path.encode(errors="surrogateescape")
            if data is None:
                rows += b"0 " + b"0" * len(new.base) + b"\t" + raw + b"\0"
                continue
            blob = run_git(checkout.directory, "hash-object", "-w", "--stdin", given=data)
            present = find_entry(checkout, new.base, path)
            mode = present.mode if present and present.mode in _REGULAR else "100644"
            rows += mode.encode() + b" " + blob.strip() + b"\t" + raw + b"\0"
        words = ("update-index", "-z", "--index-info")
        run_git(checkout.directory, *words, given=rows, environ=environ)
        tree = run_git(checkout.directory, "write-tree", environ=environ).decode().strip()
    _require_only(checkout, new, tree)
    return tree


def _require_only(checkout: Checkout, new: NewCommit, tree: str) -> None:
    """Refuse a tree that differs from the base in anything but regular files of the commit."""
    words = ("--raw", "-r", "-z", "--no-renames", "--ignore-submodules=none", new.base, tree)
    output = run_git(checkout.directory, "diff-tree", *words).decode(errors="surrogateescape")
    fields = output.split("\0")
    strays = []
    for head, path in zip(fields[::2], fields[1::2], strict=False):
        before, after = head.removeprefix(":").split(" ")[:2]
        if path not in new.files or not {before, after} <= {*_REGULAR, _ABSENT}:
            strays.append(path)
    if strays:
        raise ConfigError(
            f"to write {', '.join(sorted(new.files))} would change {', '.join(strays)} as well",
            where=f"commit {new.base[:12]}",
            fix="make this change by hand: a link, a submodule or a directory stands in its place",
        )


def _existing(checkout: Checkout, name: str) -> str:
    try:
        found = run_git(
            checkout.directory,
            "rev-parse",
            "--verify",
            "--quiet",
            f"refs/heads/{name}^{{commit}}",
        )
    except ConfigError:
        return ""
    return found.decode().strip()


def lacks_signature(checkout: Checkout, branch: str) -> bool:
    """Whether the configuration wants commits signed (commit.gpgsign), and a branch's is not."""
    words = ("config", "--type=bool", "--get", "commit.gpgsign")
    if ask_git(checkout.directory, *words).output.strip() != b"true":
        return False
    commit = run_git(checkout.directory, "cat-file", "commit", f"refs/heads/{branch}")
    headers = commit.partition(b"\n\n")[0]
    return not any(line.startswith(b"gpgsig") for line in headers.splitlines())


def _require_room(checkout: Checkout, name: str) -> None:
    """Refuse a name that a branch of the repository excludes, as `a` and `a/b` do each other."""
    first = name.partition("/")[0]
    listed = run_git(
        checkout.directory, "for-each-ref", "--format=%(refname)", f"refs/heads/{first}"
    )
    for line in listed.decode(errors="replace").splitlines():
        there = line.removeprefix("refs/heads/")
        if name.startswith(f"{there}/") or there.startswith(f"{name}/"):
            raise ConfigError(
                f"the branch {there} leaves no room for a branch {name}",
                where=str(checkout.directory),
                fix=f"rename it: git branch -m {there} NEW-NAME",
            )


def _read_blobs(checkout: Checkout, blobs: Sequence[str]) -> list[bytes]:
    if not blobs:
        return []
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    answer = run_git(checkout.directory, "cat-file", "--batch", given=asked)
    found, position = [], 0
    for _ in blobs:
        end = answer.index(b"\n", position)
        size = int(answer[position:end].split(b" ")[2])
        found.append(answer[end + 1 : end + 1 + size])
        position = end + 1 + size + 1
    return found


def _identity(author: str | None) -> dict[str, str]:
    if author is None:
        return {}
    name, _, mail = author.rstrip(">").rpartition(" <")
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }
