"""Waiting until written changes show, and comparing what shows with what was asked.

One list a round for all changes of a wave. An asset that shows something else than before the
write and than what was asked, twice in a row, has not converged: a default of the server, most
likely, and the words say how to settle that once and for all. So has one beside which another
bears the same mark: somebody else applied at the same time. The mark that was placed first stays.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from reconciler.core.diff import FieldChange, diff_specs
from reconciler.core.mark import Mark, hash_id
from reconciler.core.ownership import bears, describe_live, desired_mark
from reconciler.core.plan import Action, Change
from reconciler.core.resource import (
    KindTraits,
    LiveResource,
    Resource,
    redact,
)
from reconciler.errors import NotConvergedError, ProviderError
from reconciler.git.head import Provenance
from reconciler.kinds.runai_asset import AssetKind
from reconciler.providers.runai.backoff import Patience

_NO_DEFAULT = frozenset({"name", "description", "scope", "scope_id"})


class Rules(NamedTuple):
    """Whose objects these are, of which kind, how long to wait, and what writes them."""

    stack: str
    kind: AssetKind
    patience: Patience
    origin: Callable[[], Provenance]

    @property
    def traits(self) -> KindTraits:
        """What the core knows of the kind."""
        return self.kind.traits

    def others(self, mark: Mark, uid: str, live: Sequence[LiveResource]) -> list[LiveResource]:
        """What bears this mark beside the object with this id."""
        repository = self.origin().written.repository
        return [item for item in live if item.uid != uid and bears(item, mark, repository)]


class DoubledError(NotConvergedError):
    """Another object bears the same mark, and bore it first."""


def settle(
    changes: Sequence[Change],
    uids: Mapping[str, str],
    read: Callable[[], Sequence[LiveResource]],
    rules: Rules,
) -> Mapping[str, ProviderError]:
    """By address, what is wrong with the changes that have not converged."""
    waiting = {change.address: change for change in changes}
    wrong: dict[str, ProviderError] = {}
    seen: dict[str, tuple[FieldChange, ...]] = {}
    beside: dict[str, list[LiveResource]] = {}
    for _ in rules.patience.rounds() if waiting else ():
        everything = read()
        live = {item.uid: item for item in everything}
        marked = defaultdict(list)
        for item in everything:
            if item.mark is not None:
                marked[item.mark.id_hash].append(item)
        for address, change in list(waiting.items()):
            found = live.get(uids[address])
            fields = _differences(change, found, rules)
            twins = _twins(change, uids[address], marked, rules)
            if fields == () and not twins:
                del waiting[address]
            elif found and not fields and _is_later(change, found, twins):
                wrong[address] = DoubledError(_say_others(twins))
                del waiting[address]
            elif found and fields and fields == seen.get(address) and _is_new(change, found):
                wrong[address] = NotConvergedError(_say(fields))
                del waiting[address]
            seen[address], beside[address] = fields, twins
        if not waiting:
            return wrong
    patience = rules.patience
    since = "when interrupted" if patience.stop.is_set() else f"after {patience.total:g} s"
    for address, change in waiting.items():
        fields, twins = seen[address], beside[address]
        words = _say_late(change, fields, since) if fields else _say_others(twins)
        wrong[address] = NotConvergedError(words)
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


def _twins(
    change: Change, uid: str, marked: Mapping[str, Sequence[LiveResource]], rules: Rules
) -> list[LiveResource]:
    if change.action is Action.DELETE or change.desired is None:
        return []
    mark = desired_mark(change.desired, rules.stack)
    return rules.others(mark, uid, marked.get(mark.id_hash, ()))


def _is_later(change: Change, found: LiveResource, twins: Sequence[LiveResource]) -> bool:
    """Whether our mark was not placed before every other one; one that was there already was."""
    before = change.live.mark if change.live is not None else None
    made = change.action in (Action.CREATE, Action.REPLACE)
    if not twins or (not made and before is not None and before.id_hash == hash_id(*change.key)):
        return False
    placed = _moment(found.created_at if made else found.updated_at)
    return not all(placed < _moment(twin.created_at) for twin in twins)


def _moment(text: str | None) -> float:
    """Seconds since 1970; for ever after what is not known."""
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return math.inf


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
    there, wanted = traits.readable(found.spec), traits.readable(desired.spec)
    fields = diff_specs(there, wanted, traits.immutable)
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


def _say_late(change: Change, fields: Sequence[FieldChange], since: str) -> str:
    if fields[0].path != ("id",):
        return _say(fields)
    there = "still there" if change.action is Action.DELETE else "not to be seen"
    return f"accepted, but {there} {since}: run plan again later"


def _say_others(twins: Sequence[LiveResource]) -> str:
    shown = " and ".join(describe_live(item) for item in twins)
    return f"another object bears the same mark: {shown}"
