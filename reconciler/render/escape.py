"""Data from manifests and servers -> characters that are safe on a terminal."""

import json
from collections.abc import Mapping
from typing import Any

from reconciler.wording.printable import printable

__all__ = ["literal", "literal_name", "printable"]


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
