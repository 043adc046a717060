"""Where each value of a YAML text stands. Only made once something is wrong with a value.

The good path pays nothing for positions: they are found by parsing the text again.
"""

import contextlib
from typing import Any, NamedTuple

import yaml

from reconciler.errors import ManifestError
from reconciler.strict_yaml.decoding import decode
from reconciler.strict_yaml.loader import load
from reconciler.support.suggest import ENTRY_NAMES

YamlPath = tuple[str | int, ...]


class Position(NamedTuple):
    """1-based line and column, in characters."""

    line: int
    column: int


class Positions:
    """The places of all values of one file that was loaded before."""

    def __init__(self, data: bytes) -> None:
        self._roots: list[Any] = []
        loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml where PyYAML has it
        with contextlib.suppress(ManifestError):
            load(data, "")  # within its limits only: nodes are made by recursion, in C
            self._roots.extend(yaml.compose_all(decode(data), loader))

    def at(self, document: int, path: YamlPath, *, key: bool = False) -> Position:
        """The place of a value, or of the nearest value around it that exists.

        With `key`, the place of its key. A block that starts below its key counts as its key's.
        """
        if document >= len(self._roots):
            return Position(1, 1)
        name = value = self._roots[document]
        for part in path:
            found = _child(value, part)
            if found is None:
                return _place(name)
            name, value = found
        return _place(name if key or name.start_mark.line != value.start_mark.line else value)


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """What names a value below a node, and that value: by its key, its index or its own name."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            if part == index or (isinstance(part, str) and part in _names(item)):
                return item, item
    return None


def _names(item: yaml.Node) -> list[Any]:
    """What an entry of a list may be called in a path: its text, or what names it."""
    if not isinstance(item, yaml.MappingNode):
        return [item.value]
    return [value.value for key, value in item.value if key.value in ENTRY_NAMES]


def _place(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
