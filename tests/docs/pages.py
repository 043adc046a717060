"""The documentation, taken apart: links, headings, fenced blocks, and the words before them.

A comment on the line before a fenced block says what the tests do with it:

    <!-- file: PATH -->         the block is written to PATH in the page's directory
    <!-- remove: PATH -->       PATH is removed there (no block follows)
    <!-- fragment of KIND -->   the block is a part of the spec of a manifest of this kind
    <!-- tested -->             a console session that runs there and prints what the block says

In a console session a line of `...` stands for any lines, and every id, port, time and duration
for any other.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(
        ROOT / f"{name}.md"
        for name in ("README", "CONTRIBUTING", "CHANGELOG", "CODE_OF_CONDUCT", "SECURITY")
    ),
    *sorted((ROOT / "docs").glob("*.md")),
)

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_NOTE = re.compile(r"<!-- (file|remove|fragment of|tested):? ?(.*?) ?-->")
_PATTERNS = (
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"[0-9a-f-]{36}"),
    (r"sha256:[0-9a-f]{64}", r"sha256:[0-9a-f]{64}"),
    (r"127\.0\.0\.1:\d+", r"127\.0\.0\.1:\\d+"),
    (r"after \d+s", r"after \\d+s"),
    (r"passed in \d+\.\d\ds", r"passed in \\d+\.\\d\\ds"),
    (r"[a-z2-7]{12}:[a-z2-7]{8}", r"[a-z2-7]{12}:[a-z2-7]{8}"),
    (r"-replaced-[0-9a-f]{6}", r"-replaced-[0-9a-f]{6}"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", r"[0-9TZ:.-]{20,27}"),
)


@dataclass(frozen=True)
class Block:
    """A fenced block (or a note without one): its language, text, and the note before it."""

    page: Path
    line: int
    language: str
    text: str
    note: str = ""
    subject: str = ""


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page, and every note that stands alone, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    note = ("", "")
    number = 0
    while number < len(lines):
        found = _NOTE.fullmatch(lines[number].strip())
        if found and found[1] == "remove":
            yield Block(page, number + 1, "", "", found[1], found[2])
        elif found:
            note = (found[1], found[2])
        elif lines[number].startswith("```"):
            start, language = number + 1, lines[number].removeprefix("```").strip()
            number = lines.index("```", start)
            text = "\n".join(lines[start:number]) + "\n"
            yield Block(page, start, language, text, *note)
            note = ("", "")
        number += 1


def links(page: Path) -> list[str]:
    """The targets of all links outside of fenced blocks."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(page)))


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(
        r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may say after `#`."""
    titles = _HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def tables(page: Path, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its head."""
    text = f"\n{page.read_text(encoding='utf-8')}".split(f"\n{heading}\n", 1)[1]
    rows = []
    for line in text.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return rows[2:]


def as_pattern(expected: str) -> re.Pattern[str]:
    """What a session prints -> the pattern of what it may print."""
    parts = []
    for line in expected.splitlines():
        if line == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        pattern = re.escape(line).replace(r"\-", "-").replace(r"\ ", " ")
        for written, meant in _PATTERNS:
            pattern = re.sub(written.replace(r"\.", r"\\\."), meant, pattern)
        parts.append(pattern + r"\n")
    return re.compile("".join(parts))
