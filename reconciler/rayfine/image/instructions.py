"""A Dockerfile's text -> its directives and instructions, each with its lines. Pure.

The rules are those of BuildKit's `frontend/dockerfile/parser`, which the classic builder uses as
well: what joins lines, which comments count, where words part, what a here-document is.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from reconciler.errors import BuildError
from reconciler.rayfine.image.substitution import SPACE, SubstitutionError, split
from reconciler.support.merge_markers import CONFLICT, FINISH_MERGE, conflict_line
from reconciler.support.suggest import did_you_mean, shorten

_KEYWORDS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
    *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+)")
_BLANKS = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(r"[0-9]*<<(-?)(\s*)([^<]+)")
_WITH_HEREDOCS = ("RUN", "COPY", "ADD")


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
    heredoc: bool = False
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

    @property
    def foreign_syntax(self) -> str:
        """The frontend that `# syntax=` asks for, if it is not Docker's own."""
        syntax = self.directives.get("syntax", "").partition(" ")[0]
        own = re.match(r"(docker\.io/)?docker/dockerfile(:|@|$)", syntax)
        return "" if own else syntax

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
                instruction = self._instruction(text.strip(SPACE), start, number)
                yield instruction
                if instruction.heredoc:
                    number = self._behind_heredocs(self._heredocs(text, number), instruction)

    def _instruction(self, text: str, start: int, end: int, prefix: str = "") -> Instruction:
        keyword, *rest = _BLANKS.split(text, maxsplit=1)
        keyword, remainder = keyword.upper(), "".join(rest)
        if keyword not in _KEYWORDS and not self.foreign_syntax:
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
        heredoc = False
        if keyword == "ONBUILD" and not prefix and remainder:
            heredoc = self._instruction(remainder, start, end, "ONBUILD ").heredoc
        elif keyword in _WITH_HEREDOCS:
            heredoc = not _is_json(remainder) and bool(self._heredocs(text, end))
        return Instruction(
            keyword, tuple(flags), remainder.strip(SPACE), start, end, heredoc, prefix
        )

    def arguments(self, item: Instruction) -> list[str]:
        """What an ARG declares: `NAME` or `NAME=DEFAULT` each, quotes kept."""
        return [found[0] for found in self._argument.finditer(item.text)]

    def triggered(self, item: Instruction) -> Instruction:
        """What an ONBUILD is for."""
        return self._instruction(item.text, item.start, item.end, "ONBUILD ")

    def _heredocs(self, line: str, end: int) -> list[tuple[bool, str]]:
        """The here-documents that a line opens: whether tabs may stand before their end, and names.

        With a blank behind `<<` only newer parsers take it for one, and `$(( 1 << 2 ))` is none to
        anybody: then it has to have its end among the lines from `end` on.
        """
        found = []
        try:
            for word in split(line, raw=True) if "<<" in line else ():
                match = _HEREDOC.fullmatch(word)
                names = split(match[3]) if match else []
                if match and len(names) == 1:
                    chomp, name = match[1] == "-", names[0]
                    if not match[2] or self._end_of(name, end, chomp=chomp) is not None:
                        found.append((chomp, name))
        except SubstitutionError:
            return []  # so does Docker: it then takes the line for one without any
        return found

    def _end_of(self, name: str, start: int, *, chomp: bool) -> int | None:
        """The line that ends a here-document."""
        numbers = self._numbers[chomp].get(name, [])
        at = bisect_left(numbers, start)
        return numbers[at] if at < len(numbers) else None

    @cached_property
    def _numbers(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """The numbers of the lines that a text is, as they stand, and without tabs before it."""
        found: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
        for number, written in enumerate(self.lines):
            line = written.rstrip("\r")
            found[False].setdefault(line, []).append(number)
            found[True].setdefault(line.lstrip("\t"), []).append(number)
        return found

    def _behind_heredocs(self, names: Sequence[tuple[bool, str]], item: Instruction) -> int:
        number = item.end
        for chomp, name in names:
            end = self._end_of(name, number, chomp=chomp)
            if end is None:
                what = f"the here-document {name!r} has no end"
                raise self.error(what, item.start, f"end it with a line of `{name}`")
            number = end + 1
        return number


def _is_json(text: str) -> bool:
    """Whether it is a list of strings in JSON, which is not parted at blanks."""
    if not text.startswith("["):
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, list) and all(isinstance(item, str) for item in found)
