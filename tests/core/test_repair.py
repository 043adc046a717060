from dataclasses import replace

import pytest

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.lineage import Lineage
from reconciler.core.plan import Action
from reconciler.core.repair import plan_repair
from reconciler.errors import ReconcileError
from tests.core.builders import live, plan_of, resource

ENV = "RunaiEnvironment.train"


def test_a_repair_deletes_all_but_the_one_to_keep() -> None:
    found = [live(ENV, {"scope": scope}, uid=scope) for scope in ("tenant", "cluster", "x")]
    plan = plan_of([resource(ENV), resource("RunaiEnvironment.other")], found)
    repair = plan_repair(plan, ENV, "cluster", Lineage())
    assert [(item.action, item.live and item.live.uid) for item in repair.changes] == [
        (Action.DELETE, "tenant"),
        (Action.DELETE, "x"),
    ]
    assert all(item.pending and item.key.address == ENV for item in repair.changes)
    assert len({item.address for item in repair.changes}) == 2
    assert (repair.restricted, repair.left_out) == ((ENV,), 1)
    assert {item.hint for item in repair.changes} == {f"{ENV} is to be cluster"}


@pytest.mark.parametrize("protect", [True, False])
def test_a_repair_is_held_back_by_guards(protect: bool) -> None:
    found = [live(ENV, uid="u1"), live(ENV, {"scope": "x"}, uid="u2", mark={"protect": True})]
    plan = plan_of([resource(ENV, protect=protect)], found)
    guarded = guard(plan_repair(plan, ENV, "u1", Lineage()), GuardRules(), Approval())
    (change,) = guarded.changes
    assert (change.refusal is not None) is protect
    used = replace(guarded, changes=(replace(change, refusal=None, used_by=("workspace a",)),))
    (change,) = guard(used, GuardRules(), Approval()).changes
    assert change.refusal is not None
    (change,) = guard(used, GuardRules(), Approval(frozenset({ENV}))).changes
    assert (change.refusal is not None) is protect


def test_a_repair_of_what_is_not_doubled_says_what_is() -> None:
    found = [live(ENV, uid="u1"), live(ENV, {"scope": "x"}, uid="u2")]
    plan = plan_of([resource(ENV)], found)
    with pytest.raises(ReconcileError, match="has the id u3") as caught:
        plan_repair(plan, ENV, "u3", Lineage())
    assert "train in tenant (u1); train in x (u2)" in caught.value.fix
    with pytest.raises(ReconcileError, match="nothing to repair") as caught:
        plan_repair(plan, "RunaiEnvironment.other", "u1", Lineage())
    assert ENV in caught.value.fix
    with pytest.raises(ReconcileError, match="nothing to repair"):
        plan_repair(plan_of([resource(ENV)]), ENV, "u1", Lineage())
