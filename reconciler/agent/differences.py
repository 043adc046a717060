"""The manifests of a base and those of a proposal -> what differs, field by field, in words. Pure.

A specification takes the place of a manifest's whole spec: what it leaves out is dropped, and the
compute asset that the manifest implied may go with it. So whoever is asked to confirm a proposal
reads each address with what becomes of it, and what is removed before what is set.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.diff import FieldChange, diff_specs
from reconciler.kinds.registry import KINDS
from reconciler.render.escape import literal
from reconciler.render.model_text import plain, quoted
from reconciler.resource import SENSITIVE, Resource, ResourceKey, Secret, redact

ADDED = "added"
CHANGED = "changed"
REMOVED = "removed"

_MOST = 30
_IMMUTABLE = {kind.traits.name: kind.traits.immutable for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Difference:
    """One address that differs: `word` is `added`, `changed` or `removed`.

    `fields` are those of the canonical spec, and of the metadata beside it; with
    `forces_replacement` where the live object cannot be changed in place.
    """

    key: ResourceKey
    word: str
    fields: tuple[FieldChange, ...]


def compare_manifests(
    before: Sequence[Resource], after: Sequence[Resource]
) -> tuple[Difference, ...]:
    """What differs between two sets of manifests, by address; where they stand is no part."""
    old = {item.key: item for item in before}
    new = {item.key: item for item in after}
    return tuple(
        _compare(key, old.get(key), new.get(key))
        for key in sorted(old.keys() | new.keys())
        if _stated(old.get(key)) != _stated(new.get(key))
    )


def _compare(key: ResourceKey, before: Resource | None, after: Resource | None) -> Difference:
    word = CHANGED if before and after else ADDED if after else REMOVED
    immutable = _IMMUTABLE[key.kind] & after.spec.keys() if before and after else frozenset()
    found = diff_specs(_stated(before), _stated(after), frozenset())
    fields = tuple(
        FieldChange(item.path, item.before, item.after, item.path[0] in immutable) for item in found
    )
    return Difference(key, word, fields)


def _stated(resource: Resource | None) -> Mapping[str, Any]:
    """The spec, and what the metadata says beside the name."""
    if resource is None:
        return {}
    beside = {
        "protect": resource.protect,
        "adopt": resource.adopt,
        "moved_from": resource.moved_from,
    }
    return {**resource.spec, "metadata": {name: item for name, item in beside.items() if item}}


def difference_lines(differences: Sequence[Difference]) -> Iterator[str]:
    """Each address and what becomes of it; what is added is shown elsewhere, field by field."""
    yield "What Changes in the Manifests:"
    for difference in differences:
        yield f"  • {plain(difference.key.address)}: {difference.word}"
        if difference.word != ADDED:
            yield from _field_lines(difference)
    if any(item.word == CHANGED and _drops(item.fields) for item in differences):
        yield "What the specification leaves out is removed: state it there to keep it."


def _drops(fields: Sequence[FieldChange]) -> bool:
    return any(item.after is None for item in fields)


def _field_lines(difference: Difference) -> Iterator[str]:
    fields = sorted(difference.fields, key=lambda item: item.after is not None)
    for field in fields[:_MOST]:
        before, after = _shown(field.before), _shown(field.after)
        if difference.word == REMOVED:
            words = before
        elif field.after is None:
            words = f"{before} is removed"
        elif field.before is None:
            words = f"is set to {after}"
        else:
            words = f"{before} -> {after}"
        if field.forces_replacement:
            words += " (the live object is replaced: its id changes)"
        yield f"    - {plain(field.name)}: {words}"
    if len(fields) > _MOST:
        yield f"    ... and {len(fields) - _MOST} more fields"


def _shown(value: Any) -> str:
    return SENSITIVE if isinstance(value, Secret) else quoted(literal(redact(value)))
