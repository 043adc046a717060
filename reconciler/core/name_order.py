"""Two objects of ours that want one name: who goes first, and who cannot have it. Pure.

A live system lets no two objects share what identifies them. So who takes over the name of another
object waits until that one has given it up; where it never will (it stays, it is deleted last, or
the two want to swap), the change is a conflict and says so, instead of failing at every apply.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.core.plan import Action, Change, Plan, Refusal, RefusalKind
from reconciler.core.resource import KindTraits, Resource, ResourceKey
from reconciler.errors import ManifestError, Problem


def order_names(plan: Plan, kinds: Mapping[str, KindTraits]) -> Plan:
    """The plan with such changes ordered by `depends_on`, or refused."""
    holders = {
        kinds[change.key.kind].identify(change.live.spec): change
        for change in plan.changes
        if change.live is not None
        and change.live.mark is not None
        and change.live.mark.stack == plan.stack
    }
    waits: dict[ResourceKey, ResourceKey] = {}
    refusals: dict[ResourceKey, Refusal] = {}
    for change in plan.changes:
        resource = change.desired
        if resource is None or not change.pending:
            continue
        wanted = kinds[change.key.kind].identify(resource.spec)
        holder = holders.get(wanted)
        if holder is None or holder.key == change.key:
            continue
        if _gives_up(holder, wanted, kinds):
            waits[change.key] = holder.key
        else:
            refusals[change.key] = _taken(holder)
    for key, other in waits.items():
        if _in_circle(key, waits):
            refusals[key] = _swapped(other)
    return replace(plan, changes=tuple(_with(change, waits, refusals) for change in plan.changes))


def require_distinct(desired: Sequence[Resource], kinds: Mapping[str, KindTraits]) -> None:
    """Raise `ManifestError` where two resources are one object of the live system.

    For resolved resources: only then a scope that is written in two ways is one scope.
    """
    first: dict[tuple[Any, ...], Resource] = {}
    problems = []
    for resource in desired:
        known = first.setdefault(kinds[resource.key.kind].identify(resource.spec), resource)
        if known is not resource:
            place = resource.source
            problems.append(
                Problem(
                    place.file,
                    place.line,
                    1,
                    f"{resource.key.address} is the same object as {known.key.address} "
                    f"({known.source}): same name and scope",
                    "give one of them another name or scope, or remove it",
                )
            )
    if problems:
        raise ManifestError(problems)


def _gives_up(holder: Change, wanted: tuple[Any, ...], kinds: Mapping[str, KindTraits]) -> bool:
    """Whether this change ends with its object under another name."""
    return (
        holder.desired is not None
        and kinds[holder.key.kind].identify(holder.desired.spec) != wanted
    )


def _in_circle(key: ResourceKey, waits: Mapping[ResourceKey, ResourceKey]) -> bool:
    passed: set[ResourceKey] = set()
    following = waits.get(key)
    while following is not None and following != key and following not in passed:
        passed.add(following)
        following = waits.get(following)
    return following == key


def _taken(holder: Change) -> Refusal:
    if holder.action is Action.DELETE:
        return Refusal(
            RefusalKind.CONFLICT,
            f"its name is still taken by {holder.address}, which is deleted last",
            f"apply once more when {holder.address} is gone",
        )
    return Refusal(
        RefusalKind.CONFLICT,
        f"its name is taken by {holder.address}",
        "choose another name for one of the two",
    )


def _swapped(other: ResourceKey) -> Refusal:
    return Refusal(
        RefusalKind.CONFLICT,
        f"it would take its name from {other.address}, which in turn waits for a name",
        "give one of them an interim name, apply, then give it the name that is meant",
    )


def _with(
    change: Change,
    waits: Mapping[ResourceKey, ResourceKey],
    refusals: Mapping[ResourceKey, Refusal],
) -> Change:
    resource = change.desired
    if resource is None:
        return change
    if change.key in refusals:
        return replace(change, refusal=refusals[change.key])
    if change.key in waits:
        return replace(change, desired=_after(resource, waits[change.key]))
    return change


def _after(resource: Resource, key: ResourceKey) -> Resource:
    return replace(resource, depends_on=(*resource.depends_on, key))
