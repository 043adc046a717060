"""The mark of ownership in the description of a Run:ai asset: decide, write, read, verify. Pure.

Run:ai assets have no labels, and of their metadata only `description` (1 to 250 characters) is
free. The mark is a trailer of it:

    ML training [reconcile:ml-platform:k3q...:x7f...:p@q7xabcde.3fa2b1c0de github.com/acme/ml]
                           stack       id    check flags repository commit place

The check digest covers the kind, scope, scope id and name of the object it stands on, besides all
other parts of the mark but the place, so that a copy made in the web UI, or an object renamed by
hand, is seen as *detached* instead of ours. This guards against accidents: anybody who may edit a
description can compute it. With a key, nobody else can make a mark; an old one can be put back.
The mark is found wherever it stands in a description: what people write around it is text. The
place leads them to Git. It is never read, and left out where there is no room.
"""

import hashlib
import hmac
import re
from dataclasses import replace
from typing import NamedTuple

from reconciler.core.mark import Mark, Written, base32, hash_id
from reconciler.core.resource import (
    LiveResource,
    Resource,
    needs_secrecy,
)

TRAILER_LIMIT = 105
"""The longest mark without its place: room for all of it is always kept."""
DESCRIPTION_LIMIT = 250
REPOSITORY_LENGTH = 8
COMMIT_DIGITS = 10

_MARK = re.compile(
    r"\[reconcile:(?P<stack>[a-z0-9-]{1,32}):(?P<id>[a-z2-7]{12}):(?P<check>[a-z2-7]{8})"
    r"(?::(?P<protect>p?)(?P<secrets>s?)(?:f(?P<fingerprint>[a-z2-7]{8}))?"
    r"(?:r(?P<deposed>[0-9a-f]{6}))?)?"
    r"(?:@(?P<repository>[a-z2-7]{8})?(?:\.(?P<commit>[0-9a-f]{10}))?)?"
    r"(?: [A-Za-z0-9_.~/:+-]+)?\]"
)
_PLACE = re.compile(r"[A-Za-z0-9_.~/:+-]+")
_TRACE = re.compile(
    r"\[reconcile:|\[reconc(?:ile?)?\s*$|reconcile:[a-z0-9-]{1,32}:[a-z2-7]{4}"
    r"|[a-z2-7]{12}:[a-z2-7]{8}(?![a-z2-7])",
    re.IGNORECASE | re.ASCII,
)
"""What is left of a mark that was cut, or whose case was changed."""


class Holder(NamedTuple):
    """The object a mark stands on: what the check digest binds it to; and the key, if any."""

    kind: str
    scope: str
    scope_id: str
    name: str
    key: bytes = b""


class Description(NamedTuple):
    """A description taken apart: its text, its mark, or why the mark there does not count."""

    text: str
    mark: Mark | None
    detached: str | None


def write_mark(text: str, mark: Mark, holder: Holder, place: str = "") -> str:
    """The description to send. A text longer than `room(mark)` is cut to fit.

    `place` is where the repository is found, for people: as much of it as there is room for.
    """
    trailer = _trailer(mark, holder)
    text = text[: room(mark)].rstrip()
    whole = f"{text} {trailer}" if text else trailer
    for shown in (place, "/".join(place.split("/")[-2:])):
        if len(whole) + len(shown) < DESCRIPTION_LIMIT and _PLACE.fullmatch(shown):
            return f"{whole[:-1]} {shown}]"
    return whole


def room(mark: Mark) -> int:
    """How many characters of text fit beside exactly this mark."""
    return DESCRIPTION_LIMIT - len(_trailer(mark, Holder("", "", "", ""))) - 1


def text_limit(mark: Mark) -> int:
    """How many characters of its own a manifest's description may have.

    There is room then for whatever a mark of this stack and these flags will ever say.
    """
    written = Written("a" * REPOSITORY_LENGTH, "0" * COMMIT_DIGITS)
    return room(replace(mark, deposed="000000", written=written))


