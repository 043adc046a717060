"""The commits that HEAD brought -> their `Reconcile-Allow` trailers; those of a file with others.

After a squash, the commits of a pull request are nowhere in the history; who squashes may keep the
title alone. So a file can hold the messages of commits that are not in this clone.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from reconciler.core.commit_approvals import Trailer, find_trailers
from reconciler.errors import ConfigError
from reconciler.git.repository import Repository
from reconciler.support.plain_file import read_plain


class _Commit(BaseModel):
    """A commit as GitHub's interface describes it, as far as it is looked at."""

    commit: str
    author: str
    message: str


_MOST_BYTES = 64 << 20
_COMMITS = TypeAdapter(list[_Commit])


def read_messages(path: Path) -> Iterator[Trailer]:
    """Every trailer of the file, a JSON list of `commit`, `author`, `message`. `ConfigError`."""
    try:
        commits = _COMMITS.validate_json(read_plain(path, _MOST_BYTES))
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
