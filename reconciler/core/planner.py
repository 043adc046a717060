"""Desired and live resources -> a plan. Pure.

`make_plan` pairs resources by key (through the ownership mark on the live side) and decides one
action per pair. It never decides that something must not happen for the sake of safety: that is
`reconciler.core.guards`.
"""

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.diff import FieldChange, diff_specs
from reconciler.core.fingerprints import refuse_uncompared, with_fingerprint, write_only_changes
from reconciler.core.lineage import Lineage
from reconciler.core.live_index import LiveIndex
from reconciler.core.mark import Mark, hash_id
from reconciler.core.ownership import describe_live, desired_mark
from reconciler.core.plan import Action, Change, Plan, ReadFailure, Refusal, RefusalKind
from reconciler.core.references import bind, references
from reconciler.core.resource import (
    UNKNOWN,
    KindTraits,
    LiveResource,
    Reference,
    Replacement,
    Resource,
    ResourceKey,
)
from reconciler.core.units import in_units


@dataclass(frozen=True, slots=True)
class PlanInput:
    """What `make_plan` compares: both sides, who owns, from where, and the traits of every kind.

    Without a `fingerprint_key` write-only values are not compared; None: nor are they known.
    """

    target: str
    stack: str
    desired: Sequence[Resource]
    live: Sequence[LiveResource]
    kinds: Mapping[str, KindTraits]
    failures: Sequence[ReadFailure] = ()
    lineage: Lineage = field(default_factory=Lineage)
    fingerprint_key: bytes | None = field(default=b"", repr=False)
    notes: Sequence[str] = ()


def make_plan(world: PlanInput) -> Plan:
    """Pair desired and live resources and decide one action for each; see `Action`.

    Resources of a kind that could not be read are left out and named in the failure instead.
    """
    world = replace(world, live=world.lineage.sort_out(world.live, world.stack))
    unread = {kind for failure in world.failures for kind in failure.kinds}
    desired = [item for item in world.desired if item.key.kind not in unread]
    index = LiveIndex(world.desired, world.live, world.stack, world.kinds)
    outputs: dict[ResourceKey, LiveResource] = {}

    def known(reference: Reference) -> Any:
        live = outputs.get(reference.key)
        return None if live is None else live.output(reference.output)

    changes: list[Change] = []
    for resource in sorted(desired, key=lambda item: world.kinds[item.key.kind].rank):
        traits = world.kinds[resource.key.kind]
        bound = with_fingerprint(bind(resource, known), traits, world.stack, world.fingerprint_key)
        for change in _decide(bound, index, world):
            changes.append(change)
            if change.live is not None and not (change.destroys and change.pending):
                outputs[change.key] = change.live  # what refers to it goes on doing so
    changes = _with_holders(changes)
    changes, uncompared = refuse_uncompared(changes, world.target, world.fingerprint_key)
    changes.extend(_deletions(index, {item.key for item in desired}, world))
    kept = {item.key for item in desired if item.protect}
    changes = [
        _keep_protected(change, kept) for change in in_units(changes, world.desired, world.kinds)
    ]
    return Plan(
        target=world.target,
        stack=world.stack,
        changes=tuple(sorted(changes, key=lambda change: _order(change, world.kinds))),
        detached=tuple(index.detached(changes)),
        failures=tuple(_name_addresses(world)),
        owned=index.owned_count,
        unowned=index.unowned(changes),
        stated=len(world.desired),
        warnings=(
            *world.notes,
            *(f"{item.key.address}: {text}" for item in world.desired for text in item.warnings),
            *uncompared,
        ),
        accepted=world.lineage.accepted,
        gone=world.lineage.gone,
    )


def _with_holders(changes: Sequence[Change]) -> list[Change]:
    """The changes, each replacement with those that wait for what the new object gives out."""
    holders: dict[ResourceKey, list[ResourceKey]] = {}
    for change in changes:
        if change.desired is not None and change.desired.depends_on:
            for key in dict.fromkeys(found.key for _, found in references(change.desired.spec)):
                holders.setdefault(key, []).append(change.key)
    return [
        replace(change, holders=tuple(sorted(holders[change.key])))
        if change.action is Action.REPLACE and change.key in holders
        else change
        for change in changes
    ]


def _decide(resource: Resource, index: LiveIndex, world: PlanInput) -> Iterable[Change]:
    if not world.kinds[resource.key.kind].marked:
        yield from _decide_unmarked(resource, index, world)
        return
    found = index.owned(resource.key)
    moved = ResourceKey(resource.key.kind, resource.moved_from) if resource.moved_from else None
    if not found and moved is not None and moved not in {item.key for item in world.desired}:
        found = index.owned(moved)
    if not found:
        found = index.predecessor_of(resource, world.kinds)
    if len(found) > 1:
        traits = world.kinds[resource.key.kind]
        change = Change(resource.key, Action.UPDATE, resource, found[0], traits=traits)
        yield _doubled(change, found, world)
    elif found:
        yield _compare(resource, found[0], index, world)
    else:
        yield _create_or_adopt(resource, index, world)


