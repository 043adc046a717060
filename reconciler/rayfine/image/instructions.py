"""A Dockerfile's text -> its directives and instructions, each with its lines. Pure.

The rules are those of BuildKit's `frontend/dockerfile/parser`, which the classic builder uses as
well: what joins lines, which comments count, where words part, what a here-document is.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from reconciler.errors import BuildError
from reconciler.rayfine.image.substitution import SPACE
from reconciler.support.merge_markers import CONFLICT, FINISH_MERGE, conflict_line
from reconciler.support.suggest import did_you_mean, shorten

_KEYWORDS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)")
_BLANKS = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(
    r"""\\.|"(?:\\.|[^"\\])*(?:"|$)|'[^']*(?:'|$)"""  # what is escaped or quoted opens none
    r"""|(?<!\S)[0-9]*<<(?P<tabs>-?)(?P<blank>\s*)(?:"(?P<double>[^"<]+)"|'(?P<single>[^'<]+)'"""
    r"""|(?P<plain>[^\s"'<\\]+))(?!\S)"""
)
_BUILDKIT_FLAGS = {
    "RUN": ("mount", "network", "security", "device"),
    "COPY": ("link", "chmod", "parents", "exclude"),
    "ADD": ("link", "chmod", "checksum", "keep-git-dir", "unpack", "exclude"),
}


class Flag(NamedTuple):
    """`--NAME=VALUE`, and how it is written; no value is None."""

    name: str
    value: str | None
    written: str


class Instruction(NamedTuple):
    """One instruction. Lines count from 0; `end` is the first line that is no part of it.

    `prefix` is `ONBUILD ` where that is what it is for.
    """

    keyword: str
    flags: tuple[Flag, ...]
    text: str
    start: int
    end: int
    prefix: str = ""

    def flag(self, name: str) -> str | None:
        """The value of a flag, empty if it has none; None without the flag."""
        return next((flag.value or "" for flag in self.flags if flag.name == name), None)

    def words(self) -> list[str]:
        """What is behind the flags, parted at blanks."""
        return _BLANKS.split(self.text) if self.text else []


