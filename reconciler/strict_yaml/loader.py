"""The events of one YAML text -> plain data, with every refusal at its place."""

import re
from typing import Any, NamedTuple, NoReturn, Self

import yaml
from yaml.events import (
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from reconciler.errors import ManifestError, Problem
from reconciler.strict_yaml.decoding import (
    MAX_DEPTH,
    MAX_EVENTS,
    Fault,
    SourceError,
    decode,
    explain_foreign,
    explain_syntax,
    open_parser,
)

_MAX_FAULTS = 20
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_NUMBER = re.compile(r"(?:0|-?[1-9][0-9]{0,17})|-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,17})")
_NUMBER_START = frozenset("-0123456789")
_QUOTES = frozenset("\u201c\u201d\u201e\u2018\u2019\u201a\u00ab")
_NO_KEY: Any = object()


class YamlDocument(NamedTuple):
    """One document: its data, and the 1-based line on which its content starts."""

    data: Any
    line: int


class WrittenFloat(float):
    """A number that remembers how it was written, since `1.10` may be meant as a version."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def load(data: bytes, file: str) -> list[YamlDocument]:
    """All documents of a file, including empty ones (as None), so that an index can be located.

    Raises `ManifestError` with every fault up to where the parser had to stop; `file` is the name
    for it.
    """
    faults: list[Fault] = []
    documents: list[YamlDocument] = []
    text = ""
    try:
        text = decode(data)
        documents = _Construction(text, faults).run()
    except SourceError as stop:
        faults.append(stop.fault)
    if faults:
        found = explain_foreign(faults, text)
        raise ManifestError([Problem(file, *fault, rule="yaml") for fault in found])
    return documents


class _Construction:
    """One pass over the events of a text.

    `faults` collects what is refused but does not stop the parser; what is constructed of such a
    text does not matter.
    """

    def __init__(self, text: str, faults: list[Fault]) -> None:
        self.text = text
        self.faults = faults
        self.documents: list[YamlDocument] = []
        self._again: list[str] = []  # keys of a document that are there twice, in a row
        self._first_again = 0

    def run(self) -> list[YamlDocument]:
        """All documents. Raises `SourceError` where reading has to stop."""
        try:
            self._read()
        except yaml.YAMLError as error:
            raise SourceError(explain_syntax(error, self.text)) from error
        except (ValueError, OverflowError) as error:  # Python's scanner, on "\UFFFFFFFF"
            fix = "delete it, or use single quotes"
            raise SourceError(Fault(1, 1, "an escape names no character", fix)) from error
        return self.documents

    def _read(self) -> None:  # noqa: C901, PLR0912, PLR0915  (one loop: calls would double its cost)
        next_event = open_parser(self.text)
        stack: list[tuple[Any, Any]] = []
        holder: Any = None
        key: Any = _NO_KEY
        line = 0
        root: Any = None
        for _ in range(MAX_EVENTS):
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                if event.anchor is not None or event.tag is not None:
                    self._refuse_decoration(event)
                value = event.value
                style = event.style
                if style == '"' and not _is_sound(value):
                    self._refuse(event, "the text contains a NUL or half a character", "remove it")
                if key is _NO_KEY and type(holder) is dict:
                    if not style and value in ("<<", ""):
                        self._refuse_key(event)
                    elif value in holder:
                        self._refuse_again(event, at_root=holder is root)
                    elif not style and not value.isascii():
                        self._check_blanks(event)
                    key = value
                    continue
                if not style:
                    if value in _CONSTANTS:
                        value = _CONSTANTS[value]
                    elif value[0] in _NUMBER_START:
                        value = _number(value)
                    elif value[0] in _QUOTES:
                        fix = "write \" or ' in its place, or put the whole text into these"
                        self._refuse(event, "a typographic quote is no quote to YAML", fix)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                if event.anchor is not None or event.tag is not None:
                    self._refuse_decoration(event)
                value = {} if kind is MappingStartEvent else []
                if key is _NO_KEY and type(holder) is dict:
                    self._refuse(event, "a key must be plain text", "write `key: value`")
                    key = ""
                if holder is None:
                    line, root = event.start_mark.line, value
                elif type(holder) is dict:
                    holder[key] = value
                else:
                    holder.append(value)
                stack.append((holder, _NO_KEY))
                if len(stack) > MAX_DEPTH:
                    self._stop(event, f"it is nested more than {MAX_DEPTH} levels deep")
                holder, key = value, _NO_KEY
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                holder, key = stack.pop()
                continue
            elif kind is DocumentStartEvent:
                holder, key, root, line = None, _NO_KEY, None, event.start_mark.line
                self._again = []
                continue
            elif kind is DocumentEndEvent:
                self.documents.append(YamlDocument(root, line + 1))
                continue
            elif kind is StreamStartEvent:
                continue
            elif kind is StreamEndEvent:
                return
            else:
                self._refuse(event, "an alias (`*name`) is not accepted", _WRITE_OUT)
                value = None
                if key is _NO_KEY and type(holder) is dict:
                    key = ""
                    continue
            if type(holder) is dict:
                holder[key] = value
                key = _NO_KEY
            elif holder is None:
                line, root = event.start_mark.line, value
            else:
                holder.append(value)
        self._stop(event, f"the file has more than {MAX_EVENTS:,} YAML events")

    def _refuse_key(self, event: Any) -> None:
        if event.value == "":
            self._refuse(event, "a key is missing before the colon", "write `key: value`")
        else:
            self._refuse(event, "a merge key (`<<`) is not accepted", _WRITE_OUT)

    def _refuse_again(self, event: Any, *, at_root: bool) -> None:
        """Refuse a key that is there twice; with several of a whole document, all at once."""
        name = event.value if len(event.value) <= 80 else event.value[:77] + "..."
        if not at_root or name in self._again:
            self._again = []
        if at_root:
            self._again.append(name)
        if len(self._again) < 2:
            self._refuse(event, f"the key `{name}` is there twice", "delete one of the two")
            self._first_again = len(self.faults) - 1
            return
        self.faults[self._first_again] = self.faults[self._first_again]._replace(
            message=f"the keys {', '.join(f'`{name}`' for name in self._again)} are there twice",
            fix="is a `---` missing above? Otherwise delete one of each",
        )

    def _check_blanks(self, event: Any) -> None:
        """Refuse what looks like the indentation of a key and is a part of its name."""
        odd = next((sign for sign in event.value if sign.isspace() and sign != " "), None)
        if odd is not None:
            what = f"U+{ord(odd):04X} is no blank to YAML, but a part of this key"
            self._refuse(event, what, "write ordinary spaces")

    def _refuse_decoration(self, event: Any) -> None:
        if event.anchor is not None:
            self._refuse(event, "an anchor (`&name`) is not accepted", _WRITE_OUT)
        else:
            fix = "delete it; quote the value if it is text that starts with `!`"
            self._refuse(event, "a tag (`!name`) is not accepted", fix)

    def _refuse(self, event: Any, message: str, fix: str) -> None:
        mark = event.start_mark
        self.faults.append(Fault(mark.line + 1, mark.column + 1, message, fix))
        if len(self.faults) >= _MAX_FAULTS:
            self._stop(event, "there are too many faults to go on")

    def _stop(self, event: Any, message: str) -> NoReturn:
        mark = event.start_mark
        fix = "split or simplify the file"
        raise SourceError(Fault(mark.line + 1, mark.column + 1, message, fix))


_WRITE_OUT = "write the value out where it is meant"


def _number(text: str) -> Any:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    return int(text) if found[1] is None else WrittenFloat(text)


def _is_sound(text: str) -> bool:
    """Whether a text with escapes in it holds neither NUL nor a lone surrogate."""
    return "\0" not in text and (
        text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
    )