def _decide_unmarked(resource: Resource, index: LiveIndex, world: PlanInput) -> Iterable[Change]:
    """One of a kind without marks: what the manifest names is ours as long as it states it."""
    key, traits = resource.key, world.kinds[resource.key.kind]
    live = index.foreign.get(traits.identify(resource.spec))
    if live is None:
        if not resource.absent:
            yield Change(key, Action.CREATE, resource, traits=traits)
        return
    if resource.absent:
        index.owned_count += 1
        alone = replace(resource, depends_on=())
        yield Change(key, Action.DELETE, alone, live, traits=traits)
        return
    fields = diff_specs(live.spec, resource.spec, traits.immutable, key.address)
    action, refusal = _how(fields, traits) if fields else (Action.UNCHANGED, None)
    if fields and not resource.adopt:
        refusal = Refusal(
            RefusalKind.CONFLICT,
            "an object of this name exists and differs, and nothing on it can say that it is ours",
            "set metadata.adopt: true to let this manifest change it, or choose another name",
        )
    else:
        index.owned_count += 1
    yield Change(key, action, resource, live, fields, refusal, traits=traits)


def _how(fields: Sequence[FieldChange], traits: KindTraits) -> tuple[Action, Refusal | None]:
    """In place or by a replacement, and why that is out of the question, if so."""
    names = ", ".join(field.name for field in fields if field.forces_replacement)
    if not names:
        return Action.UPDATE, None
    if traits.replacement is not Replacement.NEVER:
        return Action.REPLACE, None
    return Action.REPLACE, Refusal(
        RefusalKind.BLOCKED,
        f"{names} cannot be changed, and an object of this kind is never replaced",
        "change the manifest back; for another object, give it another id and name",
    )


def _compare(resource: Resource, live: LiveResource, index: LiveIndex, world: PlanInput) -> Change:
    traits = world.kinds[resource.key.kind]
    fields = _differences(resource, live, world)
    fields += _mark_changes(resource, live, world, alone=not fields)
    if not fields:
        return Change(resource.key, Action.UNCHANGED, resource, live, traits=traits)
    action, never = _how(fields, traits)
    refusal = never or world.lineage.refusal(live)
    if traits.identify(resource.spec) in index.foreign:
        refusal = Refusal(
            RefusalKind.CONFLICT,
            "an object of the name it is to have exists and is not ours",
            "remove or rename that one, or choose another name here",
        )
    return Change(resource.key, action, resource, live, fields, refusal, traits=traits)


def _differences(
    resource: Resource, live: LiveResource, world: PlanInput
) -> tuple[FieldChange, ...]:
    """The fields that differ, and those of which only a fingerprint tells."""
    traits = world.kinds[resource.key.kind]
    there, wanted = traits.readable(live.spec), traits.readable(resource.spec)
    fields = diff_specs(there, wanted, traits.immutable, resource.key.address)
    return fields + write_only_changes(resource, live, traits, world.stack, world.fingerprint_key)


def _mark_changes(
    resource: Resource, live: LiveResource, world: PlanInput, *, alone: bool
) -> tuple[FieldChange, ...]:
    """What the mark must say differently; `secrets` only where no field says it already.

    Who wrote it makes a difference only where that is taken over, so that it need not be twice.
    """
    wanted, mark, lineage = desired_mark(resource, world.stack), live.mark, world.lineage
    if mark is None or (mark == wanted and not lineage.taken_over):
        return ()
    taken = any(mark.written) and mark.written != lineage.here and lineage.takes_over(mark.written)
    pairs = (
        ("id", _former_id(resource, live, mark), resource.key.id),
        ("protect", mark.protect, wanted.protect),
        ("secrets", mark.secrets if alone else wanted.secrets, wanted.secrets),
        ("written", str(mark.written) if taken else None, str(lineage.here) if taken else None),
    )
    return tuple(
        FieldChange(("metadata", name), before, after)
        for name, before, after in pairs
        if before != after
    )


def _former_id(resource: Resource, live: LiveResource, mark: Mark) -> str:
    kind = resource.key.kind
    for known in (resource.key.id, resource.moved_from):
        if known is not None and hash_id(kind, known) == mark.id_hash:
            return known
    return _key_of(live).id


