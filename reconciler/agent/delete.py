"""Direct mode, deleting: a name -> exactly one asset -> its deletion, or why not.

The asset is looked for in every scope. One of the functions' own stack is deleted with the compute
asset that was made with it; one of another stack never is. An asset that bears no mark is deleted
only if the settings allow it, and then in two steps that leave no doubt whose deed it was: it is
marked, and then deleted as what it is by then, an object of ours.
"""

from collections.abc import Sequence

from reconciler.agent import headings, messages
from reconciler.agent.description import scope_id_of
from reconciler.agent.request import ADDRESS_KIND, Consent, address_id
from reconciler.agent.workplace import (
    Workplace,
    all_applied,
    carry_out,
    made_with,
    open_direct,
    plan_of,
    require_complete,
)
from reconciler.core.ownership import desired_mark, text_limit
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.planner import PlanInput
from reconciler.core.resource import LiveResource, Resource, ResourceKey, Source
from reconciler.errors import ConflictError, ReconcileError
from reconciler.render.model_text import quoted
from reconciler.workflow.planning import compare, read_world
from reconciler.workflow.session import Session

_PLACE = ("name", "scope", "scope_id")


def delete(place: Workplace, name: str, consent: Consent) -> str:
    """Delete the one asset of this name or id, or show what would go."""
    with open_direct(place) as session:
        there = _read(session)
        environments = [item for item in there.live if item.kind == ADDRESS_KIND]
        found = _matching(environments, name)
        if not found:
            names = [item.name for item in environments]
            return messages.not_found(name, names, f"on target {place.target.name}")
        if len(found) > 1:
            return messages.ambiguous(name, [_place(item) for item in found])
        return _delete_one(found[0], there, place, session, consent)


def _read(session: Session) -> PlanInput:
    """Everything live, in one read: what is found in it is in its plan, too."""
    there = read_world(session)
    require_complete(compare(there))
    return there


def _matching(everything: Sequence[LiveResource], name: str) -> list[LiveResource]:
    named = [item for item in everything if item.name == name]
    return named or [item for item in everything if item.uid == name]


def _place(live: LiveResource) -> tuple[str, str]:
    where = f"scope {quoted(live.spec.get('scope', ''))}"
    if live.spec.get("scope_id"):
        where += f", {scope_id_of(live.spec, quoted)}"
    return where, f"environment_name={quoted(live.uid)}"


def _delete_one(
    live: LiveResource, there: PlanInput, place: Workplace, session: Session, consent: Consent
) -> str:
    owner = live.mark.stack if live.mark is not None else None
    if refused := _not_ours(live, there, place):
        return refused
    plan = _plan_own(live, there, session) if owner else _plan_unowned(live, place)
    change = _change_of(live, plan)
    if change.refusal is not None:
        return headings.failure(headings.REFUSED, change.refusal.reason, change.refusal.fix)
    if change.deposed is not None:
        why = f"{live.name} is what an interrupted replacement has left of {change.key.address}"
        return headings.failure(headings.REFUSED, why, "reconcile apply removes it")
    if not consent.given:
        used_by = change.used_by
        if owner is None:
            used_by = session.providers[ADDRESS_KIND].usage([live]).get(live.uid, ())
        return messages.confirm_deletion(live, plan, used_by, consent.ask("To proceed"))
    if owner is None:
        return _delete_unowned(live, plan, session, place)
    return _carry_out(live, plan, session, place)


def _not_ours(live: LiveResource, there: PlanInput, place: Workplace) -> str:
    """Why this asset is not ours to delete; empty if it is."""
    owner = live.mark.stack if live.mark is not None else None
    if owner is not None and owner != place.stack:
        return _of_another_stack(live, owner, place)
    if live.detached:
        return _detached(live, live.detached)
    (sorted_out,) = there.lineage.sort_out([live], place.stack)
    if sorted_out.detached:
        return _of_another_repository(live, sorted_out.detached)
    if owner is None and not place.settings.allow_unowned:
        return _unowned(live)
    return ""


