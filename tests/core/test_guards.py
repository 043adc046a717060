from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.plan import Action, Plan, ReadFailure
from reconciler.core.resource import LiveResource, Resource, ResourceKey
from tests.core.builders import actions, live, plan_of, resource

RULES = GuardRules()
NOTHING = Approval()
KEEP = resource("RunaiEnvironment.keep")
KEPT = live("RunaiEnvironment.keep")


def orphans(count: int) -> list[LiveResource]:
    return [live(f"RunaiEnvironment.e{n:03}") for n in range(count)]


def owned(count: int) -> tuple[list[object], list[LiveResource]]:
    names = [f"RunaiEnvironment.k{n:03}" for n in range(count)]
    return [resource(name) for name in names], [live(name) for name in names]


def plan_with(destroys: int, others: int) -> Plan:
    names = [f"RunaiEnvironment.k{n:03}" for n in range(others)]
    return plan_of(
        [resource(name) for name in names], [live(name) for name in names] + orphans(destroys)
    )


def refused(plan: Plan) -> int:
    return len(plan.refused)


@pytest.mark.parametrize(
    ("destroys", "others", "stopped"),
    [
        (2, 1, False),  # the free deletes
        (3, 3, True),  # half of them
        (3, 7, False),  # 30 % is still allowed
        (3, 6, True),
        (10, 90, False),
        (11, 990, True),  # more than max_deletes
        (9, 1, True),  # octoDNS lets 9 of 9 go
    ],
)
def test_mass_destruction(destroys: int, others: int, stopped: bool) -> None:
    plan = guard(plan_with(destroys, others), RULES, NOTHING)
    assert refused(plan) == (destroys if stopped else 0)
    for change in plan.refused:
        assert change.refusal is not None
        assert f"--allow-deletes={destroys}" in change.refusal.fix


def test_an_approval_names_the_exact_number() -> None:
    plan = plan_with(12, 100)
    assert refused(guard(plan, RULES, Approval(deletes=12))) == 0
    wrong = guard(plan, RULES, Approval(deletes=13))
    assert refused(wrong) == 12
    assert "13 were allowed" in wrong.refused[0].refusal.reason  # type: ignore[union-attr]


@given(st.integers(0, 6), st.integers(0, 20), st.integers(0, 8), st.sets(st.integers(0, 5)))
def test_a_number_that_differs_refuses_even_where_no_guard_trips(
    destroys: int, others: int, allowed: int, named: set[int]
) -> None:
    generous = GuardRules(max_deletes=100, max_delete_percent=100, free_deletes=100)
    plan = plan_with(destroys, others)
    addresses = frozenset(f"RunaiEnvironment.e{n:03}" for n in named)
    left = destroys - len([n for n in named if n < destroys])
    judged = guard(plan, generous, Approval(addresses, deletes=allowed))
    if plan.stated:
        assert refused(judged) == (0 if left == allowed else left)
    else:
        assert refused(judged) == left


def test_an_address_named_in_full_is_approved_and_not_counted() -> None:
    plan = plan_with(3, 1)
    names = frozenset(change.address for change in plan.changes if change.destroys)
    assert refused(guard(plan, RULES, Approval(names))) == 0
    one = frozenset(list(names)[:1])
    assert refused(guard(plan, RULES, Approval(one))) == 0  # two are left, which are free


def test_an_approval_of_what_is_destroyed_is_not_warned_of() -> None:
    plan = plan_with(3, 1)
    names = frozenset(change.address for change in plan.changes if change.destroys)
    assert guard(plan, RULES, Approval(names)).warnings == ()


def test_an_approval_of_nothing_is_said_and_stops_nothing() -> None:
    plan = plan_of([KEEP, resource("RunaiEnvironment.new")], [KEPT])
    names = frozenset({"new", "RunaiEnvironment.new", "RunaiEnvironment.*", "Runai Environment.x"})
    judged = guard(plan, RULES, Approval(names, deletes=2))
    none = "this plan destroys no such address (KIND.ID)"
    assert judged.warnings == (
        f"--allow-destroy 'Runai Environment.x': {none}",
        f"--allow-destroy 'RunaiEnvironment.*': {none}",
        f"--allow-destroy RunaiEnvironment.new: {none}",
        f"--allow-destroy new: {none}",
        "--allow-deletes=2: this plan destroys nothing, not 2 objects",
    )
    assert judged.refused == ()
    assert guard(plan, RULES, Approval(deletes=0)).warnings == ()


