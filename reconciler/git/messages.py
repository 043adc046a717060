"""A file with messages of commits that are not in this clone -> their `Reconcile-Allow` trailers.

After a squash, the commits of a pull request are nowhere in the history; who squashes may keep the
title alone.
"""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from reconciler.core.commit_approvals import Trailer, find_trailers
from reconciler.errors import ConfigError
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
