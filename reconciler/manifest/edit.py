"""One document of a manifest file put in, replaced or taken out; every other byte stays. Pure.

No YAML is written anew but the document in question: comments, order, quotes and blank lines of
the others are somebody's work. A comment goes only with a document that it is certainly of: between
its lines, between its `---` and its first line, or above the first document where a blank line sets
it apart from the head of the file. What comes out is parsed again and compared with what was meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import DocumentStartEvent, ScalarEvent, StreamEndEvent

from reconciler.errors import ConfigError, ManifestError
from reconciler.manifest.files import ManifestFile
from reconciler.strict_yaml import MAX_EVENTS
from reconciler.strict_yaml import load as load_yaml
from reconciler.strict_yaml.decoding import decode, open_parser

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml may be missing


def write_document(document: Mapping[str, Any]) -> bytes:
    """A manifest as YAML text that the strict loader reads as the same data."""
    for plain in (True, False):
        text = yaml.dump(
            dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=plain, width=100
        )
        if plain and not all(line.isprintable() for line in text.split("\n")):
            continue  # such as what makes text run from right to left
        try:
            if _data(text.encode()) == [document]:
                return text.encode()
        except ManifestError:
            continue
    raise ConfigError("this manifest cannot be written as YAML", fix="use plainer text in it")


def add_documents(file: ManifestFile, text: bytes) -> bytes:
    """The file with written documents behind its own. Raises `ConfigError`."""
    try:
        before = _data(file.data)
    except ManifestError as error:
        raise ConfigError(
            "this file is no YAML that documents can be added to",
            where=file.name,
            fix="correct it, or name another file",
        ) from error
    if not file.data.strip():
        return text
    end = b"" if file.data.endswith(b"\n") else b"\n"
    return _checked(file, file.data + end + b"---\n" + text, [*_stated(before), *_data(text)])


def _stated(documents: list[Any]) -> list[Any]:
    """The documents without those that hold nothing."""
    return [item for item in documents if item is not None]


def remove_document(file: ManifestFile, index: int) -> bytes | None:
    """The file without one document; None if nothing is left. Raises `ConfigError`."""
    wanted = _data(file.data)
    del wanted[index]
    if all(item is None for item in wanted):
        return None
    lines = file.data.splitlines(keepends=True)
    at = _segment(file.data, lines, index)
    return _checked(file, b"".join(lines[: at.start] + lines[at.behind :]), wanted)


def replace_document(file: ManifestFile, index: int, document: Mapping[str, Any]) -> bytes:
    """The file with another document in place of one; comments above its first line stay.

    Raises `ConfigError`.
    """
    wanted = _data(file.data)
    wanted[index] = dict(document)
    lines = file.data.splitlines(keepends=True)
    at = _segment(file.data, lines, index)
    before = lines[: at.content]
    if at.marked and at.content == at.mark:
        before.append(b"---\n")
    text = [*before, write_document(document), *lines[at.behind :]]
    return _checked(file, b"".join(text), wanted)


def _checked(file: ManifestFile, data: bytes, wanted: list[Any]) -> bytes:
    try:
        same = _stated(_data(data)) == _stated(wanted)
    except ManifestError:
        same = False
    if not same:
        raise ConfigError(
            "this file is written in a way that cannot be edited safely by machine",
            where=file.name,
            fix="edit it by hand, or separate its documents by lines of `---`",
        )
    return data


def _data(data: bytes) -> list[Any]:
    return [document.data for document in load_yaml(data, "")]


@dataclass(frozen=True, slots=True)
class _Segment:
    """The 0-based lines of a document.

    `mark` is where it begins for YAML, by a `---` if it is `marked`, `content` its first line of
    data. `start` is the first line that goes with it, `behind` the first that does not.
    """

    start: int
    mark: int
    marked: bool
    content: int
    behind: int


def _segment(data: bytes, lines: list[bytes], index: int) -> _Segment:
    spans = _spans(data)
    span = spans[index]
    end = spans[index + 1].mark if index + 1 < len(spans) else len(lines)
    start = span.mark
    if index == 0 and not span.marked:
        start = _head(lines, span.content)
    return _Segment(start, span.mark, span.marked, span.content, _behind(lines, span.last, end))


@dataclass(slots=True)
class _Span:
    """What the parser says of a document; `last` is the last line on which a value ends."""

    mark: int
    marked: bool
    content: int = -1
    last: int = -1


def _spans(data: bytes) -> list[_Span]:
    found: list[_Span] = []
    next_event = open_parser(decode(data))
    for _ in range(MAX_EVENTS):
        event: Any = next_event()
        if type(event) is StreamEndEvent:
            break
        start: Any = event.start_mark
        if type(event) is DocumentStartEvent:
            found.append(_Span(start.line, bool(event.explicit)))
        elif found:
            span = found[-1]
            if span.content < 0:
                span.content = max(span.mark, start.line)
            end: Any = event.end_mark
            if type(event) is ScalarEvent:  # a block scalar ends at the start of the next line
                span.last = max(span.last, end.line - (end.column == 0))
    return found


def _head(lines: list[bytes], content: int) -> int:
    """Where the first document starts: after the head of the file, which may be a licence.

    Comments right above the document belong to it only if a blank line separates them from others.
    """
    blank = [number for number in range(content) if not lines[number].strip()]
    above = [number for number in blank if any(line.strip() for line in lines[:number])]
    return above[-1] + 1 if above else content


def _behind(lines: list[bytes], last: int, end: int) -> int:
    """The end of a document: before the last comments at the left margin.

    Those may be about the next document, or the foot of the file. Indented ones belong to this one.
    """
    behind = end
    for number in range(end - 1, last, -1):
        if lines[number].startswith(b"#"):
            behind = number
        elif lines[number].strip():
            break
    return behind
