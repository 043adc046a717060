"""References: bound as soon as their value is known, at any depth; what is left is known later."""

from typing import Any

import pytest

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.plan import Change, Plan
from reconciler.core.plan_values import after, references_in, unknown_in
from reconciler.core.references import bind, references
from reconciler.core.resource import Made, Reference
from reconciler.core.selection import Selection, apply_selection
from tests.core.builders import actions, key, live, plan_of, resource

TENANT = Reference(key("Tenant.t"))
MAKER, HOLDER = "Volume.v", "RunaiEnvironment.e"
DEEP = {"context": {"on": [{"tenant": {"reference": "Tenant.t"}}, 1], "other": "x"}}


def holding(spec: Any, address: str = HOLDER, **rest: Any) -> Any:
    return resource(address, spec, **rest)


def spec_in(plan: Plan, address: str = HOLDER) -> Any:
    (change,) = [item for item in plan.changes if item.address == address]
    assert change.desired is not None
    return change.desired.spec


def test_a_reference_names_an_output() -> None:
    assert str(TENANT) == "Tenant.t.id"
    assert str(Reference(key("Tenant.t"), "path")) == "Tenant.t.path"


def test_every_reference_is_found_with_the_field_that_holds_it() -> None:
    found = list(references(holding(DEEP).spec))
    assert found == [(("context", "on"), TENANT)]


def test_what_is_known_is_bound_and_the_rest_stays() -> None:
    item = holding({**DEEP, "image": {"reference": "Tenant.t", "output": "none"}})
    bound = bind(item, lambda found: "7" if found.output == "id" else None)
    assert bound.spec["context"] == {"on": [{"tenant": "7"}, 1], "other": "x"}
    assert bound.spec["image"] == Reference(key("Tenant.t"), "none")


def test_what_refers_to_nothing_is_left_as_it_is() -> None:
    item = holding({})
    assert bind(item, lambda _: "7") is item


def test_a_live_object_that_stays_gives_out_its_id_and_outputs() -> None:
    wanted = {"image": {"reference": "Tenant.t", "output": "path"}, **DEEP}
    tenants = [live("Tenant.t", uid="7", outputs={"path": "/t"})]
    spec = spec_in(plan_of([holding(wanted), resource("Tenant.t")], tenants))
    assert (spec["image"], spec["context"]["on"]) == ("/t", [{"tenant": "7"}, 1])
    same = plan_of(
        [holding({"image": {"reference": "Tenant.t"}}), resource("Tenant.t")],
        [*tenants, live(HOLDER, {"image": "7"})],
    )
    assert actions(same) == {"Tenant.t": "unchanged", HOLDER: "unchanged"}


@pytest.mark.parametrize("found", [[], [live("Tenant.t", {"image": "old"}, outputs={"path": ""})]])
def test_what_a_new_object_gives_out_is_not_known_yet(found: Any) -> None:
    wanted = {"image": {"reference": "Tenant.t", "output": "nothing"}}
    spec = spec_in(plan_of([holding(wanted), resource("Tenant.t")], found))
    assert spec["image"] == Reference(key("Tenant.t"), "nothing")


def replacing(**rest: Any) -> Plan:
    """A replacement whose id another object holds, and one that nobody holds."""
    return plan_of(
        [
            resource(MAKER, {"scope": "cluster"}, **rest),
            resource("Volume.free", {"scope": "cluster"}),
            holding({"image": {"reference": MAKER}}),
        ],
        [live(MAKER), live("Volume.free"), live(HOLDER, {"image": "uid-v"})],
    )


def test_who_holds_the_id_of_what_is_replaced_is_changed_in_the_same_plan() -> None:
    plan = replacing()
    assert actions(plan) == {MAKER: "replace", "Volume.free": "replace", HOLDER: "update"}
    assert {change.address: change.holders for change in plan.changes} == {
        MAKER: (key(HOLDER),),
        "Volume.free": (),
        HOLDER: (),
    }


def test_what_is_refused_gives_out_what_it_has() -> None:
    plan = plan_of(
        [
            resource("Tenant.t", {"scope": "cluster"}),
            holding({"image": {"reference": "Tenant.t"}}),
        ],
        [live("Tenant.t"), live(HOLDER, {"image": "uid-t"})],
    )
    assert actions(plan) == {"Tenant.t": "blocked replace", HOLDER: "unchanged"}


def test_a_replacement_and_its_holders_are_refused_together() -> None:
    refused = guard(replacing(protect=True), GuardRules(), Approval())
    assert actions(refused)[HOLDER] == "blocked update"
    one_out = apply_selection(replacing(), Selection(exclude=(HOLDER,)))
    (change,) = [item for item in one_out.changes if item.address == MAKER]
    assert change.refusal is not None
    assert change.refusal.reason == f"it is referred to by {HOLDER}, which was excluded"


def test_a_choice_brings_the_holders_along() -> None:
    chosen = apply_selection(replacing(), Selection(only=(MAKER,)))
    assert actions(chosen) == {MAKER: "replace", HOLDER: "update"}


def test_what_is_known_later_is_in_the_shape_of_the_spec() -> None:
    plan = plan_of([holding({**DEEP, "image": {"reference": "Tenant.t"}}), resource("Tenant.t")])
    change: Change = next(item for item in plan.changes if item.address == HOLDER)
    tree = references_in(change)
    assert tree == {"context": {"on": [{"tenant": "Tenant.t.id"}, None]}, "image": "Tenant.t.id"}
    assert unknown_in(tree) == {"context": {"on": [{"tenant": True}, False]}, "image": True}
    side = after(change)
    assert side is not None
    assert side["context"] == {"on": [{}, 1], "other": "x"}
    assert "image" not in side


def test_what_is_referred_to_is_a_part_of_what_is_approved() -> None:
    stated = [resource("Tenant.t"), resource("Tenant.u")]
    one = plan_of([*stated, holding({"image": {"reference": "Tenant.t"}})])
    other = plan_of([*stated, holding({"image": {"reference": "Tenant.u"}})])
    assert one.digest() != other.digest()


def test_an_id_of_what_was_made_is_its_id_in_every_comparison() -> None:
    made = Made("7", {"path": "/t"})
    assert (made, made.outputs) == ("7", {"path": "/t"})
