"""`Reconcile-Allow` lines of commits -> what they allow for one plan, and words about it. Pure.

    Reconcile-Allow: deletes=17 digest=sha256:...
    Reconcile-Allow: destroy=RunaiEnvironment.old destroy=... digest=sha256:...

A trailer names an exact number or addresses, like the options `--allow-deletes` and
`--allow-destroy`, and the plan that it was written for, by its digest: for any other plan it
allows nothing. It counts in any paragraph: what squashes commits puts other text below. It has to
begin its line: one that is quoted is not meant.
"""

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from reconciler.core.guards import Approval

TRAILER = "Reconcile-Allow"
_SEEN = re.compile(rf"{TRAILER}[ \t]*:", re.IGNORECASE)
_LINE = re.compile(
    rf"{TRAILER}[ \t]*:(?P<value>.*(?:\n[ \t]+(?:deletes|destroy|digest)=.*)*)", re.IGNORECASE
)
_MOST_IDLE = 3
"""Trailers that allow nothing and are told of one by one."""


@dataclass(frozen=True, slots=True)
class Trailer:
    """One trailer as it stands in a commit message; `stray` if something stands before it."""

    commit: str
    author: str
    value: str
    stray: bool = False

    def __str__(self) -> str:
        return f"{TRAILER} of {self.commit[:7]} ({self.author})"


def find_trailers(commit: str, author: str, message: str) -> list[Trailer]:
    """Every trailer of a message, and what only looks like one."""
    found = []
    position = 0
    while seen := _SEEN.search(message, position):
        start = seen.start()
        line = _LINE.match(message, start)
        stray = start > 0 and message[start - 1] != "\n"
        value = line["value"] if line else ""
        position = line.end() if line and not stray else seen.end()
        found.append(Trailer(commit, author, " ".join(value.split()), stray))
    return found


@dataclass(frozen=True, slots=True)
class _Allowance:
    digest: str
    deletes: int | None
    addresses: frozenset[str]


def allow(
    trailers: Sequence[Trailer], digests: Collection[str], approval: Approval
) -> tuple[Approval, tuple[str, ...]]:
    """The approval with what trailers for one of these digests allow, and lines about them.

    The newest trailer comes first; a number that is approved already stands. Lines about what is
    allowed come first, numbers before addresses: nothing that allows nothing can crowd them out.
    """
    numbers: list[str] = []
    lines: list[str] = []
    idle: list[str] = []
    for trailer in trailers:
        if trailer.stray:
            idle.append(f"{trailer} does not begin its line, and allows nothing.")
            continue
        try:
            found = _parse(trailer.value)
        except ValueError as error:
            idle.append(f"{trailer} cannot be read: {error}. It allows nothing.")
            continue
        if found.digest not in digests:
            idle.append(
                f"{trailer} is for another plan, {found.digest}, and allows nothing here. "
                f"This plan is {next(iter(digests))}."
            )
            continue
        is_number = approval.deletes is None and found.deletes is not None
        deletes = found.deletes if is_number else approval.deletes
        addresses = approval.addresses | found.addresses
        approval = replace(approval, deletes=deletes, addresses=addresses)
        (numbers if is_number else lines).append(f"{trailer} is for this plan: {_words(found)}.")
    if len(idle) > _MOST_IDLE:
        more = len(idle) - _MOST_IDLE
        idle[_MOST_IDLE:] = [f"{more} more {TRAILER} {'line' if more == 1 else 'lines'}: nothing."]
    return approval, (*numbers, *lines, *idle)


def _parse(value: str) -> _Allowance:
    """Raises `ValueError` in words."""
    given: dict[str, list[str]] = {"deletes": [], "destroy": [], "digest": []}
    for word in shlex.split(value):
        name, equals, text = word.partition("=")
        if not equals or name not in given or not text:
            raise ValueError(f"{word!r} is not deletes=N, destroy=ADDRESS or digest=sha256:...")
        given[name].append(text)
    if len(given["digest"]) != 1:
        raise ValueError("it needs one digest=sha256:..., that of the plan")
    numbers = given["deletes"]
    if len(numbers) > 1 or any(not (n.isascii() and n.isdecimal()) for n in numbers):
        raise ValueError("deletes= takes one number")
    if not numbers and not given["destroy"]:
        raise ValueError("it allows neither deletes=N nor destroy=ADDRESS")
    number = int(numbers[0]) if numbers else None
    return _Allowance(given["digest"][0], number, frozenset(given["destroy"]))


def _words(found: _Allowance) -> str:
    words = [f"destroy={shlex.quote(address)}" for address in sorted(found.addresses)]
    if found.deletes is not None:
        words.insert(0, f"deletes={found.deletes}")
    return " ".join(words)
