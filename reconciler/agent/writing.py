"""A plan of the agent functions -> outcomes: the same apply as on the command line, without a show.

Before anything is sent, the plan is compared with what the function meant: it must hold no change
of any other object, whatever the control plane answered.
"""

from collections.abc import Collection

from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan
from reconciler.core.resource import ResourceKey
from reconciler.errors import ReconcileError
from reconciler.workflow.apply import ApplyContext, LogObserver, apply_plan
from reconciler.workflow.session import Session


def carry_out(plan: Plan, session: Session, meant: Collection[ResourceKey]) -> tuple[Outcome, ...]:
    """Apply the plan. Raises `ReconcileError` if it is incomplete or holds anything not meant."""
    require_complete(plan)
    strays = [change.address for change in plan.pending if change.key not in meant]
    if strays:
        raise ReconcileError(
            f"the plan holds what was not asked for: {', '.join(strays)}",
            fix="this is a defect: please report it",
        )
    return apply_plan(
        plan, ApplyContext(session.providers, session.executor, LogObserver(), session.stop)
    )


def require_complete(plan: Plan) -> None:
    """Raise `ReconcileError` if a system could not be read."""
    for failure in plan.failures:
        raise ReconcileError(
            f"the {failure.system} could not be read: {failure.reason}", fix=failure.fix
        )


def all_applied(outcomes: Collection[Outcome]) -> bool:
    """Whether every change was carried out."""
    return all(outcome.status is Status.APPLIED for outcome in outcomes)