def holds_mark(text: str) -> bool:
    """Whether there is a mark in a text, or what is left of one."""
    return _TRACE.search(text) is not None


def read_mark(description: str | None, holder: Holder) -> Description:
    """Take a description apart and verify its mark against the object it was found on."""
    text = description or ""
    if not holds_mark(text):
        return Description(text, None, None)
    found = _MARK.search(text)
    if found is None:
        return Description(text, None, "its ownership mark is damaged")
    before, after = text[: found.start()], text[found.end() :]
    if holds_mark(before) or holds_mark(after):
        stacks = " and ".join(item["stack"] for item in _MARK.finditer(text))
        return Description(
            text, None, f"it bears more than one ownership mark, or parts of one (stack {stacks})"
        )
    mark = Mark(
        stack=found["stack"],
        id_hash=found["id"],
        protect=bool(found["protect"]),
        secrets=bool(found["secrets"]),
        deposed=found["deposed"],
        fingerprint=found["fingerprint"] or "",
        written=Written(found["repository"] or "", found["commit"] or ""),
    )
    text = (before.removesuffix(" ")) + after
    if not hmac.compare_digest(found["check"], _check(mark, holder)):
        if holder.key and found["check"] == _check(mark, holder._replace(key=b"")):
            return Description(
                text, None, f"its ownership mark (stack {mark.stack}) was made without `mark_key`"
            )
        return Description(
            text,
            None,
            f"its ownership mark (stack {mark.stack}) was made for another object: "
            "this is a copy, or it was renamed or moved by hand",
        )
    return Description(text, mark, None)


def _trailer(mark: Mark, holder: Holder) -> str:
    flags, written = _flags(mark), mark.written
    trailer = f"[reconcile:{mark.stack}:{mark.id_hash}:{_check(mark, holder)}"
    trailer += f":{flags}" if flags else ""
    trailer += f"@{written.repository}" if any(written) else ""
    return trailer + (f".{written.commit}]" if written.commit else "]")


def _flags(mark: Mark) -> str:
    deposed = f"r{mark.deposed}" if mark.deposed else ""
    fingerprint = f"f{mark.fingerprint}" if mark.fingerprint else ""
    return ("p" if mark.protect else "") + ("s" if mark.secrets else "") + fingerprint + deposed


def _check(mark: Mark, holder: Holder) -> str:
    written = mark.written if any(mark.written) else ()
    parts = (mark.stack, mark.id_hash, _flags(mark), *written, *holder[:4])
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    keyed = hmac.digest(holder.key, text, "sha256") if holder.key else hashlib.sha256(text).digest()
    return base32(keyed, 8)


def bears(live: LiveResource, mark: Mark, repository: str) -> bool:
    """Whether an object has this owner and id, and is no leftover of a replacement.

    `repository` is the one that asks: what another one marked is never ours.
    """
    found = live.mark
    return (
        found is not None
        and found.deposed is None
        and (found.stack, found.id_hash) == (mark.stack, mark.id_hash)
        and found.written.repository in ("", repository)
    )


def describe_live(live: LiveResource) -> str:
    """Which of several objects with one mark this is, in words for a person."""
    place = " ".join(filter(None, (live.spec.get("scope"), live.spec.get("scope_id"))))
    made = f", made {live.created_at}" if live.created_at else ""
    written = live.mark.written.commit if live.mark else ""
    by = f", last written by commit {written[:7]}" if written else ""
    where = f" in {place}" if place else ""
    return f"{live.name}{where} ({live.uid}{made}{by})"


def desired_mark(resource: Resource, stack: str) -> Mark:
    """The mark that the live object of this resource has to bear."""
    return Mark(
        stack=stack,
        id_hash=hash_id(resource.key.kind, resource.key.id),
        protect=resource.protect,
        secrets=needs_secrecy(resource.spec),
        fingerprint=resource.fingerprint,
    )
