"""Bytes -> text that a YAML parser may see, and the parser for it. Refuses what is not plain text.

All that could cost more than linear time, or mean something else to an editor than to the parser,
is refused here: other encodings, control characters, odd line breaks, directives.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import yaml

from reconciler.support.merge_markers import CONFLICT, FINISH_MERGE, conflict_line

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_EVENTS = 100_000

_FORBIDDEN = re.compile(
    "[^\t\n\r -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_OTHER_ENCODINGS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"{\x00", b"a\x00", b"\x00a")


class Fault(NamedTuple):
    """What is wrong at a place; line and column count from 1."""

    line: int
    column: int
    message: str
    fix: str


class SourceError(Exception):
    """The text cannot be handed to a parser, or the parser stopped."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def decode(data: bytes) -> str:
    """The text of a file; a byte order mark is dropped. Raises `SourceError`."""
    if len(data) > MAX_BYTES:
        raise SourceError(
            Fault(1, 1, "the file is larger than 1 MiB", "split it into several files")
        )
    if data.startswith(_OTHER_ENCODINGS):
        raise SourceError(_encoding_fault(1, 1))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8")
        raise SourceError(_encoding_fault(*_position(before, len(before)))) from error
    found = _FORBIDDEN.search(text)
    if found is not None:
        character = ord(found.group())
        raise SourceError(
            Fault(
                *_position(text, found.start()),
                f"the character U+{character:04X} is not accepted in YAML text",
                f'delete it, or write it as "\\u{character:04x}" in double quotes'
                if character
                else "delete it",
            )
        )
    found = _DIRECTIVE.search(text)
    if found is not None:
        raise SourceError(
            Fault(
                *_position(text, found.start()),
                "a line that starts with `%` is a YAML directive, which is not accepted",
                "delete the line; if it is part of a text, indent it",
            )
        )
    return text


def open_parser(text: str) -> Callable[[], Any]:
    """A function that gives the next event of the text: libyaml where PyYAML has it."""
    libyaml = getattr(yaml, "cyaml", None)
    parser = yaml.BaseLoader(text) if libyaml is None else libyaml.CParser(text)
    next_event: Callable[[], Any] = parser.get_event
    return next_event


def explain_syntax(error: yaml.YAMLError, text: str) -> Fault:
    """What the parser stumbled over, in words, with the usual way out."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or "it cannot be read")
    context, context_mark = getattr(error, "context", None), getattr(error, "context_mark", None)
    if "could not find expected ':'" in problem and context_mark is not None:
        mark = context_mark  # what has no colon, not what comes after it
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    if context and context_mark is not None and context_mark.line != line:
        problem += f", {context} that starts on line {context_mark.line + 1}"
    lines = re.split(r"\r\n|\r|\n", text)
    here = lines[line][column : column + 1] if line < len(lines) else ""
    before = _NO_BLANK.match(lines[line - 1]) if line and "mapping values" in problem else None
    if before is not None:
        fix = "write `key: value`, with a space after the colon"
        return Fault(line, before.end() + 1, "there is no space after this colon", fix)
    if here == "\t":
        return Fault(line + 1, column + 1, "a tab is used for indentation", "use spaces")
    fix = next((fix for part, fix in _SYNTAX_FIXES if part in problem), _USUAL_FIX)
    return Fault(line + 1, column + 1, f"this is not valid YAML: {problem}", fix)


def explain_foreign(faults: Sequence[Fault], text: str) -> list[Fault]:
    """The faults, or one for each thing in the text that is no YAML and explains them."""
    if number := conflict_line(text):
        return [Fault(number, 1, CONFLICT, FINISH_MERGE)]
    lines = re.split(r"\r\n|\r|\n", text)
    found: dict[int, Fault] = {}
    for index, fault in enumerate(faults):
        line = lines[fault.line - 1] if fault.line <= len(lines) else ""
        if _ALMOST_SEPARATOR.fullmatch(line):
            what = "this line separates no documents"
            fix = "write `---`: three hyphens where the line begins, and nothing else"
            found.setdefault(fault.line, Fault(fault.line, 1, what, fix))
            continue
        place = _TEMPLATE.search(line)
        if place is None:
            found[-index - 1] = fault
            continue
        what = f"`{place[0]}` begins a template, and this file is read as it is"
        fix = "keep what the template makes: `helm template`, `envsubst`; quote it if it is text"
        found.setdefault(fault.line, Fault(fault.line, place.start() + 1, what, fix))
    return list(found.values())


_NO_BLANK = re.compile(r"[ -]*[\w.-]+(?=:[^\s/])")
_ALMOST_SEPARATOR = re.compile(r"\s*([-\u2010-\u2015]{2,}|[\u2013-\u2015])\s*")
_TEMPLATE = re.compile(r"\{\{[-<%]?|\{%-?|<%=?")
_USUAL_FIX = "check the indentation and the quotes, here and on the line before"
_SYNTAX_FIXES = (
    ("mapping values are not allowed", "quote a text that contains `: `, or check the indentation"),
    ("cannot start any token", "quote a text that starts with this character"),
    ("unknown escape character", "use single quotes, or write `\\\\` for a backslash"),
    ("end of stream", "close the quote or bracket that is still open"),
    ("',' or ']'", "close the list with `]`, or put a comma between its items"),
    ("',' or '}'", "close the mapping with `}`, or put a comma between its entries"),
    ("expected ':'", "write `key: value`, with a space after the colon"),
    ("alphabetic or numeric", "quote a text that starts with `*` or `&`"),
    ("document start", "separate documents with a line of `---`"),
)


def _encoding_fault(line: int, column: int) -> Fault:
    return Fault(line, column, "the file is not UTF-8 text", "save it in UTF-8")


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")
