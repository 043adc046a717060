"""A new branch with one commit on top, by Git's own objects alone, and how it is reviewed.

Neither the work tree, nor the index, nor any existing branch is touched: blobs are written, a tree
is made from an index of its own in a temporary directory, and a branch is created, never moved or
pushed. Paths and contents go to git on standard input: no text of a user can become an option.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from reconciler.errors import ConfigError
from reconciler.git.head import origin_url
from reconciler.git.process import GitError, split_rows
from reconciler.git.repository import Repository

_ADDRESS = re.compile(
    r"(?:https?://|ssh://)?(?:[^@/\s]+@)?(?P<host>[\w.-]+)(?::\d+)?[:/](?P<path>[\w./-]+?)(?:\.git)?/?"
)


@dataclass(frozen=True, slots=True)
class NewCommit:
    """What to commit: `files` maps paths to contents, None removes one. `author`: `NAME <MAIL>`."""

    base: str
    files: Mapping[str, bytes | None]
    message: str
    author: str | None = None


def make_branch(repository: Repository, name: str, new: NewCommit) -> tuple[str, bool]:
    """Create a branch with one new commit; return its hash, and whether the branch existed.

    An existing branch with this tree and parent is an earlier call whose answer was lost. Raises
    `ConfigError` for any other.
    """
    tree = write_tree(repository, new)
    found = _existing(repository, name)
    if found:
        same = repository.run("log", "-1", "--format=%T %P", found, "--")
        if same.decode().strip() == f"{tree} {new.base}":
            return found, True
        raise ConfigError(f"the branch {name} exists and holds something else", fix="delete it")
    _require_room(repository, name)
    words = ("commit-tree", "--no-gpg-sign", tree, "-p", new.base, "-F", "-")
    try:
        commit = repository.run(*words, given=new.message.encode(), environ=_identity(new.author))
    except GitError as error:
        fix = "say who commits: git config user.name and user.email, or the setting author"
        raise ConfigError(error.what, where=error.where, fix=fix) from error
    digest = commit.decode().strip()
    update = ("update-ref", "-m", "reconcile: propose", f"refs/heads/{name}", digest)
    repository.run(*update, "0" * len(digest))  # create it: it must not exist
    return digest, False


def _require_room(repository: Repository, name: str) -> None:
    """Git keeps branches like files: `a` and `a/b` cannot both be there."""
    parts = name.split("/")
    above = [f"refs/heads/{'/'.join(parts[:count])}" for count in range(1, len(parts))]
    words = ("for-each-ref", "--format=%(refname)", *above, f"refs/heads/{name}/")
    for ref in repository.run(*words).decode(errors="replace").splitlines():
        if ref in above or ref.startswith(f"refs/heads/{name}/"):
            other = ref.removeprefix("refs/heads/")
            raise ConfigError(
                f"the branch {other} is in the way of {name}: Git cannot have both",
                where=str(repository.top),
                fix=f"rename it: git branch -m {other} OTHER-NAME",
            )


def write_tree(repository: Repository, new: NewCommit) -> str:
    """Write the tree of a commit and return its hash; no branch leads to it yet.

    Raises `ConfigError` if it would change anything but the regular files named.
    """
    with tempfile.TemporaryDirectory(prefix="reconcile-index-") as place:
        environ = {"GIT_INDEX_FILE": os.path.join(place, "index")}  # noqa: PTH118  (text is wanted)
        repository.run("read-tree", new.base, environ=environ)
        modes = {item.path: item.mode for item in repository.files(new.base, list(new.files))}
        rows = b""
        for path, data in sorted(new.files.items()):
            raw = path.encode(errors="surrogateescape")
            if data is None:
                rows += b"0 " + b"0" * len(new.base) + b"\t" + raw + b"\0"
                continue
            blob = repository.run("hash-object", "-w", "--stdin", given=data)
            mode = modes.get(path, "100644").encode()
            rows += mode + b" " + blob.strip() + b"\t" + raw + b"\0"
        repository.run("update-index", "-z", "--index-info", given=rows, environ=environ)
        tree = repository.run("write-tree", environ=environ).decode().strip()
    _require_only(repository, new, tree)
    return tree


def _require_only(repository: Repository, new: NewCommit, tree: str) -> None:
    """Ask git what the commit would change, instead of trusting what was meant."""
    words = ("diff-tree", "-r", "-z", "--no-renames", "--ignore-submodules=none", new.base, tree)
    fields = split_rows(repository.run(*words))
    for head, path in zip(fields[::2], fields[1::2], strict=True):
        modes = set(head.removeprefix(":").split(" ")[:2]) - {"000000"}
        if path not in new.files or not all(mode.startswith("100") for mode in modes):
            raise ConfigError(
                "this commit would change more than the files that it is to change",
                where=path,
                fix="a file, a link or a submodule of that name is in the way: commit it by hand",
            )


def _existing(repository: Repository, name: str) -> str | None:
    return repository.ask("rev-parse", "--verify", "--quiet", f"refs/heads/{name}^{{commit}}")


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


def review_steps(repository: Repository, branch: str, base: str) -> list[str]:
    """Commands and an address to open, in order. `base` is what the branch started from."""
    steps = _push_and_open(repository, branch, base)
    if _wants_signatures(repository) and not _is_signed(repository, branch):
        sign = f"git switch {branch} && git commit --amend --no-edit -S"
        return [f"{sign}  (commit.gpgsign is set, and this commit is not signed)", *steps]
    return steps


def _wants_signatures(repository: Repository) -> bool:
    """Whether the configuration asks for signed commits, which those made here never are."""
    words = ("config", "--type=bool", "--default=false", "--get", "commit.gpgSign")
    return repository.run(*words).strip() == b"true"


def _is_signed(repository: Repository, branch: str) -> bool:
    """Whether somebody has signed the last commit of a branch; whose key it was is not asked."""
    commit = _existing(repository, branch)
    if not commit:
        return False
    headers = repository.run("cat-file", "commit", commit).partition(b"\n\n")[0]
    return any(line.startswith(b"gpgsig") for line in headers.splitlines())


def _push_and_open(repository: Repository, branch: str, base: str) -> list[str]:
    origin = origin_url(repository.top)
    if origin is None:
        return [
            f"git push REMOTE {branch}  (this repository has no remote named origin)",
            "open a pull request for that branch where the repository is hosted",
        ]
    push = f"git push -u origin {branch}"
    found = _ADDRESS.fullmatch(origin)
    if found is None or "." not in found["host"]:
        return [push, f"open a pull request for {branch} where the repository is hosted"]
    target = base.removeprefix("origin/") if base != "HEAD" else repository.current_branch()
    site = f"https://{found['host']}/{found['path']}"
    name, onto = quote(branch, safe=""), quote(target, safe="")
    if "gitlab" in found["host"]:
        return [
            push,
            f"open {site}/-/merge_requests/new?merge_request%5Bsource_branch%5D={name}",
        ]
    compare = f"{onto}...{name}" if onto else name
    return [push, f"open {site}/compare/{compare}?expand=1  (or: gh pr create --head {branch})"]