class Text:
    """The text of a Dockerfile, and how it is parted."""

    def __init__(self, data: bytes, where: str) -> None:
        """Read it. Raises `BuildError` with file and line for what is no Dockerfile."""
        self.where = where
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start)
            raise self.error("not UTF-8 text", line, "save it as UTF-8") from error
        self.lines = text.split("\n")
        self.directives = self._read_directives()
        self._refuse_foreign_syntax()
        self.escape = self.directives.get("escape", "\\")
        if self.escape not in ("\\", "`"):
            number = next(n for n, line in enumerate(self.lines) if "escape" in line.lower())
            what = f"`{shorten(self.escape)}` cannot be the escape character"
            raise self.error(what, number, "write # escape=` or # escape=\\")
        escape = re.escape(self.escape)
        self._continued = re.compile(rf"(?:^|(?<=[^{escape}])){escape}[ \t]*$")
        part = rf"""{escape}.|"(?:{escape}.|[^"{escape}])*"|[^\t\n\v\f\r "'{escape}]"""
        self._flag = re.compile(rf"--(?:{part}|'(?:{escape}.|[^'{escape}])*')*")
        self._argument = re.compile(rf"(?:{part}|'[^']*'|[\"'{escape}].*)+")
        self._quoting = re.compile(rf"{escape}(.)|[\"']|{escape}$")
        try:
            self.instructions = tuple(self._parse())
        except BuildError as error:
            if number := conflict_line(text):
                raise self.error(CONFLICT, number - 1, FINISH_MERGE) from error
            raise

    def error(self, what: str, line: int, fix: str) -> BuildError:
        """An error at a line, counted from 0."""
        return BuildError(what, where=f"{self.where}:{line + 1}", fix=fix)

    def needs_buildkit(self, what: str, line: int, fix: str = "") -> BuildError:
        """The error for what only BuildKit understands."""
        fix = fix or "write it without: COPY and RUN as in Docker's classic builder"
        return self.error(f"this needs BuildKit, which is not supported: {what}", line, fix)

    def _refuse_foreign_syntax(self) -> None:
        """Raise `BuildError` where `# syntax=` asks for another frontend than Docker's own."""
        syntax = self.directives.get("syntax", "").partition(" ")[0]
        if syntax and not re.match(r"(docker\.io/)?docker/dockerfile(:|@|$)", syntax):
            raise self.needs_buildkit(f"# syntax={syntax}", 0)

    def _read_directives(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, line in enumerate(self.lines):
            match = _DIRECTIVE.fullmatch(line.strip(SPACE))
            if match is None or (name := match[1].lower()) not in ("syntax", "escape", "check"):
                break
            if name in found:
                fix = "keep one of the two"
                raise self.error(f"the directive `{name}` is there twice", number, fix)
            found[name] = match[2].strip(SPACE)
        return found

    def _parse(self) -> Iterator[Instruction]:
        number = 0
        while number < len(self.lines):
            start, text, open_end = number, "", True
            while open_end and number < len(self.lines):
                line = self.lines[number].rstrip("\r")
                number += 1
                if line.lstrip(SPACE).startswith("#"):
                    open_end = number > start + 1
                elif number > start + 1 and not line.strip(SPACE):
                    continue  # an empty line within: Docker warns of it and goes on
                else:
                    match = self._continued.search(line)
                    text += line[: match.start()] if match else line
                    open_end = match is not None
            if text.strip(SPACE):
                yield self._instruction(text.strip(SPACE), start, number)

    def _instruction(self, text: str, start: int, end: int, prefix: str = "") -> Instruction:
        keyword, *rest = _BLANKS.split(text, maxsplit=1)
        keyword, remainder = keyword.upper(), "".join(rest)
        if keyword not in _KEYWORDS:
            odd = next((sign for sign in keyword if sign in SPACE), "")
            fix = did_you_mean(keyword, _KEYWORDS, "there are")
            if odd:
                fix = f"write an ordinary blank in place of U+{ord(odd):04X}"
            raise self.error(f"there is no instruction {shorten(keyword)!r}", start, fix)
        flags = []
        while remainder.startswith("--"):
            match = self._flag.match(remainder)
            assert match is not None
            remainder = remainder[match.end() :].lstrip(SPACE)
            if match[0] == "--":
                break
            plain = self._quoting.sub(lambda found: found[1] or "", match[0])
            name, equals, value = plain.removeprefix("--").partition("=")
            flags.append(Flag(name, value if equals else None, match[0]))
        if keyword == "ONBUILD" and not prefix and remainder:
            self._instruction(remainder, start, end, "ONBUILD ")
        elif keyword in _BUILDKIT_FLAGS:
            named = next((f for f in flags if f.name in _BUILDKIT_FLAGS[keyword]), None)
            if named or self._opens_heredoc(remainder, start, end):
                what = f"--{named.name}" if named else "<<"
                raise self.needs_buildkit(f"{prefix or keyword} {what}".replace("  ", " "), start)
        return Instruction(keyword, tuple(flags), remainder.strip(SPACE), start, end, prefix)

    def arguments(self, item: Instruction) -> list[str]:
        """What an ARG declares: `NAME` or `NAME=DEFAULT` each, quotes kept."""
        return [found[0] for found in self._argument.finditer(item.text)]

    def triggered(self, item: Instruction) -> Instruction:
        """What an ONBUILD is for."""
        return self._instruction(item.text, item.start, item.end, "ONBUILD ")

    def _opens_heredoc(self, text: str, start: int, end: int) -> bool:
        """Whether it opens a here-document; one without an end raises `BuildError`.

        With a blank behind `<<` only newer parsers take it for one, and `$(( 1 << 2 ))` is none to
        anybody: then it has to have its end among the lines from `end` on.
        """
        opened = False
        for found in _HEREDOC.finditer(text):
            name = found["double"] or found["single"] or found["plain"]
            if name is None:
                continue
            if self._last[bool(found["tabs"])].get(name, -1) >= end:
                opened = True
            elif not found["blank"]:
                what = f"the here-document {name!r} has no end"
                raise self.error(what, start, f"end it with a line of `{name}`")
        return opened

    @cached_property
    def _last(self) -> tuple[dict[str, int], dict[str, int]]:
        """The number of the last line that a text is, as it stands, and without tabs before it."""
        lines = [line.rstrip("\r") for line in self.lines]
        bare = (line.lstrip("\t") for line in lines)
        return {line: n for n, line in enumerate(lines)}, {line: n for n, line in enumerate(bare)}
