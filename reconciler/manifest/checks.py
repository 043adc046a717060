"""What single manifests cannot know: doubles, references that lead nowhere, moves that clash."""

from collections.abc import Iterable, Sequence
from typing import Any

from reconciler.core.references import references
from reconciler.core.resource import Resource, ResourceKey
from reconciler.field_errors import Fault
from reconciler.kinds.base import Kind
from reconciler.manifest.report import MOST_SUGGESTIONS, PLAIN_FIX, Place, Report, all_there_are
from reconciler.support.suggest import DataPath, similar

Stated = Sequence[tuple[Resource, Place]]


def check_together(
    stated: Stated, broken: set[ResourceKey] | None, kinds: Iterable[Kind], report: Report
) -> None:
    """Report the faults of all manifests taken together.

    `broken` holds the keys that faulty documents state. None: they are unknown, so any reference
    may lead to one.
    """
    first: dict[ResourceKey, tuple[Resource, Place]] = {}
    for resource, place in stated:
        other = first.setdefault(resource.key, (resource, place))
        if other[0] is not resource:
            _report_double(resource, place, other, report)
    _check_identities(stated, {kind.traits.name: kind.traits.identity for kind in kinds}, report)
    _check_moves(stated, first, report)
    if broken is not None:
        _check_references(stated, first.keys() | broken, report)


def _report_double(
    resource: Resource, place: Place, other: tuple[Resource, Place], report: Report
) -> None:
    key = resource.key
    implied = [one.implies(key.kind) for one in (place, other[1])]
    where = _where(other[1], report)
    if all(implied):
        return  # what they follow from is there twice, and is reported
    if any(implied):
        message = (
            f"{key.address} is stated as a manifest of its own and follows from a "
            f"{place.kind if implied[0] else other[1].kind} as well; the other is at {where}"
        )
        fix = f"keep one: the {key.kind} manifest, or what it follows from"
    else:
        message = f"{key.address} is stated twice; the other is at {where}"
        fix = "delete one, or give one of them a `metadata.id` of its own"
    report.add(place, [Fault(place.id_path, message, fix, rule="duplicate")])


def _check_identities(
    stated: Stated, identities: dict[str, tuple[str, ...]], report: Report
) -> None:
    """Two addresses must not mean one live object."""
    first: dict[tuple[Any, ...], tuple[Resource, Place]] = {}
    for resource, place in stated:
        kind = resource.key.kind
        if place.implies(kind):
            continue
        identity = (kind, *map(resource.spec.get, identities[kind]))
        other, other_place = first.setdefault(identity, (resource, place))
        if other.key != resource.key:
            names = ", ".join(name for name in identities[kind] if name in resource.spec)
            message = (
                f"{resource.key.address} and {other.key.address} are one object on the live "
                f"system: the same {names}; the other is at {_where(other_place, report)}"
            )
            fix = f"delete one, or change its {names}"
            report.add(place, [Fault(place.id_path, message, fix, rule="duplicate")])


def _check_moves(
    stated: Stated, first: dict[ResourceKey, tuple[Resource, Place]], report: Report
) -> None:
    """`moved_from` names an id that nobody has any more, and that moved only once."""
    moved: dict[ResourceKey, Place] = {}
    for resource, place in stated:
        if resource.moved_from is None or place.implies(resource.key.kind):
            continue
        old = ResourceKey(resource.key.kind, resource.moved_from)
        path = ("metadata", "moved_from")
        if old == resource.key:
            message = f"{old.address} is said to have moved from itself"
            report.add(place, [Fault(path, message, "name the id it had before, or delete it")])
        elif old in first:
            where = _where(first[old][1], report)
            message = f"{old.address} is said to have moved, but it is still stated at {where}"
            report.add(place, [Fault(path, message, "delete `moved_from`, or the other manifest")])
        elif old in moved:
            message = f"{old.address} is said to have moved twice; see {_where(moved[old], report)}"
            report.add(place, [Fault(path, message, "keep one `moved_from`")])
        moved.setdefault(old, place)


def _check_references(stated: Stated, known: Iterable[ResourceKey], report: Report) -> None:
    """A reference leads to a resource of these manifests."""
    known, strays = frozenset(known), 0
    for resource, place in stated:
        wanted: dict[ResourceKey, DataPath] = dict.fromkeys(resource.depends_on, ("spec",))
        if wanted:
            for place_in, found in references(resource.spec):
                wanted[found.key] = ("spec", *place_in, "from")
        for key, path in wanted.items():
            if key not in known:
                strays += 1
                fix = _nearest_address(key, known) if strays <= MOST_SUGGESTIONS else PLAIN_FIX
                what = f"there is no {key.address}"
                report.add(place, [Fault(path, what, fix, rule="unknown-reference")])


def _nearest_address(key: ResourceKey, known: Iterable[ResourceKey]) -> str:
    ids = sorted(one.id for one in known if one.kind == key.kind)
    otherwise = all_there_are(ids) or f"add a {key.kind} manifest for it"
    return similar(key.id, ids, otherwise, lambda one: f"`{key.kind}.{one}`")


def _where(place: Place, report: Report) -> str:
    return report.where(place, place.id_path)
