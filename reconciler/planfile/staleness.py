"""An approved plan against a fresh one -> what moved, address by address. Pure.

Three things can move between a review and the apply: a manifest, a live object, and the place (the
target, the stack, the version of this tool). What moved is named, with what was approved and what
is there now. A change of the place refuses everything; the rest is judged by the digests of rows.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.core.guards import Approval
from reconciler.core.plan import Action, Change, Plan, PlanRow, Refusal
from reconciler.core.plan_values import planned
from reconciler.core.resource import SENSITIVE, Secret, Spec, dotted, leaves
from reconciler.errors import StalePlanError
from reconciler.planfile.reader import SavedPlan, address_of
from reconciler.planfile.writer import shown_values
from reconciler.render.escape import literal

_MOST_FIELDS = 5
"""Fields of one side of one address that are listed; the rest are counted."""
_NOTHING = PlanRow("", "nothing", "", "")


@dataclass(frozen=True, slots=True)
class Present:
    """What an approved plan is compared with: a fresh plan, of which target, by which version.

    `chosen` holds the approved addresses that are to be carried out; None means all of them.
    """

    plan: Plan
    description: str
    version: str
    chosen: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One address that is not as it was approved. Actions are words; `nothing` means not there."""

    address: str
    approved: str
    now: str
    why: str = ""
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        return f"{self.address}: approved {self.approved}, now {self.now}{why}"


def require_same(saved: SavedPlan, present: Present, approval: Approval) -> None:
    """Raise `StalePlanError`, naming all that moved, unless both plans are the same.

    A change that was refused when the plan was reviewed may be carried out only by an approval
    that is given now; otherwise a rule was loosened since the review.
    """
    lines = list(_place_lines(saved, present))
    for move in find_moves(saved, present):
        lines += [f"{move}", *(f"  {detail}" for detail in move.details)]
    lines += _loosened(saved, present.plan, approval)
    if lines:
        listing = "\n".join(f"  {line}" for line in lines)
        error = StalePlanError(
            f"the saved plan is stale; nothing was changed{_nothing_left(saved, present)}\n"
            f"{listing}",
            fix="make and review a new plan: reconcile plan --out FILE",
        )
        changes = (*saved.plan.changes, *present.plan.changes)
        error.names = frozenset(change.address for change in changes)
        raise error


def require_shown(saved: SavedPlan, plan: Plan) -> None:
    """Raise `StalePlanError` unless the file shows the values that its digests stand for.

    Digests cover what is done, and people review values: in a forged file the two can differ.
    """
    values = {change.address: _as_json(shown_values(change)) for change in plan.pending}
    differ = {
        address
        for item in saved.document.get("resource_changes", ())
        if (address := address_of(item)) in values
        and values[address] != {"change": item["change"], "fields": item["reconciler"]["fields"]}
    }
    if differ:
        raise StalePlanError(
            "the saved plan shows other values than it was made for; nothing was changed\n"
            + "\n".join(f"  {address}" for address in sorted(differ)),
            fix="somebody edited the file, or it is damaged: make and review a new plan",
        )


def _as_json(values: Any) -> Any:
    return json.loads(json.dumps(values))


def require_digest(expected: str, whole: Plan, chosen: Plan) -> None:
    """Raise `StalePlanError` unless one of these plans has the digest that was approved.

    `chosen` is what a selection left of `whole`: the digest of either was printed by a plan.
    """
    if expected in (whole.digest(), chosen.digest()):
        return
    nothing = "" if chosen.pending else "; there is nothing to do now"
    raise StalePlanError(
        f"the plan is not the one that was approved; nothing was changed{nothing}\n"
        f"  approved {expected}\n  now      {chosen.digest()}",
        fix="a digest does not tell what moved: compare with the saved plan of the review "
        "(reconcile plan --reviewed FILE), or review a new plan",
    )


def news_since(saved: SavedPlan, present: Present) -> dict[str, str]:
    """By address, what a reviewer of the saved plan has not seen: new, other, or gone changes."""
    news = {}
    idle = ("nothing", Action.UNCHANGED.value)
    for move in find_moves(saved, present):
        if move.approved in idle and move.now in idle:
            continue
        why = f" ({move.why})" if move.why else ""
        if move.approved in idle:
            news[move.address] = f"new since the review{why}"
        elif move.now in idle:
            news[move.address] = f"reviewed as {move.approved}, now nothing to do{why}"
        else:
            news[move.address] = f"reviewed as {move.approved}, now {move.now}{why}"
    return news