@pytest.mark.parametrize("count", [1, 2])
def test_the_free_deletes_never_are_all_that_a_stack_owns(count: int) -> None:
    plan = plan_of([KEEP], orphans(count))  # what is created is none of what it owns
    assert refused(guard(plan, RULES, NOTHING)) == count
    assert refused(guard(plan, GuardRules(free_deletes=1000), NOTHING)) == count
    assert refused(guard(plan, RULES, Approval(deletes=count))) == 0
    names = frozenset(change.address for change in plan.changes if change.destroys)
    assert refused(guard(plan, RULES, Approval(names))) == 0
    assert refused(guard(plan, RULES, Approval(deletions=names))) == 0
    assert refused(guard(plan, GuardRules(max_delete_percent=100), NOTHING)) == 0
    assert refused(guard(plan_of([KEEP], [*orphans(count), KEPT]), RULES, NOTHING)) == 0


def test_a_replacement_leaves_something() -> None:
    moved = [resource(f"RunaiEnvironment.e{n:03}", {"scope": "cluster"}) for n in range(2)]
    assert refused(guard(plan_of(moved, orphans(2)), RULES, NOTHING)) == 0
    assert refused(guard(plan_of(moved[:1], orphans(2)), RULES, NOTHING)) == 0
    assert refused(guard(plan_of(moved, orphans(3)), RULES, NOTHING)) == 3


def test_a_leftover_is_nothing_that_a_stack_would_miss() -> None:
    leftover = live("RunaiEnvironment.keep", {"name": "x"}, uid="old", mark={"deposed": "0a1b2c"})
    assert refused(guard(plan_of([KEEP], [leftover]), RULES, NOTHING)) == 0
    assert refused(guard(plan_of([KEEP], [KEPT, leftover]), RULES, NOTHING)) == 0
    other = resource("RunaiEnvironment.other")
    assert refused(guard(plan_of([other], [KEPT, leftover]), RULES, NOTHING)) == 2


def test_an_empty_manifest_set_never_prunes() -> None:
    plan = guard(plan_of([], orphans(1)), RULES, NOTHING)
    assert refused(plan) == 1
    assert refused(guard(plan_of([], orphans(1)), RULES, Approval(deletes=1))) == 1
    named = Approval(frozenset({"RunaiEnvironment.e000"}))
    assert refused(guard(plan_of([], orphans(1)), RULES, named)) == 0


def test_nothing_owned_and_nothing_destroyed_is_fine() -> None:
    assert refused(guard(plan_of([KEEP]), RULES, NOTHING)) == 0
    assert refused(guard(plan_of([]), RULES, NOTHING)) == 0
    strict = GuardRules(max_deletes=10, max_delete_percent=0, free_deletes=0)
    stray = plan_of([KEEP], orphans(1))
    assert refused(guard(replace(stray, owned=0), strict, NOTHING)) == 0


def test_protection_outlives_the_manifest() -> None:
    item = live("RunaiEnvironment.gone", mark={"protect": True})
    plan = guard(plan_of([KEEP], [KEPT, item]), RULES, NOTHING)
    assert actions(plan)["RunaiEnvironment.gone"] == "blocked delete"
    assert "metadata.protect: false" in plan.refused[0].refusal.fix  # type: ignore[union-attr]


def test_a_protected_replacement_is_blocked_until_the_manifest_lifts_it() -> None:
    item = live("RunaiEnvironment.x", mark={"protect": True})
    moved = {"scope": "cluster", "scope_id": "c"}
    still = plan_of([KEEP, resource("RunaiEnvironment.x", moved, protect=True)], [KEPT, item])
    assert actions(guard(still, RULES, NOTHING))["RunaiEnvironment.x"] == "blocked replace"
    lifted = plan_of([KEEP, resource("RunaiEnvironment.x", moved)], [KEPT, item])
    assert actions(guard(lifted, RULES, NOTHING))["RunaiEnvironment.x"] == "replace"
    both = plan_of(
        [KEEP, resource("RunaiEnvironment.x", moved, protect=True)],
        [KEPT, live("RunaiEnvironment.x")],
    )
    assert actions(guard(both, RULES, NOTHING))["RunaiEnvironment.x"] == "blocked replace"


