"""Where each value of a YAML text stands. Only made once something is wrong with a value.

The good path pays nothing for positions: they are found by parsing the text again.
"""

from typing import Any, NamedTuple

import yaml
from yaml.events import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.strict_yaml.source import MAX_DEPTH, MAX_EVENTS, SourceError, decode, open_parser
from reconciler.support.suggest import ENTRY_NAMES

YamlPath = tuple[str | int, ...]


class Position(NamedTuple):
    """1-based line and column, in characters."""

    line: int
    column: int


class _Node:
    """One value: where its key (or itself) starts, where it starts, and what is below it.

    `names` are what an entry of a list may be called in a path: its text, or what names it.
    """

    __slots__ = ("below", "key", "names", "pending", "value")

    def __init__(self, key: Position, value: Position) -> None:
        self.key = key
        self.value = value
        self.below: dict[str | int, _Node] | None = None
        self.names: tuple[str, ...] = ()
        self.pending: tuple[str, Position] | None = None

    def child(self, part: str | int) -> "_Node | None":
        """What is below it under a key or an index, or the entry of a list with this name."""
        if not self.below:
            return None
        if self.pending is _LIST and isinstance(part, str):
            return next((node for node in self.below.values() if part in node.names), None)
        return self.below.get(part)


class Positions:
    """The places of all values of one file that was loaded before."""

    def __init__(self, data: bytes) -> None:
        self._roots: list[_Node] = []
        try:
            self._read(decode(data))
        except (SourceError, yaml.YAMLError):
            return  # the faults of the text itself are reported by `load`

    def at(self, document: int, path: YamlPath, *, key: bool = False) -> Position:
        """The place of a value, or of the nearest value around it that exists.

        With `key`, the place of its key. A block that starts below its key counts as its key's.
        """
        if document >= len(self._roots):
            return Position(1, 1)
        node = self._roots[document]
        for depth, part in enumerate(path):
            found = node.child(part)
            if found is None:
                return node.value if depth == 0 else node.key
            node = found
        return node.key if key or node.key.line != node.value.line else node.value

    def _read(self, text: str) -> None:
        next_event = open_parser(text)
        stack: list[_Node] = []
        for _ in range(MAX_EVENTS):
            event = next_event()
            kind = type(event)
            if kind is MappingEndEvent or kind is SequenceEndEvent:
                stack.pop()
            elif kind is StreamEndEvent:
                return
            elif kind is DocumentStartEvent:
                stack.clear()
                place = _place(event)
                self._roots.append(_Node(place, place))
            elif kind in (ScalarEvent, MappingStartEvent, SequenceStartEvent):
                node = self._enter(event, stack)
                if kind is not ScalarEvent:
                    assert node is not None
                    node.below = {}
                    node.pending = None if kind is MappingStartEvent else _LIST
                    stack.append(node)
                    if len(stack) > MAX_DEPTH:
                        return

    def _enter(self, event: Any, stack: list[_Node]) -> _Node | None:
        place = _place(event)
        if not stack:
            self._roots[-1] = _Node(place, place)
            return self._roots[-1]
        parent = stack[-1]
        assert parent.below is not None
        if parent.pending is _LIST:
            node = _Node(place, place)
            node.names = (str(getattr(event, "value", "")),)
            parent.below[len(parent.below)] = node
        elif parent.pending is None:
            parent.pending = (str(getattr(event, "value", "")), place)
            return None if type(event) is ScalarEvent else _Node(place, place)
        else:
            name, key_place = parent.pending
            node = _Node(key_place, place)
            parent.below.setdefault(name, node)
            parent.pending = None
            if name in ENTRY_NAMES:
                parent.names = (*parent.names, str(getattr(event, "value", "")))
        return node


_LIST = ("", Position(0, 0))


def _place(event: Any) -> Position:
    return Position(event.start_mark.line + 1, event.start_mark.column + 1)
