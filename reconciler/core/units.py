"""Changes -> the same, each with those that its manifest states beside it. Pure.

One manifest is one unit, which is carried out as a whole or not at all: see `guards`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.core.mark import hash_id
from reconciler.core.plan import Change
from reconciler.core.resource import (
    UNKNOWN,
    KindTraits,
    Resource,
    ResourceKey,
)


def in_units(
    changes: Sequence[Change], desired: Sequence[Resource], kinds: Mapping[str, KindTraits]
) -> Iterable[Change]:
    """The changes, each with the others of its manifest: those that could not be read as well."""
    wholes = {item.key: item.part_of for item in desired if item.part_of}
    wholes |= _former_wholes(changes, kinds)
    parts: dict[ResourceKey, list[ResourceKey]] = {}
    for part, whole in sorted(wholes.items()):
        parts.setdefault(whole, []).append(part)
    for change in changes:
        if change.deposed:
            yield change
        else:
            beside = tuple(parts.get(change.key, ()))
            yield replace(change, part_of=wholes.get(change.key), parts=beside)


def _former_wholes(
    changes: Sequence[Change], kinds: Mapping[str, KindTraits]
) -> Mapping[ResourceKey, ResourceKey]:
    """For what no manifest states any more: the object of the same id, name and scope."""
    by_place = {
        kinds[change.key.kind].identify(side.spec): change
        for change in changes
        if change.deposed is None and (side := change.live or change.desired) is not None
    }
    found = {}
    for change in changes:
        whole, live = kinds[change.key.kind].part_of, change.live
        if not whole or change.desired or change.deposed or live is None:
            continue
        other = by_place.get(kinds[whole].identify(live.spec))
        if other is not None and _same_id(change, other):
            found[change.key] = other.key
    return found


def _same_id(change: Change, other: Change) -> bool:
    """Whether both have one id; where neither is known any more, the same name has to do."""
    mark = change.live.mark if change.live is not None else None
    if mark is not None and mark.id_hash == hash_id(change.key.kind, other.key.id):
        return True
    return other.desired is None and UNKNOWN in other.key.id and UNKNOWN in change.key.id
