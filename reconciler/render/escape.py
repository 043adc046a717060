"""Data from manifests and servers -> characters that are safe on a terminal and in a runner's log.

`printable` is for one piece of data, `log_safe` for whole lines that a GitHub runner reads, and
`visible` for what a browser lays out: there, letters written from right to left are escaped too,
because they could swap what stands around them.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

from reconciler.core.resource import Named, Reference
from reconciler.support.printable import escaped, is_unsafe, printable

KNOWN_LATER = "(known after apply)"
"""In place of a value that an object will have once it is written."""
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_COMMAND = re.compile(r"(^|[\r\n])(\s*):(?=:)")


def visible(text: str, most: int = 0) -> str:
    """`printable` text for a browser, cut to `most` characters with a count of what is left out.

    Right-to-left letters are escaped, and no `##[` is left for a runner to read.
    """
    if most and len(text) > most:
        text, more = text[:most], len(text) - most
        return f"{visible(text)}... ({more} more characters)"
    if not (text.isascii() and text.isprintable()):
        text = "".join(escaped(c) if is_unsafe(c) or _is_backward(c) else c for c in text)
    return text.replace("##[", "#\\x23[")


def printable_lines(text: str, indent: str = "") -> list[str]:
    """The lines of a text, such as the end of a build's output, each `printable`; none of none."""
    return [f"{indent}{printable(line)}" for line in text.split("\n")] if text else []


def log_safe(text: str) -> str:
    """The same lines, none of which a GitHub runner would take for a command.

    It reads `::name::` after any white space at the start of a line, and `##[name]` anywhere in
    one: ActionCommand.cs of actions/runner.
    """
    if "##[" in text:
        text = text.replace("##[", "#\\x23[")
    return _COMMAND.sub(r"\1\2\\x3a", text) if "::" in text else text


def log_safe_json(text: str) -> str:
    """The same JSON without `##[`, which only a string can hold and which may be escaped there."""
    return text.replace("##[", "#\\u0023[")


def json_line(value: Any) -> str:
    """JSON on one line in UTF-8, as Terraform prints it; what is not printable is escaped.

    Characters beyond 16 bits stay as they are: their escape is a pair of halves, which a tool that
    reads JSON as YAML refuses. checkov then reports no finding at all, and success.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return log_safe_json(_NOT_ASCII.sub(_json_escaped, text))


def _json_escaped(found: re.Match[str]) -> str:
    character = found[0]
    short = ord(character) < 0x10000
    return f"\\u{ord(character):04x}" if short and is_unsafe(character) else character


def literal(value: Any) -> str:
    """A value as Terraform prints it: `"text"`, `8`, `true`, `null`, `["a", "b"]`.

    An id with a name is `"NAME" (ID)`.
    """
    if isinstance(value, Named):
        return f"{literal(value.name)} ({literal_name(str(value))})"
    if isinstance(value, Reference):
        return KNOWN_LATER
    if isinstance(value, str):
        return printable(encode_basestring(value))
    if isinstance(value, Mapping):
        items = (f"{literal_name(name)} = {literal(value[name])}" for name in sorted(value))
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return json.dumps(value)


def literal_name(name: str) -> str:
    """An attribute name, quoted where it is not a plain word."""
    plain = name.replace("_", "a").replace("-", "a")
    return name if plain.isascii() and plain.isalnum() else literal(name)


def _is_backward(character: str) -> bool:
    return unicodedata.bidirectional(character) in _RIGHT_TO_LEFT
