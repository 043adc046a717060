"""Waiting until written changes show, and comparing what shows with what was asked.

One list a round for all changes of a wave. An asset that shows something else than before the
write and than what was asked, twice in a row, has not converged: a default of the server, most
likely, and the words say how to settle that once and for all.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.diff import FieldChange, diff_specs
from reconciler.ownership import desired_mark
from reconciler.plan import Action, Change
from reconciler.providers.runai.patience import Patience
from reconciler.resource import KindTraits, LiveResource, Mark, Resource, redact

_NO_DEFAULT = frozenset({"name", "description", "scope", "scope_id"})


class Rules(NamedTuple):
    """Whose objects these are, of which kind, and how long to wait."""

    stack: str
    traits: KindTraits
    patience: Patience


def settle(
    changes: Sequence[Change],
    uids: Mapping[str, str],
    read: Callable[[], Sequence[LiveResource]],
    rules: Rules,
) -> Mapping[str, str]:
    """By address, what is wrong with the changes that have not converged."""
    waiting = {change.address: change for change in changes}
    wrong: dict[str, str] = {}
    seen: dict[str, tuple[FieldChange, ...]] = {}
    for _ in rules.patience.rounds() if waiting else ():
        live = {item.uid: item for item in read()}
        for address, change in list(waiting.items()):
            found = live.get(uids[address])
            fields = _differences(change, found, rules)
            if fields == ():
                del waiting[address]
            elif found is not None and fields == seen.get(address) and _is_new(change, found):
                wrong[address] = _say(fields)
                del waiting[address]
            else:
                seen[address] = fields
        if not waiting:
            return wrong
    for address, change in waiting.items():
        wrong[address] = _say_late(change, seen[address], rules.patience.total)
    return wrong


def _differences(
    change: Change, found: LiveResource | None, rules: Rules
) -> tuple[FieldChange, ...]:
    """What differs from what was asked; the whole object where it should (not) be there."""
    if change.action is Action.DELETE or change.desired is None:
        return () if found is None else (FieldChange(("id",), found.uid, None),)
    if found is None:
        return (FieldChange(("id",), None, change.desired.name),)
    return _compare(found, change.desired, desired_mark(change.desired, rules.stack), rules.traits)


def _is_new(change: Change, found: LiveResource) -> bool:
    """Whether the write shows at all: the object is another one than before it."""
    before = change.live
    if change.action is Action.DELETE:
        return False
    if before is None or before.uid != found.uid:
        return True
    return found.spec != before.spec or found.mark != before.mark


def _compare(
    found: LiveResource, desired: Resource, mark: Mark, traits: KindTraits
) -> tuple[FieldChange, ...]:
    fields = diff_specs(found.spec, desired.spec, traits.immutable)
    if found.mark != mark:
        why = found.detached or "it is not there"
        fields += (FieldChange(("metadata", "ownership mark"), why, "ours"),)
    return fields


def _say(fields: Sequence[FieldChange]) -> str:
    text = "not converged: " + "; ".join(
        f"{field.name} is {_show(field.before)}, asked for {_show(field.after)}" for field in fields
    )
    if all(field.after is None and field.path[0] not in _NO_DEFAULT for field in fields):
        text += "; if the server sets this default, add it to runai.server_defaults of the target"
    return text


def _show(value: Any) -> str:
    return "nothing" if value is None else json.dumps(redact(value), ensure_ascii=False)


def _say_late(change: Change, fields: Sequence[FieldChange], seconds: float) -> str:
    if fields[0].path != ("id",):
        return _say(fields)
    there = "still there" if change.action is Action.DELETE else "not to be seen"
    return f"accepted, but {there} after {seconds:g} s: run plan again later"
