"""Places in a spec by pattern: `environment_variables.*.credential`, `*` for any one key. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reconciler.core.resource import Path


def values_at(spec: Mapping[str, Any], pattern: str) -> Iterator[tuple[Path, Any]]:
    """Every value that a spec has at a pattern, with its path."""
    name, _, rest = pattern.partition(".")
    for key in tuple(spec) if name == "*" else (name,):
        if key not in spec:
            continue
        if not rest:
            yield (key,), spec[key]
        elif isinstance(spec[key], Mapping):
            for path, value in values_at(spec[key], rest):
                yield (key, *path), value


def change_at(
    spec: Mapping[str, Any], pattern: str, change: Callable[[Path, Any], Any]
) -> dict[str, Any]:
    """A copy of a spec with what `change` makes of the values that it has at a pattern."""
    changed = dict(spec)
    for path, value in values_at(spec, pattern):
        holder = changed
        for key in path[:-1]:
            holder[key] = holder = dict(holder[key])
        holder[path[-1]] = change(path, value)
    return changed
