"""One document of a manifest file put in, replaced or taken out; every other byte stays. Pure.

No YAML is written anew but the document in question: comments, order, quotes and blank lines of
the others are somebody's work. What comes out is parsed again and compared with what was meant.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml
from yaml.events import DocumentStartEvent, StreamEndEvent

from reconciler.errors import ConfigError, ManifestError
from reconciler.manifest.files import ManifestFile
from reconciler.strict_yaml import MAX_EVENTS
from reconciler.strict_yaml import load as load_yaml
from reconciler.strict_yaml.source import decode, open_parser

_RIGHTS = re.compile(rb"copyright|licen[cs]e|spdx-", re.IGNORECASE)


def write_document(document: Mapping[str, Any]) -> bytes:
    """A manifest as YAML text that the strict loader reads as the same data."""
    for plain in (True, False):
        text = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=plain, width=100)
        try:
            if _data(text.encode()) == [document]:
                return text.encode()
        except ManifestError:
            continue
    raise ConfigError("this manifest cannot be written as YAML", fix="use plainer text in it")


def remove_document(file: ManifestFile, index: int) -> bytes | None:
    """The file without one document; None if nothing is left. Raises `ConfigError`."""
    wanted = _data(file.data)
    del wanted[index]
    if all(item is None for item in wanted):
        return None
    lines = file.data.splitlines(keepends=True)
    place = _segment(file.data, lines, index)
    before, after = lines[: place.start], lines[place.end :]
    while after and not after[0].strip() and (not before or not before[-1].strip()):
        del after[0]
    return _checked(file, b"".join(before + after), wanted)


def replace_document(file: ManifestFile, index: int, document: Mapping[str, Any]) -> bytes:
    """The file with another document in place of one. Raises `ConfigError`."""
    wanted = _data(file.data)
    wanted[index] = dict(document)
    lines = file.data.splitlines(keepends=True)
    place = _segment(file.data, lines, index)
    before, after = b"".join(lines[: place.content]), b"".join(lines[place.end :])
    dashes = b"---\n" if place.inline else b""
    return _checked(file, before + dashes + write_document(document) + after, wanted)


def _checked(file: ManifestFile, data: bytes, wanted: list[Any]) -> bytes:
    try:
        same = _data(data) == wanted
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


class _Place(NamedTuple):
    """Where a document stands, in 0-based lines.

    `start` is the first line that goes with it, `content` its first line but for comments, `end`
    the one behind its last. `inline`: the content begins on the line of the `---`.
    """

    start: int
    content: int
    end: int
    inline: bool


def _segment(data: bytes, lines: list[bytes], index: int) -> _Place:
    """Find a document, and leave comments to others where they may be theirs.

    Comments between a `---` and its document belong to that one; those before the first document
    and those in the first column above a `---` or at the end of the file do not.
    """
    starts = _starts(data)
    line, marked, content = starts[index]
    following = [number for number, _, _ in starts[index + 1 :]]
    end = following[0] if following else len(lines)
    start = line if index or marked else _header(lines, line)
    return _Place(start, content, _foot(lines, content, end), marked and content == line)


def _starts(data: bytes) -> list[tuple[int, bool, int]]:
    """The line on which each document starts, whether with `---`, and the line of its content."""
    found = []
    next_event = open_parser(decode(data))
    for _ in range(MAX_EVENTS):
        event: Any = next_event()
        if type(event) is StreamEndEvent:
            break
        if type(event) is DocumentStartEvent:
            mark: Any = event.start_mark
            root: Any = next_event()
            found.append((mark.line, bool(event.explicit), root.start_mark.line))
    return found


def _header(lines: list[bytes], content: int) -> int:
    """Where the first document starts: behind the comments that are the file's.

    Those are what a blank line sets apart, the line for an editor, and a notice of rights.
    """
    blank = [number for number in range(content) if not lines[number].strip()]
    if blank:
        return blank[-1] + 1
    if any(_RIGHTS.search(line) for line in lines[:content]):
        return content
    schema = [n for n in range(content) if b"yaml-language-server" in lines[n]]
    return schema[-1] + 1 if schema else 0


def _foot(lines: list[bytes], content: int, end: int) -> int:
    """The line behind the last of a document: comments in the first column below are no part."""
    first, comments = end, False
    while first > content + 1 and (not lines[first - 1].strip() or lines[first - 1][:1] == b"#"):
        first -= 1
        comments = comments or lines[first][:1] == b"#"
    return first if comments else end
