"""One document of a manifest file put in, replaced or taken out; every other byte stays. Pure.

No YAML is written anew but the document in question: comments, order, quotes and blank lines of
the others are somebody's work. What comes out is parsed again and compared with what was meant.
"""

from collections.abc import Mapping
from typing import Any

import yaml
from yaml.events import DocumentStartEvent, StreamEndEvent

from reconciler.errors import ConfigError, ManifestError
from reconciler.manifest.files import ManifestFile
from reconciler.strict_yaml import MAX_EVENTS
from reconciler.strict_yaml import load as load_yaml
from reconciler.strict_yaml.source import decode, open_parser


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
    start, _, end = _segment(file.data, lines, index)
    return _checked(file, b"".join(lines[:start] + lines[end:]), wanted)


def replace_document(file: ManifestFile, index: int, document: Mapping[str, Any]) -> bytes:
    """The file with another document in place of one. Raises `ConfigError`."""
    wanted = _data(file.data)
    wanted[index] = dict(document)
    lines = file.data.splitlines(keepends=True)
    start, marked, end = _segment(file.data, lines, index)
    before = b"".join(lines[:start])
    text = (b"---\n" if marked else b"") + write_document(document)
    return _checked(file, before + text + b"".join(lines[end:]), wanted)


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


def _segment(data: bytes, lines: list[bytes], index: int) -> tuple[int, bool, int]:
    """The lines of a document: the first, whether it is `---`, and the one behind the last.

    Comments behind a `---` belong to its document, those before the first document to the file.
    """
    starts = _starts(data)
    line, marked = starts[index]
    following = [number for number, _ in starts[index + 1 :]]
    end = following[0] if following else len(lines)
    if index == 0 and not marked:
        line = _header(lines, line)
    return line, marked, end


def _starts(data: bytes) -> list[tuple[int, bool]]:
    """The 0-based line on which each document starts, and whether with `---`."""
    found = []
    next_event = open_parser(decode(data))
    for _ in range(MAX_EVENTS):
        event: Any = next_event()
        if type(event) is StreamEndEvent:
            break
        if type(event) is DocumentStartEvent:
            mark: Any = event.start_mark
            found.append((mark.line, bool(event.explicit)))
    return found


def _header(lines: list[bytes], content: int) -> int:
    """Where the first document starts: behind the comments that a blank line sets apart."""
    blank = [number for number in range(content) if not lines[number].strip()]
    if blank:
        return blank[-1] + 1
    schema = [n for n in range(content) if b"yaml-language-server" in lines[n]]
    return schema[-1] + 1 if schema else 0
