"""A manifest that a client proposes -> nothing, or what no manifest file could hold. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from reconciler.errors import ReconcileError
from reconciler.support.suggest import DataPath, label

LARGEST = 100_000
"""Characters of a manifest, as JSON."""
DEEPEST = 20
"""Levels of lists and mappings."""
_LARGEST_NUMBER = 2**63


def require_modest(manifest: dict[str, Any]) -> None:
    """Raise `ReconcileError` for what no person could review, or no YAML could hold."""
    size, depth = len(json.dumps(manifest)), _depth(manifest)
    if size > LARGEST or depth > DEEPEST:
        raise ReconcileError(
            f"the manifest has {size} characters and {depth} levels; at most {LARGEST} "
            f"and {DEEPEST} are taken here",
            where="manifest",
            fix="leave out what is not needed, or have a person write the file",
        )
    for path, fault in _faults(manifest, ("manifest",)):
        raise ReconcileError(
            f"this value {fault}, which no manifest can hold",
            where=label(path),
            fix="leave that out of it",
        )


def _depth(value: Any) -> int:
    """How deep mappings and lists are nested; found level by level, since it may be very deep."""
    depth, level = 0, [value]
    while level:
        depth += 1
        nested = [item for item in level if isinstance(item, dict | list)]
        level = [
            part for item in nested for part in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def _faults(value: Any, path: DataPath) -> Iterator[tuple[DataPath, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _faults(name, (*path, "(a name)"))
            yield from _faults(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _faults(item, (*path, number))
    elif isinstance(value, str):
        if "\0" in value:
            yield path, "holds a NUL character"
        elif any("\ud800" <= character <= "\udfff" for character in value):
            yield path, "holds half a character (a surrogate)"
    elif isinstance(value, int) and abs(value) >= _LARGEST_NUMBER:
        yield path, "is a number out of range"
