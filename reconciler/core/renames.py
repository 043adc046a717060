"""A plan that destroys one object and creates the same under another name -> a hint. Pure.

Without an `id` of its own a manifest is known by its name. Whoever changes the name, or that and
the scope, gets a new object and loses the old one, and most likely meant neither.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.core.mark import hash_id
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import (
    KindTraits,
    Spec,
    digest_spec,
)

_MOST = 3
"""With more candidates on a side, none is the likely one."""
_WORDS = {"scope_id": "scope"}


def hint_renames(plan: Plan, kinds: Mapping[str, KindTraits]) -> Plan:
    """The plan, with a hint at both changes wherever one looks like a rename."""
    gone: dict[tuple[str, str], list[Change]] = {}
    new: dict[tuple[str, str], list[Change]] = {}
    for change in plan.changes:
        identity = kinds[change.key.kind].identity
        if change.action is Action.DELETE and not change.deposed and change.live is not None:
            gone.setdefault(_alike(change, change.live.spec, identity), []).append(change)
        elif change.action is Action.CREATE and change.desired is not None:
            new.setdefault(_alike(change, change.desired.spec, identity), []).append(change)
    hints: dict[str, str] = {}
    for key in gone.keys() & new.keys():
        old, made = gone[key], new[key]
        if len(old) <= _MOST and len(made) <= _MOST:
            identity = kinds[key[0]].identity
            for change in made:
                hints[change.address] = _at_create(change, old, identity)
            for change in old:
                hints[change.address] = _at_delete(change, made, identity)
    return replace(
        plan,
        changes=tuple(
            replace(change, hint=hints[change.address]) if change.address in hints else change
            for change in plan.changes
        ),
    )


def _alike(change: Change, spec: Spec, identity: Sequence[str]) -> tuple[str, str]:
    """Equal for two specs of a kind that differ in nothing but what identifies an object."""
    rest = {name: value for name, value in spec.items() if name not in identity}
    return change.key.kind, digest_spec(rest)


def _at_create(change: Change, old: Sequence[Change], identity: Sequence[str]) -> str:
    ids = " or ".join(dict.fromkeys(f"`id: {_id(item)}`" for item in old))
    return (
        f"the same as the destroyed {_names(old)} but for its "
        f"{_differing(change, old, identity)}: a rename? add {ids} to its metadata"
    )


def _at_delete(change: Change, made: Sequence[Change], identity: Sequence[str]) -> str:
    return (
        f"the created {_names(made)} is the same but for its "
        f"{_differing(change, made, identity)}: a rename? add `id: {_id(change)}` to its metadata"
    )


def _id(change: Change) -> str:
    """The id that the live object has; where only a hash is known of it, what it is."""
    mark = change.live.mark if change.live is not None else None
    if mark is not None and hash_id(*change.key) != mark.id_hash:
        return "THE-ID-IT-HAD"
    return change.key.id


def _names(changes: Sequence[Change]) -> str:
    return " or ".join(change.address for change in changes)


def _differing(change: Change, others: Iterable[Change], identity: Sequence[str]) -> str:
    """`name`, `name and scope`, `tag`: what tells the two apart."""
    mine = _spec(change)
    words = {
        _WORDS.get(name, name): None
        for other in others
        for name in identity
        if mine.get(name) != _spec(other).get(name)
    }
    return " and ".join(words)


def _spec(change: Change) -> Mapping[str, Any]:
    side = change.desired or change.live
    return side.spec if side is not None else {}
