"""Several live objects with the mark of one address -> the plan that leaves one of them. Pure.

No plan decides by itself which one is right. A person names the one to keep; the others are
deleted as any object is: under all guards, and only if they are still what was seen.
"""

import shlex
from dataclasses import replace

from reconciler.core.lineage import Lineage
from reconciler.core.mark import deposed_digits
from reconciler.core.ownership import describe_live
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import LiveResource
from reconciler.errors import ReconcileError


def plan_repair(whole: Plan, address: str, keep: str, lineage: Lineage) -> Plan:
    """The deletes of what bears the mark of the address, all but the object with the id `keep`.

    Raises `ReconcileError` where there is nothing to repair, or nothing of this id.
    """
    change = _doubled(whole, address)
    if keep not in {item.uid for item in change.doubles}:
        raise ReconcileError(
            f"no object with the mark of {address} has the id {keep}",
            fix=f"name one of these: {'; '.join(map(describe_live, change.doubles))}",
        )
    deletes = tuple(
        _delete(change, item, keep, lineage) for item in change.doubles if item.uid != keep
    )
    left_out = sum(item is not change for item in whole.changes)
    return replace(whole, changes=deletes, restricted=(address,), left_out=left_out)


def _doubled(whole: Plan, address: str) -> Change:
    for change in whole.changes:
        if change.address == address and change.doubles:
            return change
    doubled = [shlex.quote(item.address) for item in whole.changes if item.doubles]
    raise ReconcileError(
        f"no two live objects bear the mark of {address}: there is nothing to repair",
        fix=f"name the address in full; there are two of {', '.join(doubled)}"
        if doubled
        else "run plan to see what there is",
    )


def _delete(change: Change, live: LiveResource, keep: str, lineage: Lineage) -> Change:
    return Change(
        change.key,
        Action.DELETE,
        change.desired,
        live,
        refusal=lineage.refusal(live),
        deposed=deposed_digits(live.uid),
        hint=f"{change.key.address} is to be {keep}",
        traits=change.traits,
    )
