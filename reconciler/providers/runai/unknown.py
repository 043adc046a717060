"""Fields of a newer server that we do not know: named when read, kept when written. Pure.

An update of an asset replaces its whole spec, so a body made only of what we know would wipe what
we do not know. Entries of lists are matched by their name.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.providers.runai.fields import Shape


def unknown_fields(raw: Mapping[str, Any], shape: Shape, above: str = "") -> Iterator[str]:
    """Dotted names of what has a value in `raw` but no place in `shape`."""
    for name, value in raw.items():
        if name not in shape:
            if value not in (None, [], {}, ""):
                yield above + name
        elif value:
            yield from _unknown_below(value, shape[name], f"{above}{name}.")


def _unknown_below(value: Any, inner: Any, above: str) -> Iterator[str]:
    if isinstance(inner, Mapping) and isinstance(value, dict):
        yield from unknown_fields(value, inner, above)
    elif isinstance(inner, tuple) and isinstance(value, list):
        key, shape = inner
        for entry in value:
            if isinstance(entry, dict):
                yield from unknown_fields(entry, shape, f"{above}{entry.get(key)}.")


def keep_unknown(raw: Mapping[str, Any], body: dict[str, Any], shape: Shape) -> None:
    """Copy into `body` what `raw` holds beyond `shape`, wherever `body` has a place for it."""
    for name, value in raw.items():
        inner = shape.get(name)
        if name not in shape:
            body.setdefault(name, value)
        elif isinstance(inner, Mapping) and isinstance(value, dict):
            if isinstance(body.get(name), dict):
                keep_unknown(value, body[name], inner)
        elif isinstance(inner, tuple) and isinstance(value, list) and name in body:
            _keep_in_entries(value, body[name], *inner)


def _keep_in_entries(raw: list[Any], body: list[Any], key: str, shape: Shape) -> None:
    found = {entry.get(key): entry for entry in reversed(raw) if isinstance(entry, dict)}
    for entry in body:
        if (before := found.get(entry[key])) is not None:
            keep_unknown(before, entry, shape)
