"""Which names of the API we know, at any depth of an asset's spec; the others are kept. Pure.

An update of an asset replaces its whole spec, so a body made only of what we know would wipe what
a newer server has besides. Entries of lists are matched by their name.
"""

from collections.abc import Mapping
from typing import Any

from reconciler.kinds.api_fields import Shape


def unknown_fields(raw: Mapping[str, Any], shape: Shape) -> tuple[str, ...]:
    """Dotted names of what has a value in `raw` but no place in `shape`."""
    found: list[str] = []
    _search(raw, shape, "", found)
    return tuple(found)


def _search(raw: Mapping[str, Any], shape: Shape, above: str, found: list[str]) -> None:
    if not raw.keys() <= shape.names:
        found += [
            above + name
            for name, value in raw.items()
            if name not in shape.names and value not in (None, "", [], {})
        ]
    for name, inner, key in shape.inside:
        value = raw.get(name)
        if not value:
            continue
        if key and isinstance(value, list):
            for entry in value:
                if isinstance(entry, dict):
                    _search(entry, inner, f"{above}{name}.{entry.get(key)}.", found)
        elif isinstance(value, dict):
            _search(value, inner, f"{above}{name}.", found)


def keep_unknown(raw: Mapping[str, Any], body: dict[str, Any], shape: Shape) -> None:
    """Copy into `body` what `raw` holds beyond `shape`, wherever `body` has a place for it."""
    for name, value in raw.items():
        if name not in shape.names:
            body.setdefault(name, value)
    for name, inner, key in shape.inside:
        value, target = raw.get(name), body.get(name)
        if key and isinstance(value, list) and isinstance(target, list):
            before = {item.get(key): item for item in reversed(value) if isinstance(item, dict)}
            for entry in target:
                keep_unknown(before.get(entry[key], {}), entry, inner)
        elif isinstance(value, dict) and isinstance(target, dict):
            keep_unknown(value, target, inner)
