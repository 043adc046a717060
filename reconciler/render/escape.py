"""Data from manifests and servers -> characters that are safe on a terminal."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str) -> str:
    """The text with every control, format, private or separator character written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _UNSAFE else c for c in text)


def literal(value: Any) -> str:
    """A value as Terraform prints it: `"text"`, `8`, `true`, `null`, `["a", "b"]`."""
    if isinstance(value, str):
        return printable(json.dumps(value, ensure_ascii=False))
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


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