def test_a_protected_object_may_still_be_updated() -> None:
    item = live("RunaiEnvironment.x", mark={"protect": True})
    plan = plan_of([resource("RunaiEnvironment.x", {"image": "b"}, protect=True)], [item])
    assert actions(guard(plan, RULES, NOTHING)) == {"RunaiEnvironment.x": "update"}


@pytest.mark.parametrize("user", ["template t1", "workspace w (Running)", "container c"])
@pytest.mark.parametrize("replaced", [False, True])
def test_destroying_what_is_in_use_needs_its_address(user: str, replaced: bool) -> None:
    address = "RunaiEnvironment.x"
    moved = [resource(address, {"scope": "cluster", "scope_id": "c"})] if replaced else []
    plan = plan_of([KEEP, *moved], [KEPT, live(address)])
    free = guard(plan, RULES, NOTHING)
    assert refused(free) == 0
    used = replace(
        plan,
        changes=tuple(
            replace(change, used_by=(user,)) if change.destroys else change
            for change in plan.changes
        ),
    )
    blocked = guard(used, RULES, NOTHING)
    (change,) = blocked.refused
    assert change.refusal is not None
    assert user in change.refusal.reason
    assert f"--allow-destroy {address}" in change.refusal.fix
    assert change.refusal.allow == f"destroy={address}"
    assert refused(guard(used, RULES, Approval(frozenset({address})))) == 0
    for wrong in (Approval(deletions=frozenset({address})), Approval(deletes=1)):
        assert refused(guard(used, RULES, wrong)) == 1


def test_a_leftover_in_use_goes_with_the_replacement_that_was_allowed() -> None:
    leftover = live("RunaiEnvironment.keep", {"name": "x"}, uid="old", mark={"deposed": "0a1b2c"})
    plan = plan_of([KEEP], [KEPT, leftover])
    used = tuple(replace(c, used_by=("template t",)) if c.destroys else c for c in plan.changes)
    assert refused(guard(replace(plan, changes=used), RULES, NOTHING)) == 0


COMPUTE, WHOLE = "RunaiCompute.x", "RunaiEnvironment.x"


def unit(**rest: Any) -> list[Resource]:
    """A manifest that states an environment asset and a compute asset, in another scope."""
    moved = {"scope": "cluster", "scope_id": "c"}
    part = resource(COMPUTE, moved, part_of=ResourceKey("RunaiEnvironment", "x"))
    return [part, resource(WHOLE, moved, **rest)]


UNIT = [live(COMPUTE), live(WHOLE)]


@pytest.mark.parametrize("refused_one", [COMPUTE, WHOLE])
@pytest.mark.parametrize("stated", ["both", "none", "environment"])
def test_one_manifest_is_refused_as_one(refused_one: str, stated: str) -> None:
    desired = {"both": unit(), "none": [], "environment": unit()[1:]}[stated]
    plan = plan_of([KEEP, *desired], [KEPT, *UNIT])
    assert {c.address: c.part_of for c in plan.changes}[COMPUTE] == ResourceKey(*WHOLE.split("."))
    lax = GuardRules(max_delete_percent=100)
    assert refused(guard(plan, lax, NOTHING)) == 0
    changes = tuple(
        replace(change, used_by=("template t",)) if change.address == refused_one else change
        for change in plan.changes
    )
    judged = guard(replace(plan, changes=changes), lax, NOTHING)
    assert {change.address for change in judged.refused} == {COMPUTE, WHOLE}
    (other,) = [change for change in judged.refused if change.address != refused_one]
    assert other.refusal is not None
    assert other.refusal.reason == (f"it is stated together with {refused_one}, which is refused")


def test_a_conflict_of_one_refuses_the_other_and_what_depends_on_it() -> None:
    theirs = live(WHOLE, {"image": "theirs", "scope": "cluster", "scope_id": "c"}, owner=None)
    user = resource("RunaiEnvironment.y", depends_on=[COMPUTE])
    plan = guard(plan_of([*unit(), user, KEEP], [live(COMPUTE), theirs, KEPT]), RULES, NOTHING)
    assert actions(plan) == {
        COMPUTE: "blocked replace",
        "RunaiEnvironment.keep": "unchanged",
        WHOLE: "conflict adopt",
        "RunaiEnvironment.y": "blocked create",
    }


