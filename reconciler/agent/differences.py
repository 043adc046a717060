"""What the manifests state before and after a proposal -> lines, address by address. Pure.

The caller of a function sees what it asked for; the manifest may have said more, and what it said
and the new one does not is shown first.
"""

from collections.abc import Iterable
from typing import Any

from reconciler.core.diff import FieldChange, diff_specs
from reconciler.core.resource import Resource, ResourceKey, Secret, redact
from reconciler.kinds.registry import KIND_TRAITS
from reconciler.render.escape import literal
from reconciler.render.model_text import plain, quoted

_MOST = 60
"""Fields shown of all addresses together; of the rest, the number is told."""


def difference_lines(
    keys: Iterable[ResourceKey], before: Iterable[Resource], after: Iterable[Resource]
) -> list[str]:
    """Each address with what is to happen to it, and below it the fields that differ."""
    old = {item.key: item for item in before}
    new = {item.key: item for item in after}
    lines, room = [], _MOST
    for key in keys:
        action, fields = _compare(old.get(key), new.get(key))
        lines.append(f"  • {plain(key.address)}: {action}")
        lines += [f"    - {field}" for field in fields[:room]]
        if len(fields) > room:
            lines.append(f"    - and {len(fields) - room} more fields that differ")
        room = max(0, room - len(fields))
    return lines


def _compare(old: Resource | None, new: Resource | None) -> tuple[str, list[str]]:
    if old is None:
        return "create", []
    if new is None:
        return "delete (no manifest states it any more)", []
    immutable = KIND_TRAITS[new.key.kind].immutable & new.spec.keys()
    fields = diff_specs(old.spec, new.spec, frozenset())
    forced = any(field.path[0] in immutable for field in fields)
    action = "replace (its id changes)" if forced else "change"
    return action, [*_metadata(old, new), *(_field(item) for item in _removed_first(fields))]


def _removed_first(fields: Iterable[FieldChange]) -> list[FieldChange]:
    return sorted(fields, key=lambda field: field.after is not None)


def _field(field: FieldChange) -> str:
    name = plain(field.name)
    if field.after is None:
        return f"{name}: {_value(field.before)} is removed"
    if field.before is None:
        return f"{name}: {_value(field.after)} is added"
    return f"{name}: {_value(field.before)} becomes {_value(field.after)}"


def _metadata(old: Resource, new: Resource) -> list[str]:
    """What differs beside the spec. It protects, so it comes first."""
    names = ("protect", "adopt", "moved_from")
    found = ((f"metadata.{name}", getattr(old, name), getattr(new, name)) for name in names)
    return [
        f"{name}: {_value(before)} becomes {_value(after)}"
        for name, before, after in found
        if before != after
    ]


def _value(value: Any) -> str:
    if isinstance(value, Secret):
        return "(sensitive value)"
    return quoted(literal(redact(value)))