def _delete_unowned(live: LiveResource, plan: Plan, session: Session, place: Workplace) -> str:
    outcomes = carry_out(plan, session, [change.key for change in plan.changes])
    if not all_applied(outcomes):
        return messages.unfinished(headings.NOT_DELETED, outcomes)
    try:
        there = _read(session)
        marked = next((item for item in there.live if item.uid == live.uid), None)
        if marked is None:  # others were faster
            return messages.deleted(live, place.link)
        return _carry_out(live, _plan_own(marked, there, session), session, place)
    except ReconcileError as error:
        what = f"it was marked as stack {place.stack}'s, but not deleted: {error.what}"
        fix = f"{error.fix}; then call this function again"
        return headings.failure(headings.NOT_DELETED, what, fix, certain=False)


def _carry_out(live: LiveResource, plan: Plan, session: Session, place: Workplace) -> str:
    change = _change_of(live, plan)
    if change.refusal is not None:
        return headings.failure(headings.REFUSED, change.refusal.reason, change.refusal.fix)
    outcomes = carry_out(plan, session, [item.key for item in plan.changes])
    if not all_applied(outcomes):
        return messages.unfinished(headings.NOT_DELETED, outcomes)
    return messages.deleted(live, place.link)


def _of_another_stack(live: LiveResource, owner: str, place: Workplace) -> str:
    what = f"{live.name} ({live.uid}) belongs to stack {owner}, and is managed there"
    if owner == place.target.stack:
        fix = (
            "its manifest is in Git: use mode gitops, which proposes to remove the manifest on a "
            "new branch, for review"
        )
    else:
        fix = "ask whoever manages that stack: direct mode deletes only what it has made"
    return headings.failure(headings.REFUSED, what, fix)


def _unowned(live: LiveResource) -> str:
    return headings.failure(
        headings.REFUSED,
        f"{live.name} ({live.uid}) bears no mark of the agent functions: others made it",
        "delete it in the web interface, or set allow_unowned and call again with confirmed=True",
    )


def _detached(live: LiveResource, why: str) -> str:
    """Its mark does not fit it: nobody can tell whose it is, and no setting can allow it."""
    return headings.failure(
        headings.REFUSED,
        f"{live.name} ({live.uid}) bears a mark that was not written for it ({why}), so that it "
        "may be something that another stack owns or protects",
        "rename it back if it was renamed, or delete it in the web interface",
    )


def _of_another_repository(live: LiveResource, why: str) -> str:
    return headings.failure(
        headings.REFUSED,
        f"{live.name} ({live.uid}) was not made by the functions here: {why}",
        "delete it from there, or in the web interface; where only the address of this repository "
        "has changed: from a clone whose origin is the former one",
    )


def _plan_own(live: LiveResource, there: PlanInput, session: Session) -> Plan:
    """The plan that deletes an asset of ours, and the compute asset that was made with it."""
    whole = compare(there)
    change = _change_of(live, whole)
    keys = [change.key, *(item.key for item in whole.changes if _goes_with(item, change))]
    return plan_of(session, there, whole, keys)


def _goes_with(item: Change, environment: Change) -> bool:
    """Whether this is the compute asset made with an environment: same id, name and scope."""
    mine, other = environment.live, item.live
    if mine is None or other is None:
        return False
    ids = {environment.key.id, address_id(mine.name)}  # the key of an odd name is no id
    keys = [ResourceKey(ADDRESS_KIND, each) for each in ids]
    same = all(mine.spec.get(name) == other.spec.get(name) for name in _PLACE)
    return same and any(made_with(item, key) for key in keys)


def _plan_unowned(live: LiveResource, place: Workplace) -> Plan:
    """The plan that marks an unowned asset as it is: the first half of deleting it."""
    key = ResourceKey(ADDRESS_KIND, address_id(live.name))
    spec = dict(live.spec)
    resource = Resource(key, spec, Source("(live)", 0), adopt=True)
    mark = desired_mark(resource, place.stack)
    if "description" in spec:  # beside the mark there is less room, and it is about to go
        spec["description"] = spec["description"][: text_limit(mark)].strip()
    change = Change(key, Action.ADOPT, resource, live)
    return Plan(place.target.name, place.stack, (change,), owned=0, stated=1)


def _change_of(live: LiveResource, plan: Plan) -> Change:
    for change in plan.changes:
        if change.live is not None and change.live.uid == live.uid:
            return change
    raise ConflictError(
        f"{live.name} ({live.uid}) was changed or deleted meanwhile", fix="call it again"
    )
