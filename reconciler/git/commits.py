"""Commits: whether HEAD contains those that marks name, and the `Reconcile-Allow` trailers of some.

Marks cost two short git processes for all of them, and nothing before the first question. After a
squash, the commits of a pull request are nowhere in the history, and their messages may be lost: so
a file can hold the messages of commits that are not in this clone.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from reconciler.core.commit_approvals import Trailer, find_trailers
from reconciler.core.lineage import Standing
from reconciler.core.mark import ORIGIN_LENGTH
from reconciler.core.review_notes import Edit
from reconciler.errors import ConfigError
from reconciler.git.identity import MANIFESTS, origin_names, own_name, sibling_names
from reconciler.git.process import ask_git
from reconciler.git.repository import Repository
from reconciler.support.plain_file import read_plain

_ORIGIN, _DIRECTORY = slice(ORIGIN_LENGTH), slice(ORIGIN_LENGTH, None)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def read_edit(directory: Path, commit: str) -> Edit | None:
    """Who made a commit, when and why; None if this repository does not have it."""
    if not _COMMIT.fullmatch(commit):
        return None
    shape = "--format=%H%x00%an%x00%aI%x00%s"
    found = ask_git(directory, "log", "-1", shape, commit, "--")
    if found is None or not found.startswith(commit):
        return None
    full, author, when, subject = found.split("\0", 3)
    return Edit(full, author, when, subject)


class GitHistory:
    """The history of the repository around a directory: see `reconciler.core.lineage.History`."""

    def __init__(
        self, directory: Path, head: str, commits: Collection[str], manifests: str = MANIFESTS
    ) -> None:
        """`commits` are all that will be asked for, as marks abbreviate them."""
        self._directory = directory
        self._manifests = manifests
        self._head = head
        self._commits = sorted(commits)

    def standing(self, commit: str) -> Standing:
        return self._standings.get(commit, Standing.MISSING)

    def is_sibling(self, repository: str) -> bool:
        """Whether this is another directory of our repository that HEAD still has."""
        return repository[_DIRECTORY] in self._siblings

    def is_former(self, repository: str) -> bool:
        """Whether this is our repository, before it had an origin or its directory moved.

        A shallow clone without an origin has no name; there, the commits have to do. If HEAD has
        several configurations, nobody can tell which one replaced a missing directory.
        """
        if self._origins and repository[_ORIGIN] not in self._origins:
            return False
        return not self._siblings or repository[_DIRECTORY] == own_name(
            self._directory, self._manifests
        )

    @cached_property
    def _origins(self) -> frozenset[str]:
        return origin_names(self._directory)

    @cached_property
    def _siblings(self) -> frozenset[str]:
        return frozenset(sibling_names(self._directory, self._manifests))

    @cached_property
    def _standings(self) -> Mapping[str, Standing]:
        found = self._resolved()
        outside = self._outside(list(found.values()))
        standings = {
            name: Standing.OUTSIDE if full in outside else Standing.CONTAINED
            for name, full in found.items()
        }
        unsure = {
            name: Standing.UNSURE
            for name in self._commits
            if standings.get(name) is not Standing.CONTAINED
        }
        if unsure and self._is_shallow():
            return standings | unsure
        return standings

    def _resolved(self) -> Mapping[str, str]:
        """The full hash of each commit that is here; a name that may mean two things is not."""
        asked = "".join(f"{name}^{{commit}}\n" for name in self._commits).encode()
        found = ask_git(self._directory, "cat-file", "--batch-check", given=asked)
        if not found or not self._head:
            return {}
        rows = (row.split(" ") for row in found.splitlines())
        pairs = zip(self._commits, rows, strict=True)
        return {
            name: row[0]
            for name, row in pairs
            if row[1:2] == ["commit"] and row[0].startswith(name)  # and not a branch of that name
        }

    def _outside(self, commits: Collection[str]) -> frozenset[str]:
        """Those that HEAD does not contain; all of them if git cannot tell."""
        asked = "".join(f"{commit}\n" for commit in (*commits, f"^{self._head}")).encode()
        found = ask_git(self._directory, "rev-list", "--stdin", given=asked) if commits else None
        return frozenset(commits if found is None else found.split())

    def _is_shallow(self) -> bool:
        return ask_git(self._directory, "rev-parse", "--is-shallow-repository") == "true"


@dataclass(frozen=True, slots=True)
class _Commit:
    """A commit as GitHub's interface describes it, as far as it is looked at."""

    commit: str
    author: str
    message: str


_MOST_BYTES = 64 << 20


def read_messages(path: Path) -> Iterator[Trailer]:
    """Every trailer of the file, a JSON list of `commit`, `author`, `message`. `ConfigError`."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415  (only if asked for)

    try:
        commits = TypeAdapter(list[_Commit]).validate_json(read_plain(path, _MOST_BYTES))
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"messages of commits cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix='write a JSON list of {"commit": HASH, "author": NAME, "message": TEXT}',
        ) from error
    for item in commits:
        yield from find_trailers(item.commit, item.author, item.message)


def read_trailers(repository: Repository) -> tuple[Trailer, ...]:
    """The trailers of HEAD and of all that it merged; the newest first.

    So a trailer in any commit of a pull request counts in its run (whose HEAD merges it), after its
    merge, and after a squash that keeps the messages.
    """
    first = repository.ask("rev-parse", "--verify", "--quiet", "HEAD^1")
    reach = [f"{first}..HEAD"] if first else ["--max-count=1", "HEAD"]
    output = repository.run("log", "-z", "--format=%H%x00%an%x00%B", *reach)
    fields = output.decode("utf-8", "replace").split("\0")[:-1]
    found: list[Trailer] = []
    for commit, author, message in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        found += find_trailers(commit, author, message)
    return tuple(found)
