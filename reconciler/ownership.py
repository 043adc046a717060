"""The mark of ownership in the description of a Run:ai asset: decide, write, read, verify. Pure.

Run:ai assets have no labels, and of their metadata only `description` (1 to 250 characters) is
free. The mark is a trailer of it, at most 80 characters long:

    ML training with GPUs [reconcile:ml-platform:k3q...:x7f...:p@3fa2b1c]
                                     stack       id    check flags commit

The check digest covers the kind, scope, scope id and name of the object it stands on, besides all
other parts of the mark, so that a copy made in the web UI, or an object renamed by hand, is seen
as *detached* instead of ours. This guards against accidents; it is no signature. The commit that
was applied last is a hint for people, left out where there is no room: it is never read, and so
never a difference.
"""

import hashlib
import re
from typing import NamedTuple

from reconciler.resource import Mark, Resource, base32, hash_id, needs_secrecy

TRAILER_LIMIT = 80
DESCRIPTION_LIMIT = 250
TRAILER_START = "[reconcile:"
_COMMIT_DIGITS = 7

_TRAILER = re.compile(
    r"(?:(?<=\S) |^)\[reconcile:(?P<stack>[a-z0-9-]{1,32}):(?P<id>[a-z2-7]{12})"
    r":(?P<check>[a-z2-7]{8})(?::(?P<protect>p?)(?P<secrets>s?)(?:r(?P<deposed>[0-9a-f]{6}))?)?(?:@[0-9a-f]{7})?\]$"
)


class Holder(NamedTuple):
    """The object a mark stands on: what the check digest binds it to."""

    kind: str
    scope: str
    scope_id: str
    name: str


class Description(NamedTuple):
    """A description taken apart: its text, its mark, or why the mark there does not count."""

    text: str
    mark: Mark | None
    detached: str | None


def write_mark(text: str, mark: Mark, holder: Holder, commit: str = "") -> str:
    """The description to send. `text` must be at most `text_limit(mark)` characters.

    The first seven digits of `commit` are added where they fit.
    """
    trailer = _trailer(mark, holder)
    whole = f"{text} {trailer}" if text else trailer
    hint = f"@{commit[:_COMMIT_DIGITS]}"
    if not commit or len(trailer + hint) > TRAILER_LIMIT or len(whole + hint) > DESCRIPTION_LIMIT:
        return whole
    return f"{whole[:-1]}{hint}]"


def text_limit(mark: Mark) -> int:
    """How many characters of its own a description may have beside this mark."""
    longest = Mark(mark.stack, mark.id_hash, mark.protect, mark.secrets, deposed="000000")
    return DESCRIPTION_LIMIT - len(_trailer(longest, Holder("", "", "", ""))) - 1


def read_mark(description: str | None, holder: Holder) -> Description:
    """Take a description apart and verify its mark against the object it was found on."""
    text = description or ""
    found = _TRAILER.search(text)
    if found is None:
        if TRAILER_START in text:
            return Description(text, None, "its ownership mark is damaged")
        return Description(text, None, None)
    mark = Mark(
        stack=found["stack"],
        id_hash=found["id"],
        protect=bool(found["protect"]),
        secrets=bool(found["secrets"]),
        deposed=found["deposed"],
    )
    text = text[: found.start()]
    if found["check"] != _check(mark, holder):
        return Description(
            text,
            None,
            f"its ownership mark (stack {mark.stack}) was made for another object: "
            "this is a copy, or it was renamed or moved by hand",
        )
    return Description(text, mark, None)


def _trailer(mark: Mark, holder: Holder) -> str:
    flags = _flags(mark)
    return f"{TRAILER_START}{mark.stack}:{mark.id_hash}:{_check(mark, holder)}" + (
        f":{flags}]" if flags else "]"
    )


def _flags(mark: Mark) -> str:
    deposed = f"r{mark.deposed}" if mark.deposed else ""
    return ("p" if mark.protect else "") + ("s" if mark.secrets else "") + deposed


def _check(mark: Mark, holder: Holder) -> str:
    parts = (mark.stack, mark.id_hash, _flags(mark), *holder)
    return base32(hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest(), 8)


def desired_mark(resource: Resource, stack: str) -> Mark:
    """The mark that the live object of this resource has to bear."""
    return Mark(
        stack=stack,
        id_hash=hash_id(resource.key.kind, resource.key.id),
        protect=resource.protect,
        secrets=needs_secrecy(resource.spec),
    )
