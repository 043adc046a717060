"""Files of a commit, and a new branch with one commit on top: by Git's own objects alone.

Neither the work tree, nor the index, nor any existing branch is touched: blobs are written, a tree
is made from an index of its own in a temporary directory, and a branch is created, never moved.
Paths and contents go to git on standard input, so that no text of a user can become an option.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.errors import ConfigError
from reconciler.git.checkout import Checkout, git

_SORTS = {"040000": "directory", "120000": "symbolic link", "160000": "submodule"}


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """What a commit has at a path, which is relative to the repository's root."""

    path: str
    mode: str
    blob: str

    @property
    def sort(self) -> str:
        """A file, a directory, a symbolic link or a submodule."""
        return _SORTS.get(self.mode, "file")


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


def list_tree(checkout: Checkout, commit: str, directory: str) -> list[TreeEntry]:
    """What is below a directory (relative to the repository's root) of a commit or tree.

    The directory itself and those that lead to it come first, as far as they are there: any of
    them may be something else, such as a link. Directories below it are entries, too.
    """
    parts = directory.split("/")
    rows = [
        git(checkout.directory, "ls-tree", "-z", "--full-tree", commit, "--", "/".join(path))
        for path in (parts[:count] for count in range(1, len(parts) + 1))
    ]
    words = ("ls-tree", "-r", "-t", "-z", "--full-tree", commit, "--", f"{directory}/")
    rows.append(git(checkout.directory, *words))
    found = {}
    for row in b"".join(rows).decode(errors="surrogateescape").split("\0")[:-1]:
        head, _, path = row.partition("\t")
        mode, _, blob = head.split(" ")
        found[path] = TreeEntry(path, mode, blob)
    return list(found.values())


def read_tree(checkout: Checkout, entries: Sequence[TreeEntry]) -> list[TreeFile]:
    """The regular files among these entries, with their contents."""
    files = [entry for entry in entries if entry.sort == "file"]
    contents = _read_blobs(checkout, [entry.blob for entry in files])
    return [
        TreeFile(entry.path, entry.mode, data) for entry, data in zip(files, contents, strict=True)
    ]


def make_branch(checkout: Checkout, name: str, new: NewCommit) -> tuple[str, bool]:
    """Create a branch with one new commit; its hash, and whether it was there already.

    A branch of this name with this very tree and parent is taken for what it is: an earlier call
    whose answer was lost. Raises `ConfigError` for any other branch of the name.
    """
    tree = write_tree(checkout, new)
    found = _existing(checkout, name)
    if found:
        shown = ("--no-show-signature", "--format=%T %P")  # log.showSignature would add lines
        same = git(checkout.directory, "log", "-1", *shown, found, "--")
        if same.decode().strip() == f"{tree} {new.base}":
            return found, True
        raise ConfigError(f"the branch {name} exists and holds something else", fix="delete it")
    _require_room(checkout, name)
    identity = _identity(new.author)
    commit = git(
        checkout.directory,
        *("commit-tree", "--no-gpg-sign", tree, "-p", new.base, "-F", "-"),
        given=new.message.encode(),
        environ=identity,
        fix="say who commits: git config user.name and user.email, or the setting author",
    )
    digest = commit.decode().strip()
    words = ("update-ref", "-m", "reconcile: propose", f"refs/heads/{name}", digest)
    git(checkout.directory, *words, "0" * len(digest))  # create it: it must not exist
    return digest, False


def wants_signatures(checkout: Checkout) -> bool:
    """Whether the configuration asks for signed commits, which those made here never are."""
    words = ("config", "--type=bool", "--default=false", "--get", "commit.gpgSign")
    return git(checkout.directory, *words).strip() == b"true"


def is_signed(checkout: Checkout, branch: str) -> bool:
    """Whether somebody has signed the last commit of a branch; whose key it was is not asked."""
    commit = _existing(checkout, branch)
    if not commit:
        return False
    headers = git(checkout.directory, "cat-file", "commit", commit).partition(b"\n\n")[0]
    return any(line.startswith(b"gpgsig") for line in headers.splitlines())


def _require_room(checkout: Checkout, name: str) -> None:
    """Git keeps branches like files: `a` and `a/b` cannot both be there."""
    parts = name.split("/")
    above = [f"refs/heads/{'/'.join(parts[:count])}" for count in range(1, len(parts))]
    words = ("for-each-ref", "--format=%(refname)", *above, f"refs/heads/{name}/")
    for ref in git(checkout.directory, *words).decode(errors="replace").splitlines():
        if ref in above or ref.startswith(f"refs/heads/{name}/"):
            other = ref.removeprefix("refs/heads/")
            raise ConfigError(
                f"the branch {other} is in the way of {name}: Git cannot have both",
                where=str(checkout.directory),
                fix=f"rename it: git branch -m {other} OTHER-NAME",
            )


def write_tree(checkout: Checkout, new: NewCommit) -> str:
    """Write the tree of a commit and return its hash; no branch leads to it yet.

    Raises `ConfigError` if it would differ from the base in anything but the regular files named.
    """
    with tempfile.TemporaryDirectory(prefix="reconcile-index-") as place:
        environ = {"GIT_INDEX_FILE": os.path.join(place, "index")}  # noqa: PTH118  (text is wanted)
        git(checkout.directory, "read-tree", new.base, environ=environ)
        modes = _modes(checkout, environ)
        rows = b""
        for path, data in sorted(new.files.items()):
            raw = path.encode(errors="surrogateescape")
            if data is None:
                rows += b"0 " + b"0" * len(new.base) + b"\t" + raw + b"\0"
                continue
            blob = git(checkout.directory, "hash-object", "-w", "--stdin", given=data)
            mode = modes.get(path, "100644").encode()
            rows += mode + b" " + blob.strip() + b"\t" + raw + b"\0"
        git(checkout.directory, "update-index", "-z", "--index-info", given=rows, environ=environ)
        tree = git(checkout.directory, "write-tree", environ=environ).decode().strip()
    _require_only(checkout, new, tree)
    return tree


def _modes(checkout: Checkout, environ: Mapping[str, str]) -> dict[str, str]:
    listed = git(checkout.directory, "ls-files", "-s", "-z", "--full-name", environ=environ)
    found = {}
    for row in listed.decode(errors="surrogateescape").split("\0"):
        head, _, path = row.partition("\t")
        found[path] = head.split(" ")[0]
    return found


def _require_only(checkout: Checkout, new: NewCommit, tree: str) -> None:
    """What the commit would change is asked of git itself, and not of what was meant."""
    words = ("diff-tree", "-r", "-z", "--no-renames", "--ignore-submodules=none", new.base, tree)
    fields = git(checkout.directory, *words).decode(errors="surrogateescape").split("\0")[:-1]
    for head, path in zip(fields[::2], fields[1::2], strict=True):
        modes = set(head.removeprefix(":").split(" ")[:2]) - {"000000"}
        if path not in new.files or not all(mode.startswith("100") for mode in modes):
            raise ConfigError(
                "this commit would change more than the files that it is to change",
                where=path,
                fix="a file, a link or a submodule of that name is in the way: commit it by hand",
            )


def _existing(checkout: Checkout, name: str) -> str:
    try:
        found = git(
            checkout.directory,
            "rev-parse",
            "--verify",
            "--quiet",
            f"refs/heads/{name}^{{commit}}",
        )
    except ConfigError:
        return ""
    return found.decode().strip()


def _read_blobs(checkout: Checkout, blobs: Sequence[str]) -> list[bytes]:
    if not blobs:
        return []
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    answer = git(checkout.directory, "cat-file", "--batch", given=asked)
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
