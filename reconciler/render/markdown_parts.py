"""The parts of a page that GitHub renders: data as Markdown code, and sections within a limit.

Data enters a page as code only. Inside code nothing is markup: no mention, no reference, no link,
no HTML. What ends the code is a run of as many backticks as began it, so that is made longer than
any run in the data.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reconciler.core.plan import Change
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


@dataclass
class Entry:
    """A change, which is shown at one of several levels: 0 is left out, and each next says more."""

    change: Change
    levels: Sequence[Callable[[], str]]
    level: int = 0
    text: str = ""

    def raise_to(self, level: int, room: Room) -> bool:
        """Show more of the change, if there is room."""
        if self.level >= level:
            return True
        text = self.levels[level - 1]()
        if not room.take(size(text) - size(self.text)):
            return False
        self.level, self.text = level, text
        return True


@dataclass
class Section:
    """Changes under one title; `collapsed` until somebody opens it."""

    title: str
    entries: Sequence[Entry]
    collapsed: bool = False

    @property
    def shown(self) -> int:
        return sum(entry.level > 0 for entry in self.entries)

    def text(self) -> str:
        """The section; empty if nothing of it has room."""
        count = len(self.entries)
        if not self.shown:
            return ""
        of = f"{self.shown} of {count}" if self.shown < count else str(count)
        listing = "".join(entry.text for entry in self.entries)
        if not self.collapsed:
            return f"\n#### {self.title} ({of})\n\n{listing}"
        return details(f"{self.title} ({of})", listing)


def entries_of(sections: Iterable[Section], *, collapsed: bool) -> list[Entry]:
    """All changes of the sections that are collapsed, or of those that are not."""
    return [
        entry for section in sections if section.collapsed is collapsed for entry in section.entries
    ]


def details(title: str, body: str) -> str:
    """A block that is closed until somebody opens it."""
    return f"\n<details><summary><b>{title}</b></summary>\n\n{body}\n</details>\n"


def code(text: str) -> str:
    """One code span on one line; empty text is shown as `""`."""
    shown = visible(text, _MOST_CHARACTERS)
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