def find_moves(saved: SavedPlan, present: Present) -> Iterator[Move]:
    """Every address of which manifest, live object or action is not as it was approved."""
    before = {row.address: row for row in saved.plan.rows}
    after = {row.address: row for row in present.plan.rows}
    old_changes = {change.address: change for change in saved.plan.changes}
    new_changes = {change.address: change for change in present.plan.changes}
    for address in sorted(_compared(before, after, present.chosen)):
        old, new = before.get(address, _NOTHING), after.get(address, _NOTHING)
        if old[1:] == new[1:]:
            continue
        words = [
            _side("the manifest", "is new", old.desired, new.desired),
            _side("the live object", "appeared", old.live, new.live),
        ]
        details = _details(old_changes.get(address), new_changes.get(address), old, new)
        why = " and ".join(word for word in words if word)
        yield Move(address, old.action, new.action, why, tuple(details))


def _compared(
    before: Collection[str], after: Collection[str], chosen: Collection[str] | None
) -> set[str]:
    """With a choice, what was chosen of the approved plan, and what comes with it now."""
    return {*(before if chosen is None else chosen), *after}


def _side(name: str, appeared: str, old: str, new: str) -> str:
    if old == new:
        return ""
    if not old:
        return f"{name} {appeared}"
    return f"{name} changed" if new else f"{name} is gone"


def _place_lines(saved: SavedPlan, present: Present) -> Iterator[str]:
    plan = present.plan
    old, new = (saved.plan.target, saved.header.description), (plan.target, present.description)
    if old != new:
        yield f"target: approved {_target(*old)}, now {_target(*new)} (the target changed)"
    if saved.plan.stack != plan.stack:
        yield f"stack: approved {saved.plan.stack}, now {plan.stack} (the target changed)"
    if release(saved.version) != release(present.version):
        yield (
            f"tool: approved with reconcile {saved.version}, now {present.version} "
            "(the tool changed)"
        )


def _target(name: str, description: str) -> str:
    return f"{name} ({description})" if description else name


def release(version: str) -> tuple[str, ...]:
    """Major and minor of a version: what may change the meaning of a plan."""
    return tuple(version.split(".")[:2])


def _nothing_left(saved: SavedPlan, present: Present) -> str:
    """Says that what was approved is not to be done any more, where that is so."""
    approved = sum(
        change.pending and (present.chosen is None or change.address in present.chosen)
        for change in saved.plan.changes
    )
    if not approved or present.plan.pending or present.plan.refused:
        return ""
    noun = "change was" if approved == 1 else "changes were"
    return f": {approved} {noun} approved, and there is nothing to do now"


def _loosened(saved: SavedPlan, fresh: Plan, approval: Approval) -> Iterator[str]:
    refused = {change.address: change.refusal for change in saved.plan.refused}
    for change in fresh.pending:
        refusal: Refusal | None = refused.get(change.address)
        if refusal is not None and not _cleared(change, approval):
            yield f"{change.address}: approved as {refusal.kind.value}, now it would be carried out"


def _cleared(change: Change, approval: Approval) -> bool:
    """Whether an approval that is given now covers a change that was refused before.

    What destroys nothing was refused because of something else, which may have been cleared.
    """
    if not change.destroys:
        return approval.given
    allowed = approval.addresses
    if change.action is Action.DELETE:
        allowed |= approval.deletions
    named = change.address in allowed or change.key.address in allowed
    return named or approval.deletes is not None


def _details(
    old: Change | None, new: Change | None, before: PlanRow, after: PlanRow
) -> Iterator[str]:
    """What was approved and what is there now, field by field, where both sides are known."""
    if old is None or new is None:
        return
    if old.desired and new.desired and before.desired != after.desired:
        yield from _fields("manifest", planned(old) or {}, planned(new) or {}) or (
            "manifest: its metadata (protect, adopt or moved_from)",
        )
    if old.live and new.live and before.live != after.live:
        if old.live.uid != new.live.uid:
            yield f"live object: approved id {old.live.uid}, now {new.live.uid}"
        else:
            yield from _fields("live object", old.live.spec, new.live.spec) or (
                "live object: its mark, or a secret value",
            )


def _fields(side: str, old: Spec, new: Spec) -> list[str]:
    before, after = dict(leaves(old)), dict(leaves(new))
    lines = [
        f"{side}: {dotted(path)}: approved {_shown(before, path)}, now {_shown(after, path)}"
        for path in sorted({*before, *after})
        if not _alike(before.get(path), after.get(path))
    ]
    more = len(lines) - _MOST_FIELDS
    return [*lines[:_MOST_FIELDS], *([f"{side}: {more} more fields"] if more > 0 else [])]


def _alike(old: Any, new: Any) -> bool:
    """A saved plan knows no secret, so that two of them cannot be told apart here."""
    return (isinstance(old, Secret) and isinstance(new, Secret)) or old == new


def _shown(values: Mapping[Any, Any], path: Any) -> str:
    value = values.get(path)
    if value is None:
        return "nothing"
    return SENSITIVE if isinstance(value, Secret) else literal(value)
