"""Changes that must not happen -> blocked changes, each with its reason and what clears it. Pure.

The rules are judged when the plan is made, so that a pull request goes red. There is no general
override: an approval names addresses, or the exact number of objects that may be destroyed.
"""

import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from reconciler.core.plan import Action, Change, Plan, Refusal, RefusalKind
from reconciler.core.resource import ResourceKey

_MOST_USERS = 5
"""Users of an object that a refusal names; the change itself lists them all."""


@dataclass(frozen=True, slots=True)
class GuardRules:
    """How much one apply may destroy: deletes and replacements together.

    More than `max_deletes` are refused, and so are more than `max_delete_percent` of the owned
    objects once there are more than `free_deletes` of them, or nothing would be left.
    """

    max_deletes: int = 10
    max_delete_percent: float = 30
    free_deletes: int = 2


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person allowed: exact addresses, or an exact number of destroyed objects.

    `addresses` may be deleted and replaced, whatever uses them; `deletions`, named by `--only`, may
    be deleted as long as nothing does. `rollback` and `taken_over` are about other histories: see
    `reconciler.core.lineage`.
    """

    addresses: frozenset[str] = frozenset()
    deletions: frozenset[str] = frozenset()
    deletes: int | None = None
    rollback: bool = False
    taken_over: frozenset[str] = frozenset()

    @property
    def given(self) -> bool:
        """Whether anything was allowed at all."""
        return bool(self.addresses or self.deletions) or self.deletes is not None


def guard(plan: Plan, rules: GuardRules, approval: Approval) -> Plan:
    """The plan with every change refused that breaks a rule or depends on a refused one."""
    plan = _refuse(plan, _protection)
    plan = _refuse(plan, lambda change: _users(change, approval))
    plan = _refuse_pruning_by_an_empty_set(plan, approval)
    plan = _refuse_pruning_beside_missing_files(plan, approval)
    # Before they are counted: what is refused with something else is not destroyed.
    plan = _refuse_mass_destruction(refuse_dependents(plan), rules, approval)
    return _warn_of_idle_approvals(refuse_dependents(plan), approval)


def _refuse(plan: Plan, judge: Callable[[Change], Refusal | None]) -> Plan:
    changes = (
        replace(change, refusal=judge(change)) if change.pending else change
        for change in plan.changes
    )
    return replace(plan, changes=tuple(changes))


def _protection(change: Change) -> Refusal | None:
    """The manifest decides; where it is gone, the mark."""
    mark = change.live.mark if change.live is not None else None
    stated = change.desired or mark
    if not change.destroys or stated is None or not stated.protect:
        return None
    verb = "replaced" if change.action is Action.REPLACE else "destroyed"
    words = change.destroys_besides
    besides = f": that would destroy {words} as well" if words else ""
    return Refusal(
        RefusalKind.BLOCKED,
        f"it is protected and must not be {verb}{besides}",
        "put the manifest back with metadata.protect: false, apply, then remove it"
        if change.desired is None
        else f"set metadata.protect: false in the manifest if it really may be {verb}",
    )


def _users(change: Change, approval: Approval) -> Refusal | None:
    """What is in use is not destroyed; a leftover goes with the replacement that was allowed."""
    mark = change.live.mark if change.live is not None else None
    if not change.destroys or not change.used_by or (mark is not None and mark.deposed):
        return None
    if not {change.address, change.key.address}.isdisjoint(approval.addresses):
        return None
    new_id = "its id changes with a replacement, and " if change.action is Action.REPLACE else ""
    return Refusal(
        RefusalKind.BLOCKED,
        f"{new_id}it is used by {_listed(change.used_by)}",
        f"end that use, or pass --allow-destroy {shlex.quote(change.address)}",
        _destroy(change),
    )


def _listed(users: Sequence[str]) -> str:
    more = f" and {len(users) - _MOST_USERS} more" if len(users) > _MOST_USERS else ""
    return ", ".join(users[:_MOST_USERS]) + more


def _refuse_pruning_by_an_empty_set(plan: Plan, approval: Approval) -> Plan:
    if plan.stated:
        return plan
    refusal = Refusal(
        RefusalKind.BLOCKED,
        "this plan has no manifest at all, and an empty set never deletes",
        "check `manifests` in reconciler.yaml, and --only; to delete on purpose, name each "
        "address with --only or --allow-destroy",
    )
    return _refuse(
        plan,
        lambda change: (
            replace(refusal, allow=_destroy(change))
            if change.action is Action.DELETE and not _approved(change, approval)
            else None
        ),
    )


def _refuse_pruning_beside_missing_files(plan: Plan, approval: Approval) -> Plan:
    """A manifest that HEAD has and the disk has not may have been removed, or never checked out."""
    if not plan.gone:
        return plan
    first, more = plan.gone[0], len(plan.gone) - 1
    files, them = (f"{first} and {more} more are", "them") if more else (f"{first} is", "it")
    refusal = Refusal(
        RefusalKind.BLOCKED,
        f"{files} not on this disk as HEAD has {them}, so that nobody can tell what is meant to go",
        f"commit what is meant, or bring it back: git checkout HEAD -- {shlex.quote(first)} (a "
        "submodule: git submodule update); to delete all the same, name each address with --only "
        "or --allow-destroy",
    )
    return _refuse(
        plan,
        lambda change: (
            refusal
            if change.action is Action.DELETE
            and change.deposed is None
            and not (change.desired is not None and change.desired.absent)
            and not _approved(change, approval)
            else None
        ),
    )


def _destroy(change: Change) -> str:
    """What a trailer says to allow the end of one object; a live name may hold blanks."""
    return f"destroy={shlex.quote(change.address)}"


def _refuse_mass_destruction(plan: Plan, rules: GuardRules, approval: Approval) -> Plan:
    destroys = [
        change
        for change in plan.changes
        if change.pending and change.destroys and not _approved(change, approval)
    ]
    count = len(destroys)
    if approval.deletes is None:
        reason = _too_many(count, plan.owned, rules, everything=_deletes_everything(plan, destroys))
    else:
        reason = _not_what_was_allowed(count, approval.deletes)
    if reason is None or not destroys:
        return plan
    refusal = Refusal(
        RefusalKind.BLOCKED,
        reason,
        f"check that this is meant; then pass --allow-deletes={count}",
        f"deletes={count}",
    )
    stopped = {(change.key, change.deposed) for change in destroys}
    return _refuse(
        plan, lambda change: refusal if (change.key, change.deposed) in stopped else None
    )


def _not_what_was_allowed(count: int, allowed: int) -> str | None:
    if count == allowed:
        return None
    were = "was" if allowed == 1 else "were"
    return (
        f"the plan destroys {_objects(count)} that no approval names, and {allowed} {were} allowed"
    )


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count} objects"


def _warn_of_idle_approvals(plan: Plan, approval: Approval) -> Plan:
    """A number or an address that allows nothing here was most likely meant otherwise."""
    doomed = [change for change in plan.changes if change.destroys]
    texts = [
        f"--allow-destroy {shlex.quote(address)}: this plan destroys no such address (KIND.ID)"
        for address in sorted(approval.addresses)
        if not any(_approved(change, Approval(frozenset({address}))) for change in doomed)
    ]
    if approval.deletes and not doomed:
        allowed = _objects(approval.deletes)
        texts.append(
            f"--allow-deletes={approval.deletes}: this plan destroys nothing, not {allowed}"
        )
    return replace(plan, warnings=(*plan.warnings, *texts))


def _deletes_everything(plan: Plan, destroys: Sequence[Change]) -> bool:
    """Whether nothing that the stack owns now would be left, not even as a replacement."""
    leftovers = sum(change.deposed is not None for change in plan.changes)
    gone = sum(change.action is Action.DELETE and not change.deposed for change in destroys)
    return gone > 0 and gone >= plan.owned - leftovers


def _too_many(count: int, owned: int, rules: GuardRules, *, everything: bool) -> str | None:
    if count > rules.max_deletes:
        return (
            f"the plan destroys {count} objects, more than guards.max_deletes ({rules.max_deletes})"
        )
    percent = 100 * count / owned if owned else 0
    if percent <= rules.max_delete_percent:
        return None
    limit = f"more than guards.max_delete_percent ({rules.max_delete_percent:g} %)"
    if everything:
        return f"the plan deletes all that this stack owns, {limit}"
    if count > rules.free_deletes:
        return f"the plan destroys {count} of {owned} owned objects ({percent:.0f} %), {limit}"
    return None


def _approved(change: Change, approval: Approval) -> bool:
    """Whether it was named, or the object that its manifest states first."""
    allowed = approval.addresses
    if change.action is Action.DELETE:
        allowed |= approval.deletions
    names = {change.address, change.key.address}
    if change.part_of:
        names.add(change.part_of.address)
    return not names.isdisjoint(allowed)


def refuse_dependents(plan: Plan) -> Plan:
    """Block every change that cannot be made without one that will not be made."""
    unread = {address for failure in plan.failures for address in failure.addresses}
    refused = {change.key for change in plan.refused if change.deposed is None}
    changes = list(plan.changes)
    settled = False
    while not settled:
        settled = True
        for position, change in enumerate(changes):
            if not change.pending or change.deposed:
                continue
            reason = _missing(change, refused, unread)
            if reason is not None:
                refusal = Refusal(RefusalKind.BLOCKED, reason, "clear that one first")
                changes[position] = replace(change, refusal=refusal)
                refused.add(change.key)
                settled = False
    refused &= {change.key for change in changes if change.desired}
    return replace(plan, changes=tuple(_keep_leftover(change, refused) for change in changes))


def _keep_leftover(change: Change, refused: Collection[ResourceKey]) -> Change:
    """The leftover of a replacement stays as long as what replaces it is not to be made."""
    if change.deposed is None or not change.pending or change.key not in refused:
        return change
    reason = f"{change.key.address} is refused, and this is what is left of it"
    return replace(change, refusal=Refusal(RefusalKind.BLOCKED, reason, "clear that one first"))


def _missing(
    change: Change, refused: Collection[ResourceKey], unread: Collection[str]
) -> str | None:
    for key, words in change.needs:
        if key in refused:
            return f"it {words} {key.address}, which is refused"
        if key.address in unread:
            return f"it {words} {key.address}, whose system could not be read"
    return None