def test_naming_an_environment_approves_what_its_manifest_states_beside_it() -> None:
    strict = GuardRules(max_deletes=0)
    plan = plan_of([KEEP], [KEPT, *UNIT])
    assert refused(guard(plan, strict, NOTHING)) == 2
    assert refused(guard(plan, strict, Approval(deletions=frozenset({WHOLE})))) == 0
    assert refused(guard(plan, strict, Approval(deletions=frozenset({COMPUTE})))) == 2


def test_what_only_looks_alike_is_no_unit() -> None:
    """Another id, another place, or a leftover: each goes its own way."""
    other_place = live(COMPUTE, {"scope": "cluster"})
    other_id = live("RunaiCompute.y", {"name": "x"})
    leftover = live(COMPUTE, uid="old", mark={"deposed": "0a1b2c"})
    for item in (other_place, other_id, leftover):
        plan = plan_of([KEEP], [KEPT, item, live(WHOLE)])
        assert {change.part_of for change in plan.changes} == {None}
    renamed = [live("RunaiCompute.i", {"name": "x"}), live("RunaiEnvironment.i", {"name": "x"})]
    plan = plan_of([KEEP], [KEPT, *renamed])
    (part,) = [change for change in plan.changes if change.part_of]
    assert part.part_of is not None
    assert part.part_of.id.startswith("x~")
    assert part.key.id.startswith("x~")


def test_what_depends_on_a_refused_change_is_blocked_too() -> None:
    plan = guard(
        plan_of(
            [
                resource("RayfineImage.a", {"tag": "a:1", "digest": "new"}),
                resource("RunaiEnvironment.b", depends_on=["RayfineImage.a"]),
                resource("RunaiEnvironment.c", depends_on=["RunaiEnvironment.b"]),
                resource("RunaiEnvironment.d"),
                resource("RunaiEnvironment.e", depends_on=["RunaiEnvironment.d"]),
            ],
            [live("RayfineImage.a", {"tag": "a:1"}, owner=None)],
        ),
        RULES,
        NOTHING,
    )
    assert actions(plan) == {
        "RayfineImage.a": "conflict adopt",
        "RunaiEnvironment.b": "blocked create",
        "RunaiEnvironment.c": "blocked create",
        "RunaiEnvironment.d": "create",
        "RunaiEnvironment.e": "create",
    }


def test_what_depends_on_an_unread_system_is_blocked() -> None:
    failure = ReadFailure("Docker engine", ("RayfineImage",), "down", "start it")
    plan = plan_of(
        [
            resource("RayfineImage.a", {"tag": "a:1"}),
            resource("RunaiEnvironment.b", depends_on=["RayfineImage.a"]),
        ],
        failures=[failure],
    )
    assert actions(guard(plan, RULES, NOTHING)) == {"RunaiEnvironment.b": "blocked create"}


@given(
    st.integers(0, 30),
    st.integers(0, 30),
    st.builds(
        GuardRules,
        st.integers(0, 20),
        st.floats(0, 100, allow_nan=False),
        st.integers(0, 5),
    ),
)
def test_never_more_is_destroyed_than_the_rules_allow(
    destroys: int, others: int, rules: GuardRules
) -> None:
    plan = guard(plan_with(destroys, others), rules, NOTHING)
    left = sum(change.destroys for change in plan.pending)
    assert left in (0, destroys)
    if others == 0:
        assert left == 0
    if left:
        assert left <= rules.max_deletes
        assert (
            left <= rules.free_deletes or left * 100 <= rules.max_delete_percent * plan.owned + 1e-6
        )
    assert all(change.action is not Action.UNCHANGED for change in plan.refused)


