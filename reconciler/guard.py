"""Changes that must not happen -> blocked changes, each with its reason and what clears it. Pure.

The rules are judged when the plan is made, so that a pull request goes red. There is no general
override: an approval names addresses, or the exact number of objects that may be destroyed.
"""

import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from reconciler.plan import Action, Change, Plan, Refusal, RefusalKind
from reconciler.resource import ResourceKey

TEMPLATE = "template "
"""How a provider starts the description of a user that holds on to an object by its id."""


@dataclass(frozen=True, slots=True)
class GuardRules:
    """How much one apply may destroy: deletes and replacements together.

    More than `max_deletes` are refused, and so are more than `max_delete_percent` of the owned
    objects once there are more than `free_deletes` of them.
    """

    max_deletes: int = 10
    max_delete_percent: float = 30
    free_deletes: int = 2


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person allowed: exact addresses, or an exact number of destroyed objects.

    `addresses` may be deleted and replaced; `deletions`, named by `--only`, may be deleted.
    """

    addresses: frozenset[str] = frozenset()
    deletions: frozenset[str] = frozenset()
    deletes: int | None = None

    @property
    def given(self) -> bool:
        """Whether anything was allowed at all."""
        return bool(self.addresses or self.deletions) or self.deletes is not None


def guard(plan: Plan, rules: GuardRules, approval: Approval) -> Plan:
    """The plan with every change refused that breaks a rule or depends on a refused one."""
    plan = _refuse(plan, _protection)
    plan = _refuse(plan, lambda change: _template_users(change, approval))
    plan = _refuse_pruning_by_an_empty_set(plan, approval)
    plan = _refuse_mass_destruction(plan, rules, approval)
    return refuse_dependents(plan)


def _refuse(plan: Plan, judge: Callable[[Change], Refusal | None]) -> Plan:
    changes = (
        replace(change, refusal=judge(change)) if change.pending else change
        for change in plan.changes
    )
    return replace(plan, changes=tuple(changes))


def _protection(change: Change) -> Refusal | None:
    mark = change.live.mark if change.live is not None else None
    protected = mark is not None and mark.protect
    lifted = change.desired is not None and not change.desired.protect
    if not change.destroys or not protected or lifted:
        return None
    verb = "replaced" if change.action is Action.REPLACE else "destroyed"
    return Refusal(
        RefusalKind.BLOCKED,
        f"it is protected and must not be {verb}",
        "put the manifest back with metadata.protect: false, apply, then remove it"
        if change.desired is None
        else "set metadata.protect: false in the manifest if it really may be replaced",
    )


def _template_users(change: Change, approval: Approval) -> Refusal | None:
    templates = [user for user in change.used_by if user.startswith(TEMPLATE)]
    if change.action is not Action.REPLACE or not templates:
        return None
    if change.address in approval.addresses:
        return None
    return Refusal(
        RefusalKind.BLOCKED,
        f"its id changes with a replacement, and it is used by {', '.join(templates)}",
        f"move the templates to another object, or pass --allow-destroy {change.address}",
        _destroy(change),
    )


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
    if approval.deletes is not None and approval.deletes == count:
        return plan
    reason = _too_many(count, plan.owned, rules)
    if reason is None:
        return plan
    if approval.deletes is not None:
        reason += f"; {approval.deletes} were allowed"
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


def _too_many(count: int, owned: int, rules: GuardRules) -> str | None:
    if count > rules.max_deletes:
        return (
            f"the plan destroys {count} objects, more than guards.max_deletes ({rules.max_deletes})"
        )
    percent = 100 * count / owned if owned else 0
    if count > rules.free_deletes and percent > rules.max_delete_percent:
        return (
            f"the plan destroys {count} of {owned} owned objects ({percent:.0f} %), more than "
            f"guards.max_delete_percent ({rules.max_delete_percent:g} %)"
        )
    return None


def _approved(change: Change, approval: Approval) -> bool:
    allowed = approval.addresses
    if change.action is Action.DELETE:
        allowed |= approval.deletions
    return change.address in allowed or change.key.address in allowed


def refuse_dependents(plan: Plan) -> Plan:
    """Block every change that depends, directly or not, on one that will not be made."""
    unread = {address for failure in plan.failures for address in failure.addresses}
    refused = {change.key for change in plan.refused if change.desired}
    changes = list(plan.changes)
    settled = False
    while not settled:
        settled = True
        for position, change in enumerate(changes):
            reason = _missing_dependency(change, refused, unread) if change.pending else None
            if reason is not None:
                refusal = Refusal(RefusalKind.BLOCKED, reason, "clear that one first")
                changes[position] = replace(change, refusal=refusal)
                refused.add(change.key)
                settled = False
    return replace(plan, changes=tuple(_keep_leftover(change, refused) for change in changes))


def _keep_leftover(change: Change, refused: Collection[ResourceKey]) -> Change:
    """The leftover of a replacement stays as long as what replaces it is not to be made."""
    if change.deposed is None or not change.pending or change.key not in refused:
        return change
    reason = f"{change.key.address} is refused, and this is what is left of it"
    return replace(change, refusal=Refusal(RefusalKind.BLOCKED, reason, "clear that one first"))


def _missing_dependency(
    change: Change, refused: Collection[ResourceKey], unread: Collection[str]
) -> str | None:
    for key in change.desired.depends_on if change.desired else ():
        if key in refused:
            return f"it depends on {key.address}, which is refused"
        if key.address in unread:
            return f"it depends on {key.address}, whose system could not be read"
    return None
