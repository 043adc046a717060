import pytest

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.name_order import order_names, require_distinct
from reconciler.core.plan import Plan
from reconciler.errors import ManifestError
from tests.core.builders import KINDS, actions, key, live, plan_of, resource

A, B, C = (f"RunaiEnvironment.{name}" for name in "abc")


def ordered(plan: Plan) -> Plan:
    return order_names(plan, KINDS)


def waits(plan: Plan) -> dict[str, list[str]]:
    return {
        change.address: [item.address for item in change.desired.depends_on]
        for change in plan.changes
        if change.desired is not None and change.desired.depends_on
    }


def test_names_that_nobody_else_has_change_nothing() -> None:
    plan = plan_of([resource(A), resource(B, {"name": "new"})], [live(B), live(C)])
    assert ordered(plan) == plan


def test_who_takes_a_name_over_waits_until_it_is_free() -> None:
    plan = plan_of(
        [resource(A, {"name": "b"}), resource(B, {"name": "c"}), resource(C, {"name": "d"})],
        [live(A), live(B), live(C)],
    )
    assert waits(ordered(plan)) == {A: [B], B: [C]}
    assert not ordered(plan).refused


def test_a_new_resource_waits_for_the_name_that_another_gives_up() -> None:
    plan = plan_of([resource(A, {"name": "b"}), resource(B, {"name": "c"})], [live(B)])
    assert actions(ordered(plan)) == {A: "create", B: "update"}
    assert waits(ordered(plan)) == {A: [B]}


def test_what_it_depended_on_before_is_kept() -> None:
    desired = [
        resource("RunaiCompute.x"),
        resource(A, {"name": "b"}, depends_on=["RunaiCompute.x"]),
        resource(B, {"name": "c"}),
    ]
    assert waits(ordered(plan_of(desired, [live(A), live(B)]))) == {A: ["RunaiCompute.x", B]}


def test_a_replacement_gives_its_name_up_too() -> None:
    plan = plan_of([resource(A, {"scope": "cluster"}), resource(B, {"name": "a"})], [live(A)])
    assert waits(ordered(plan)) == {B: [A]}


def test_a_swap_is_a_conflict_and_says_how_to_do_it() -> None:
    plan = ordered(
        plan_of(
            [resource(A, {"name": "b"}), resource(B, {"name": "a"}), resource(C, {"name": "d"})],
            [live(A), live(B), live(C)],
        )
    )
    assert actions(plan) == {A: "conflict update", B: "conflict update", C: "update"}
    assert plan.refused[0].refusal is not None
    assert B in plan.refused[0].refusal.reason
    assert "interim name" in plan.refused[0].refusal.fix


def test_a_name_at_the_end_of_a_chain_into_a_circle() -> None:
    """x waits for a, which swaps with b: x is no part of the circle, and is blocked by it."""
    x = "RunaiEnvironment.x"
    desired = [resource(A, {"name": "b"}), resource(B, {"name": "a"}), resource(x, {"name": "a"})]
    plan = ordered(plan_of(desired, [live(A), live(B), live(x)]))
    assert actions(plan)[x] == "update"
    guarded = guard(plan, GuardRules(), Approval())
    assert actions(guarded) == {A: "conflict update", B: "conflict update", x: "blocked update"}


def test_a_name_of_what_is_deleted_last_is_a_conflict() -> None:
    plan = ordered(plan_of([resource(A, {"name": "b"})], [live(A), live(B)]))
    assert actions(plan) == {A: "conflict update", B: "delete"}
    assert plan.refused[0].refusal is not None
    assert "deleted last" in plan.refused[0].refusal.reason
    assert B in plan.refused[0].refusal.fix


def test_a_name_of_what_stays_is_a_conflict() -> None:
    plan = ordered(plan_of([resource(A, {"name": "b"}), resource(B)], [live(A), live(B)]))
    assert actions(plan) == {A: "conflict update", B: "unchanged"}
    assert plan.refused[0].refusal is not None
    assert plan.refused[0].refusal.reason == f"its name is taken by {B}"


def test_objects_of_others_are_no_business_of_this_module() -> None:
    plan = plan_of([resource(A)], [live(B, {"name": "a"}, owner="theirs")])
    assert actions(plan) == {A: "conflict adopt"}
    assert ordered(plan) == plan
    unowned = plan_of([resource(A)], [live(B, {"name": "a"}, owner=None)])
    assert ordered(unowned) == unowned


def test_keys_are_told_apart_from_leftovers() -> None:
    leftover = live(A, {"name": "a-replaced-0a1b2c"}, uid="old", mark={"deposed": "0a1b2c"})
    plan = plan_of([resource(B, {"name": "a-replaced-0a1b2c"})], [leftover])
    refused = ordered(plan).refused
    assert [item.key for item in refused] == [key(B)]


def test_resources_of_their_own_names_are_distinct() -> None:
    require_distinct([resource(A), resource(B)], KINDS)


def test_two_manifests_of_one_object_are_an_error_at_the_second() -> None:
    with pytest.raises(ManifestError) as raised:
        require_distinct([resource(A), resource(B, {"name": "a"}), resource(C)], KINDS)
    assert [problem.message for problem in raised.value.problems] == [
        f"{B} is the same object as {A} ({resource(A).source}): same name and scope"
    ]