def test_a_leftover_stays_while_what_replaces_it_is_refused() -> None:
    address = "RunaiEnvironment.train"
    leftover = live(
        address, {"name": "train-replaced-0a1b2c"}, uid="old", mark={"deposed": "0a1b2c"}
    )
    theirs = live(address, {"image": "theirs"}, uid="theirs", owner=None)
    plan = guard(plan_of([resource(address), KEEP], [leftover, theirs, KEPT]), RULES, NOTHING)
    assert actions(plan) == {
        "RunaiEnvironment.keep": "unchanged",
        address: "conflict adopt",
        f"{address} (deposed 0a1b2c)": "blocked delete",
    }
    assert plan.refused[1].refusal is not None
    assert address in plan.refused[1].refusal.reason
    free = guard(plan_of([resource(address), KEEP], [leftover, KEPT]), RULES, NOTHING)
    assert free.refused == ()


def test_a_tripped_guard_stops_the_destroys_and_nothing_else() -> None:
    new = resource("RunaiEnvironment.new")
    approved = Approval(frozenset({"RunaiEnvironment.e000"}))
    plan = guard(plan_of([KEEP, new], [KEPT, *orphans(5)]), RULES, approved)
    assert actions(plan) == {
        "RunaiEnvironment.keep": "unchanged",
        "RunaiEnvironment.new": "create",
        "RunaiEnvironment.e000": "delete",
        **{f"RunaiEnvironment.e00{n}": "blocked delete" for n in range(1, 5)},
    }


def test_a_leftover_is_approved_under_its_own_address_or_that_of_its_resource() -> None:
    strict = GuardRules(max_deletes=0)
    address = "RunaiEnvironment.keep"
    leftover = live(address, {"name": "x"}, uid="old", mark={"deposed": "0a1b2c"})
    plan = plan_of([KEEP], [KEPT, leftover])
    assert refused(guard(plan, strict, NOTHING)) == 1
    for named in (address, f"{address} (deposed 0a1b2c)"):
        assert refused(guard(plan, strict, Approval(frozenset({named})))) == 0


def test_a_refusal_reaches_dependents_in_any_order_of_addresses() -> None:
    names = ["RunaiEnvironment.a", "RunaiEnvironment.b", "RunaiEnvironment.c"]
    desired = [
        resource(names[0], depends_on=[names[1]]),
        resource(names[1], depends_on=[names[2]]),
        resource(names[2], {"image": "x"}),
    ]
    plan = guard(plan_of(desired, [live(names[2], owner=None)]), RULES, NOTHING)
    assert actions(plan) == {
        names[0]: "blocked create",
        names[1]: "blocked create",
        names[2]: "conflict adopt",
    }


def test_a_leftover_of_what_is_refused_is_not_counted() -> None:
    strict = GuardRules(max_deletes=0)
    address = "RunaiEnvironment.train"
    leftover = live(address, {"name": "x"}, uid="old", mark={"deposed": "0a1b2c"})
    theirs = live(address, {"image": "theirs"}, uid="theirs", owner=None)
    plan = guard(plan_of([resource(address)], [leftover, theirs]), strict, NOTHING)
    assert plan.refused[1].refusal is not None
    assert "is refused, and this is what is left of it" in plan.refused[1].refusal.reason


def test_an_address_that_was_selected_approves_its_deletion_but_no_replacement() -> None:
    moved = [resource(f"RunaiEnvironment.r{n}", {"scope": "tenant"}) for n in range(3)]
    there = [live(f"RunaiEnvironment.r{n}", {"scope": "cluster"}) for n in range(3)]
    plan = plan_of(moved, [*there, *orphans(3)])
    selected = Approval(deletions=frozenset(change.address for change in plan.changes))
    refusals = actions(guard(plan, RULES, selected))
    assert {words for address, words in refusals.items() if ".r" in address} == {"blocked replace"}
    assert refused(guard(plan_of([KEEP], [KEPT, *orphans(3)]), RULES, NOTHING)) == 3
    assert refused(guard(plan_of([KEEP], [KEPT, *orphans(3)]), RULES, selected)) == 0


@pytest.mark.parametrize(
    ("approval", "expected"),
    [
        (Approval(), False),
        (Approval(rollback=True), False),
        (Approval(addresses=frozenset({"RunaiEnvironment.a"})), True),
        (Approval(deletions=frozenset({"RunaiEnvironment.a"})), True),
        (Approval(deletes=0), True),
    ],
)
def test_an_approval_is_given_once_it_allows_a_deletion(approval: Approval, expected: bool) -> None:
    assert approval.given is expected
