"""Data -> Markdown code: the only form in which data enters a page that GitHub renders.

Inside code nothing is markup: no mention, no reference, no link, no HTML. What ends the code is a
run of as many backticks as began it, so that is made longer than any run in the data.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.render.detail import Line
from reconciler.render.escape import visible

_MOST_CHARACTERS = 400
_BACKTICKS = re.compile("`+")


@dataclass
class Room:
    """Bytes that are left."""

    bytes: int

    def take(self, wanted: int) -> bool:
        """Use that many, if they are there."""
        if wanted > self.bytes:
            return False
        self.bytes -= wanted
        return True


def code(text: str, most: int = _MOST_CHARACTERS) -> str:
    """One code span on one line; empty text is shown as `""`."""
    shown = visible(text, most)
    if not shown.strip(" "):
        shown = f'"{shown}"'
    mark = _longer_than_any_in([shown], 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{mark}{pad}{shown}{pad}{mark}"


def fence(lines: Iterable[Line], indent: str) -> str:
    """A fenced `diff` block below a list item, each line beginning with its sign."""
    return _block("diff", [f"{sign} {text}" for sign, text in lines], indent)


def text_fence(lines: Iterable[str], indent: str) -> str:
    """A fenced block of lines to copy, below a list item."""
    return _block("text", [visible(line, _MOST_CHARACTERS) for line in lines], indent)


def _block(language: str, body: list[str], indent: str) -> str:
    if not body:
        return ""
    mark = _longer_than_any_in(body, 3)
    inner = "".join(f"{indent}{line}\n" for line in body)
    return f"\n{indent}{mark}{language}\n{inner}{indent}{mark}\n"


def size(text: str) -> int:
    """What a text counts against a limit: bytes of UTF-8, of which no other count has more."""
    return len(text) if text.isascii() else len(text.encode())


def _longer_than_any_in(lines: Iterable[str], least: int) -> str:
    longest = max(
        (len(run) for line in lines if "`" in line for run in _BACKTICKS.findall(line)), default=0
    )
    return "`" * max(least, longest + 1)