def _create_or_adopt(resource: Resource, index: LiveIndex, world: PlanInput) -> Change:
    kind = resource.key.kind
    traits = world.kinds[kind]
    live = index.foreign.get(traits.identify(resource.spec))
    if live is None:
        return Change(resource.key, Action.CREATE, resource, traits=traits)
    fields = _differences(resource, live, world)
    refusal: Refusal | None = None
    if live.mark is not None and live.mark.stack == world.stack:
        refusal = world.lineage.conflict(live, live.mark)
    elif live.mark is not None:
        refusal = Refusal(
            RefusalKind.CONFLICT,
            f"an object of this name exists and belongs to stack {live.mark.stack}",
            "remove it there first, or choose another name here",
        )
    elif any(field.forces_replacement for field in fields):
        names = ", ".join(field.name for field in fields if field.forces_replacement)
        refusal = Refusal(
            RefusalKind.CONFLICT,
            f"an object of this name exists, is not ours, and cannot be changed to this: {names}",
            "change the manifest to what is there and adopt it first, or choose another name",
        )
    elif fields and not resource.adopt:
        refusal = Refusal(
            RefusalKind.CONFLICT,
            "an object of this name exists, is not ours, and differs",
            "set metadata.adopt: true to take it over and change it, or choose another name",
        )
    return Change(resource.key, Action.ADOPT, resource, live, fields, refusal, traits=traits)


def _deletions(index: LiveIndex, keys: set[ResourceKey], world: PlanInput) -> Iterable[Change]:
    lineage = world.lineage
    for found in index.by_mark.values():
        left = [item for item in found if id(item) not in index.paired]
        if left:
            item = left[0]
            change = Change(
                _key_of(item),
                Action.DELETE,
                live=item,
                refusal=lineage.refusal(item),
                traits=world.kinds[item.kind],
            )
            yield _doubled(change, found, world) if len(found) > 1 else change
    hashes = {(key.kind, hash_id(key.kind, key.id)): key for key in keys}
    for found in index.deposed.values():
        item = found[0]
        assert item.mark is not None
        key = hashes.get((item.kind, item.mark.id_hash)) or _key_of(item)
        change = Change(
            key,
            Action.DELETE,
            live=item,
            refusal=lineage.refusal(item),
            deposed=item.mark.deposed,
            traits=world.kinds[item.kind],
        )
        yield _doubled(change, found, world) if len(found) > 1 else change


def _doubled(change: Change, found: Sequence[LiveResource], world: PlanInput) -> Change:
    """The change refused: which of several objects with one mark is right, a person has to say.

    The one that is offered is where the manifest wants it, or was made first.
    """
    kind, desired = change.key.kind, change.desired
    wanted = world.kinds[kind].identify(desired.spec) if desired is not None else None
    found = sorted(found, key=lambda item: (item.created_at or "~", item.uid))
    best = min(found, key=lambda item: world.kinds[kind].identify(item.spec) != wanted)
    words = " and ".join(describe_live(item) for item in found)
    command = f"reconcile repair {shlex.quote(change.address)} --keep {best.uid}"
    refusal = Refusal(
        RefusalKind.CONFLICT,
        f"{len(found)} live objects bear the mark of this address: {words}",
        f"keep one and delete the others: {command} --target {world.target} --apply",
    )
    return replace(change, refusal=refusal, doubles=tuple(found))


def _keep_protected(change: Change, protected: Collection[ResourceKey]) -> Change:
    """A leftover of what is protected is none of ours: a replacement needs that lifted."""
    if change.deposed is None or change.key not in protected or change.refusal is not None:
        return change
    refusal = Refusal(
        RefusalKind.BLOCKED,
        f"it is marked as what a replacement of {change.key.address} left, which is protected: "
        "nothing of it may have been replaced",
        "see what it is; if it may go: set metadata.protect: false, apply, and set it back",
    )
    return replace(change, refusal=refusal)


def _key_of(live: LiveResource) -> ResourceKey:
    """The key of an object whose manifest is gone: its name where that was its id, else a hash."""
    mark = live.mark
    assert mark is not None
    original = live.name.removesuffix(f"-replaced-{mark.deposed}") if mark.deposed else live.name
    if hash_id(live.kind, original) == mark.id_hash:
        return ResourceKey(live.kind, original)
    return ResourceKey(live.kind, f"{original}{UNKNOWN}{mark.id_hash}")


def _name_addresses(world: PlanInput) -> Iterable[ReadFailure]:
    for failure in world.failures:
        addresses = sorted(
            item.key.address for item in world.desired if item.key.kind in failure.kinds
        )
        yield replace(failure, addresses=tuple(addresses))


def _order(change: Change, kinds: Mapping[str, KindTraits]) -> tuple[Any, ...]:
    return (kinds[change.key.kind].rank, change.key, change.deposed or "")
