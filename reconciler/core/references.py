"""References in a spec, at any depth -> the values that they stand for, as far as known. Pure.

A reference is bound as soon as its value is known: before anything is read where a provider knows
it from the disk, when the plan is made where the object is live and stays, and else by apply, once
the object is written. What is left in a plan is known after apply.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from reconciler.core.resource import Path, Reference, Resource

Outputs = Callable[[Reference], Any]
"""The value of a reference; None where it is not known yet."""


def references(value: Any, path: Path = ()) -> Iterator[tuple[Path, Reference]]:
    """Every reference in a spec, with the path of the field that holds it."""
    if isinstance(value, Reference):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from references(item, (*path, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from ((path, found) for _, found in references(item))


def bind(resource: Resource, known: Outputs) -> Resource:
    """The resource with the value of each reference that is known; `depends_on` names them all."""
    if not resource.depends_on:
        return resource
    return replace(resource, spec=_bound(resource.spec, known))


def _bound(value: Any, known: Outputs) -> Any:
    if isinstance(value, Reference):
        found = known(value)
        return value if found is None else found
    if isinstance(value, Mapping):
        return {name: _bound(item, known) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_bound(item, known) for item in value]
    return value
