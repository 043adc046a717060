"""The stages of a plan, one after the other: read, plan, select, look up users, guard, review.

`plan_for` goes through all of them; `apply.py` is the stage after them. Who chooses changes in
another way than by addresses calls the stages: `read_world`, `compare`, `judge`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler import manifest
from reconciler.core.commit_approvals import allow
from reconciler.core.guards import guard
from reconciler.core.lineage import Lineage
from reconciler.core.name_order import order_names, require_distinct
from reconciler.core.plan import Plan
from reconciler.core.planned import Planned
from reconciler.core.planner import PlanInput, make_plan
from reconciler.core.renames import hint_renames
from reconciler.core.resource import LiveResource
from reconciler.core.selection import apply_selection, chosen_addresses, exact_addresses, narrow
from reconciler.errors import ManifestError
from reconciler.git.commits import GitHistory
from reconciler.kinds.registry import KIND_TRAITS
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.read_live import look_up_users, read_all
from reconciler.workflow.session import Session, manifests_of
from reconciler.workflow.target_manifests import read_overlays

if TYPE_CHECKING:
    from reconciler.planfile.reader import SavedPlan


def plan_for(session: Session, request: PlanRequest, saved: "SavedPlan | None" = None) -> Planned:
    """The plan that was asked for; of a saved plan, only if it is still the same.

    The restrictions of a saved plan still hold; the request chooses from it. Raises `ConfigError`
    for an unknown address or ref, and `StalePlanError`, naming all that moved, if another plan was
    approved.
    """
    world = read_world(session)
    whole = compare(world)
    if saved is None:
        chosen = apply_selection(whole, request.selection)
    else:
        chosen_addresses(saved.plan, request.selection)  # an address that it lacks is an error
        chosen = narrow(narrow(whole, saved.header.selection), request.selection)
    planned = judge(session, request, world, whole, chosen)
    if saved is not None:
        from reconciler.workflow.approved import require_unmoved  # noqa: PLC0415  (if asked for)

        planned = require_unmoved(planned, saved, request)
    if request.expect_digest is not None and not planned.plan.failures:
        from reconciler.planfile.staleness import require_digest  # noqa: PLC0415  (if asked for)

        require_digest(request.expect_digest, whole, planned.plan)
    if request.since is not None:
        from reconciler.workflow.since import attribute  # noqa: PLC0415  (only if asked for)

        planned = attribute(session, request, planned)
    if request.reviewed:
        from reconciler.workflow.approved import compare_with  # noqa: PLC0415  (only if asked for)

        planned = compare_with(request, planned)
    return planned


def read_world(session: Session) -> PlanInput:
    """Read the live side, with the manifests bound to it."""
    try:
        reading = read_all(session.resources, session.providers, session.executor)
    except ManifestError as error:
        overlays = read_overlays(session.config, session.target.name)
        raise manifest.locate(error, session.config.root, overlays) from error
    require_distinct(reading.desired, KIND_TRAITS)
    return PlanInput(
        target=session.target.name,
        stack=session.target.stack,
        desired=reading.desired,
        live=reading.live,
        kinds=KIND_TRAITS,
        failures=reading.failures,
        notes=reading.notes,
        lineage=_with_history(session, reading.live),
        fingerprint_key=_fingerprint_key(session),
    )


def _fingerprint_key(session: Session) -> bytes | None:
    """The key of the target; empty if it has none, and None where no values are known."""
    key = session.target.fingerprint_key
    if session.header.offline:
        return None
    return key.get_secret_value().encode() if key is not None else b""


def _with_history(session: Session, live: Sequence[LiveResource]) -> Lineage:
    """The lineage with what Git knows of every commit that a mark names, once it is asked."""
    marks = [item.mark for item in live if item.mark is not None]
    commits = {mark.written.commit for mark in marks if mark.written.commit}
    config = session.config
    history = GitHistory(config.root, session.commit, commits, manifests_of(config))
    return replace(session.lineage, history=history)


def compare(world: PlanInput) -> Plan:
    """The plan of everything that was read; nothing is judged yet."""
    return hint_renames(order_names(make_plan(world), KIND_TRAITS), KIND_TRAITS)


def judge(
    session: Session, request: PlanRequest, world: PlanInput, whole: Plan, chosen: Plan
) -> Planned:
    """What was chosen of the whole plan: its users looked up, and guarded with what is approved."""
    named = exact_addresses(whole, request.selection)  # naming one in full approves its deletion
    given = replace(request.approval, deletions=request.approval.deletions | named)
    digests = dict.fromkeys((chosen.digest(), whole.digest())) if session.trailers else {}
    approval, lines = allow(session.trailers, digests, given)
    plan = guard(look_up_users(chosen, session.providers), session.config.guards, approval)
    if session.header.offline:
        plan = _without_allowances(plan)
    return Planned(world, whole, plan, approval, session.header).with_review(allowances=lines)


def _without_allowances(plan: Plan) -> Plan:
    """The plan with nothing for a commit to allow: no plan that is applied has its digest."""
    changes = (
        replace(change, refusal=change.refusal and replace(change.refusal, allow=""))
        for change in plan.changes
    )
    return replace(plan, changes=tuple(changes))
