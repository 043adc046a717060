"""An address on an open session -> its explanation, or the names that may have been meant."""

from reconciler.core.plan import Change, Plan
from reconciler.core.planned import Planned
from reconciler.core.selection import called, close_addresses
from reconciler.errors import ConfigError, ReconcileError
from reconciler.git.commits import read_edit
from reconciler.render.explain import Explanation, explain_change
from reconciler.workflow.session import Session


def explain_address(planned: Planned, address: str, session: Session) -> Explanation:
    """Explain the change of one address of a plan that was made without a selection.

    Asks the control plane what uses the live object. Raises `ConfigError` for an unknown address,
    with close ones, and `ProviderError` if a system does not answer.
    """
    change = find_change(planned.plan, address)
    used_by = change.used_by
    if change.live is not None and not used_by:
        provider = session.providers[change.key.kind]
        used_by = provider.usage([change.live]).get(change.live.uid, ())
    mark = change.live.mark if change.live is not None else None
    applied = read_edit(session.config.root, mark.written.commit) if mark is not None else None
    cause = planned.header.review.causes.get(change.address)
    return explain_change(change, planned.plan, used_by, cause, applied)


def find_change(plan: Plan, address: str) -> Change:
    """The change of an address, or of an unambiguous id or name. Raises `ConfigError`."""
    for change in called(plan, address):
        return change
    for failure in plan.failures:
        if any(address in (known, known.partition(".")[2]) for known in failure.addresses):
            raise ReconcileError(
                f"{address} is not planned, because the {failure.system} could not be read: "
                f"{failure.reason}",
                fix=failure.fix,
            )
    close = close_addresses(address, [change.address for change in plan.changes])
    fix = f"did you mean {' or '.join(close)}?" if close else "reconcile plan lists what there is"
    raise ConfigError(f"there is no {address} in the manifests or among what they own", fix=fix)
