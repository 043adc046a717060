"""What a live object says of its owner, and the short hashes that stand for ids on it. Pure."""

import base64
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

ORIGIN_LENGTH = 5
"""Characters that stand for a repository; three more stand for a directory in it."""


class Written(NamedTuple):
    """What a live object was last written from; empty where that is not known.

    `repository` is eight characters that stand for a repository and a directory in it, `commit`
    the first ten digits of a commit. See `reconciler.core.lineage`.
    """

    repository: str = ""
    commit: str = ""

    @property
    def origin(self) -> str:
        """The repository alone, whichever directory of it."""
        return self.repository[:ORIGIN_LENGTH]

    def __str__(self) -> str:
        named = [f"repository {self.repository}"] if self.repository else []
        named += [f"commit {self.commit[:7]}"] if self.commit else []
        return ", ".join(named)


UNWRITTEN = Written()
"""Nothing is known."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a live object says of its owner. `id_hash` is `hash_id(kind, id)`.

    `deposed` is set on an object that was renamed to make room for its replacement.
    `secrets` says that values on it came from variables and must not be shown. `fingerprint` stands
    for the write-only values that it was given.
    `written` never makes two marks differ: an object is not written only to name a newer commit.
    """

    stack: str
    id_hash: str
    protect: bool = False
    secrets: bool = False
    deposed: str | None = None
    written: Written = field(default=UNWRITTEN, compare=False)
    fingerprint: str = ""


@lru_cache(maxsize=65536)
def hash_id(kind: str, resource_id: str) -> str:
    """12 lower-case base-32 characters (60 bits) that stand for `KIND.ID` on a live object."""
    digest = hashlib.sha256(f"{kind}.{resource_id}".encode("utf-8", "surrogatepass")).digest()
    return base32(digest, 12)


def deposed_digits(uid: str) -> str:
    """Six hexadecimal digits that stand for an object beside another one of the same address."""
    return hashlib.sha256(uid.encode()).hexdigest()[:6]


def base32(digest: bytes, length: int) -> str:
    """The first `length` characters of a digest in lower-case base 32 (5 bits a character)."""
    whole_groups = -(-length // 8) * 5
    return base64.b32encode(digest[:whole_groups])[:length].decode("ascii").lower()
