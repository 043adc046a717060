"""A plan, and what the manifests said at a base -> whose change each one is. Pure.

Three sides are compared per address: what the base stated, what is stated now, and what is live. If
only the manifests moved since the base, a change is the branch's; if what is stated is the same,
the live object moved, which is drift, or the base is not applied yet, which is pending; else it is
both. Pending is what Git says, from the commit in the mark: see `written_from`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.core.lineage import Lineage, Rights
from reconciler.core.plan import Action, Change, Plan, digest_desired
from reconciler.core.resource import LiveResource, Resource, ResourceKey
from reconciler.core.review_notes import Cause, Edit, Origin


@dataclass(frozen=True, slots=True)
class Base:
    """The resolved resources of the base, and the plan that it would make of what is live now.

    `lineage` tells which live objects were written from commits that HEAD does not contain.
    """

    desired: Mapping[ResourceKey, Resource]
    plan: Plan
    lineage: Lineage = field(default_factory=Lineage)


def find_origins(plan: Plan, base: Base) -> dict[str, Origin]:
    """By address, where each change of the plan comes from."""
    by_address = {change.address: change for change in base.plan.changes}
    by_uid = {
        (change.key.kind, change.live.uid): change
        for change in base.plan.changes
        if change.live is not None
    }
    restacked = plan.stack != base.plan.stack
    origins = {}
    for change in plan.changes:
        if change.action is Action.UNCHANGED:
            continue
        mark = change.live.mark if change.live is not None else None
        ours = mark is not None and mark.stack == plan.stack
        if mark is not None and ours and base.lineage.rights(mark) is Rights.NEWER:
            origins[change.address] = Origin.AHEAD
            continue
        before = by_address.get(change.address)
        if before is None and change.live is not None:
            before = by_uid.get((change.key.kind, change.live.uid))
        stated = digest_desired(base.desired.get(change.key)) if change.deposed is None else ""
        same = stated == digest_desired(change.desired) and not restacked
        origins[change.address] = _origin(before, same=same)
    return origins


def _origin(before: Change | None, *, same: bool) -> Origin:
    if same:
        return Origin.DRIFT
    settled = before is None or before.action is Action.UNCHANGED
    return Origin.BRANCH if settled else Origin.BOTH


def written_from(
    plan: Plan, origins: Mapping[str, Origin], live: Iterable[LiveResource], lineage: Lineage
) -> tuple[dict[str, str], frozenset[str] | None]:
    """What seems to be drift -> the commit that its object was last written from.

    The second are all such commits; None if nothing of this stack is live. What is not there was
    written from none, "", and if the newest of them does not state it, it was never applied.
    """
    marks = {
        (item.kind, item.uid): item.mark.written.commit
        for item in live
        if item.mark is not None and item.mark.stack == plan.stack
    }
    known = {place: commit for place, commit in marks.items() if lineage.contains(commit)}
    drift = [change for change in plan.changes if origins.get(change.address) is Origin.DRIFT]
    places = {c.address: (c.key.kind, c.live.uid) for c in drift if c.live is not None}
    commits = {name: known[place] for name, place in places.items() if place in known}
    absent = {change.address: "" for change in drift if change.live is None}
    return commits | absent, frozenset(known.values()) if marks else None


def to_causes(
    changes: Iterable[Change], origins: Mapping[str, Origin], edits: Mapping[str, Edit]
) -> dict[str, Cause]:
    """By address, the origin, with the edit and the last change of the live object as known."""
    causes = {}
    for change in changes:
        origin = origins.get(change.address)
        if origin is None:
            continue
        live = change.live if origin not in (Origin.BRANCH, Origin.PENDING) else None
        causes[change.address] = Cause(
            origin,
            edits.get(change.address) if origin is not Origin.DRIFT else None,
            (live.updated_by or "") if live else "",
            (live.updated_at or "") if live else "",
        )
    return causes
