import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest

from reconciler.core.mark import Mark, Written, hash_id
from reconciler.core.ownership import desired_mark
from reconciler.core.plan import Action, Change, ReadFailure, RefusalKind, Unmanaged, select
from reconciler.core.resource import (
    LiveResource,
    Resource,
    Secret,
)
from tests.core.builders import STACK, actions, live, plan_of, resource

ENV = "RunaiEnvironment.train"
GONE = ReadFailure("Docker engine", ("RayfineImage",), "no answer", "start it")


def test_create_unchanged_update_replace_delete() -> None:
    plan = plan_of(
        [
            resource("RunaiEnvironment.new"),
            resource("RunaiEnvironment.same"),
            resource("RunaiEnvironment.edited", {"image": "b"}),
            resource("RunaiEnvironment.moved", {"scope": "cluster", "scope_id": "c1"}),
        ],
        [
            live("RunaiEnvironment.same"),
            live("RunaiEnvironment.edited"),
            live("RunaiEnvironment.moved"),
            live("RunaiEnvironment.old"),
            live("RunaiEnvironment.other", owner="them"),
            live("RunaiEnvironment.nobody", owner=None),
        ],
    )
    assert actions(plan) == {
        "RunaiEnvironment.edited": "update",
        "RunaiEnvironment.moved": "replace",
        "RunaiEnvironment.new": "create",
        "RunaiEnvironment.old": "delete",
        "RunaiEnvironment.same": "unchanged",
    }
    assert plan.owned == 4
    assert not plan.failures
    assert len(plan.pending) == 4
    assert [change.address for change in plan.changes if change.destroys] == [
        "RunaiEnvironment.moved",
        "RunaiEnvironment.old",
    ]
    edited = next(change for change in plan.changes if change.action is Action.UPDATE)
    assert [field.name for field in edited.fields] == ["image"]


def test_the_plan_does_not_depend_on_any_order() -> None:
    desired = [resource(f"RunaiEnvironment.e{n}", {"image": f"i{n % 2}"}) for n in range(6)]
    found = [live(f"RunaiEnvironment.e{n}") for n in range(3, 9)]
    first = plan_of(desired, found)
    for seed in range(20):
        mixed: tuple[list[Resource], list[LiveResource]] = (desired[:], found[:])
        random.Random(seed).shuffle(mixed[0])
        random.Random(seed + 1).shuffle(mixed[1])
        again = plan_of(*mixed)
        assert again == first
        assert again.digest() == first.digest()


def test_kinds_are_ordered_by_dependency() -> None:
    plan = plan_of(
        [
            resource("RunaiEnvironment.a"),
            resource("RunaiCompute.a"),
            resource("RayfineImage.z", {"tag": "z:1"}),
        ]
    )
    assert [change.key.kind for change in plan.changes] == [
        "RayfineImage",
        "RunaiCompute",
        "RunaiEnvironment",
    ]


def test_a_rename_keeps_the_address() -> None:
    plan = plan_of([resource(ENV, {"name": "new"})], [live(ENV, {"name": "old"})])
    (change,) = plan.changes
    assert change.action is Action.UPDATE
    assert [field.name for field in change.fields] == ["name"]


def test_moved_from_is_an_update_of_the_id() -> None:
    plan = plan_of(
        [resource("RunaiEnvironment.new", {"name": "n"}, moved_from="old")],
        [live("RunaiEnvironment.old", {"name": "n"})],
    )
    (change,) = plan.changes
    assert change.action is Action.UPDATE
    assert [(f.name, f.before, f.after) for f in change.fields] == [("metadata.id", "old", "new")]


def test_moved_from_is_done_once_the_new_mark_is_there() -> None:
    plan = plan_of(
        [resource("RunaiEnvironment.new", moved_from="old")], [live("RunaiEnvironment.new")]
    )
    assert actions(plan) == {"RunaiEnvironment.new": "unchanged"}


def test_moved_from_leaves_an_existing_resource_alone() -> None:
    plan = plan_of(
        [resource("RunaiEnvironment.new", moved_from="old"), resource("RunaiEnvironment.old")],
        [live("RunaiEnvironment.old")],
    )
    assert actions(plan) == {
        "RunaiEnvironment.new": "create",
        "RunaiEnvironment.old": "unchanged",
    }


@pytest.mark.parametrize("wanted", [True, False])
def test_protection_is_written_to_the_mark(wanted: bool) -> None:
    plan = plan_of([resource(ENV, protect=wanted)], [live(ENV, mark={"protect": not wanted})])
    (change,) = plan.changes
    assert change.action is Action.UPDATE
    assert [(f.name, f.before, f.after) for f in change.fields] == [
        ("metadata.protect", not wanted, wanted)
    ]


def test_a_first_secret_changes_the_mark_too() -> None:
    desired = resource(ENV, {"v": {"secret": "s"}})
    plan = plan_of([desired], [live(ENV, {"v": "s"})])
    (change,) = plan.changes
    assert [field.name for field in change.fields] == ["metadata.secrets"]
    assert desired_mark(desired, STACK).secrets


@pytest.mark.parametrize(
    ("spec", "adopt", "expected"),
    [
        ({}, False, "adopt"),
        ({"image": "b"}, False, "conflict adopt"),
        ({"image": "b"}, True, "adopt"),
    ],
)
def test_an_unowned_object_of_the_same_name(spec: Any, adopt: bool, expected: str) -> None:
    plan = plan_of([resource(ENV, spec, adopt=adopt)], [live(ENV, owner=None)])
    assert actions(plan) == {ENV: expected}


def test_an_unowned_object_that_would_need_a_replacement_is_a_conflict() -> None:
    plan = plan_of(
        [resource(ENV, {"workload_types": {"training": True}}, adopt=True)],
        [live(ENV, {"workload_types": {"workspace": True}}, owner=None)],
    )
    (change,) = plan.changes
    assert change.refusal is not None
    assert "workload_types.training" in change.refusal.reason


def test_an_object_of_another_stack_is_never_adopted() -> None:
    plan = plan_of([resource(ENV, adopt=True)], [live(ENV, owner="them")])
    (change,) = plan.changes
    assert change.refusal is not None
    assert change.refusal.kind is RefusalKind.CONFLICT
    assert "stack them" in change.refusal.reason


def test_the_same_name_in_another_scope_is_somebody_elses() -> None:
    plan = plan_of([resource(ENV)], [live(ENV, {"scope": "project", "scope_id": "1"}, owner=None)])
    assert actions(plan) == {ENV: "create"}


def doubled(*found: LiveResource, stated: Sequence[Resource] = ()) -> Change:
    (change,) = plan_of(stated or [resource("RunaiEnvironment.other")], found).refused
    return change


def test_two_objects_with_one_mark_are_a_conflict_that_says_which_is_which() -> None:
    written = {"written": Written("", "0123456789")}
    first = live(ENV, uid="u1", created_at="2026-11-01T10:00:00Z", mark=written)
    second = live(ENV, {"scope": "project", "scope_id": "1"}, uid="u2")
    change = doubled(first, second, stated=[resource(ENV)])
    assert change.refusal is not None
    assert change.refusal.kind is RefusalKind.CONFLICT
    assert change.refusal.reason == (
        "2 live objects bear the mark of this address: train in tenant (u1, made "
        "2026-11-01T10:00:00Z, last written by commit 0123456) and train in project 1 (u2)"
    )
    assert change.doubles == (first, second)


@pytest.mark.parametrize(
    ("scope", "stated", "kept"),
    [("tenant", True, "u1"), ("cluster", True, "u2"), ("", False, "u2")],
)
def test_the_one_that_the_manifest_wants_is_offered_or_the_oldest(
    scope: str, stated: bool, kept: str
) -> None:
    found = [
        live(ENV, uid="u1", created_at="2026-11-01T10:00:02Z"),
        live(ENV, {"scope": "cluster"}, uid="u2", created_at="2026-11-01T10:00:01Z"),
    ]
    change = doubled(*found, stated=[resource(ENV, {"scope": scope})] if stated else ())
    assert change.refusal is not None
    command = f"reconcile repair {ENV} --keep {kept} --target test --apply"
    assert change.refusal.fix == f"keep one and delete the others: {command}"


def test_detached_objects_are_listed_and_left_alone() -> None:
    copy = live("RunaiEnvironment.copy", owner=None, detached="a copy")
    plan = plan_of([resource(ENV)], [live(ENV), copy])
    assert actions(plan) == {ENV: "unchanged"}
    assert [(item.name, item.reason) for item in plan.detached] == [("copy", "a copy")]


def test_a_detached_object_in_the_way_is_adopted_like_any_other() -> None:
    plan = plan_of([resource(ENV)], [live(ENV, owner=None, detached="mark damaged")])
    assert actions(plan) == {ENV: "adopt"}
    assert plan.detached == ()


def test_a_leftover_of_a_replacement_is_deleted_under_its_address() -> None:
    leftover = live(ENV, {"name": "train-replaced-0a1b2c"}, uid="old", mark={"deposed": "0a1b2c"})
    plan = plan_of([resource(ENV)], [live(ENV, uid="new"), leftover])
    assert actions(plan) == {
        ENV: "unchanged",
        f"{ENV} (deposed 0a1b2c)": "delete",
    }
    interrupted = plan_of([resource(ENV)], [leftover])
    assert actions(interrupted) == {ENV: "create", f"{ENV} (deposed 0a1b2c)": "delete"}
    forgotten = plan_of([resource("RunaiEnvironment.x")], [leftover])
    assert f"{ENV} (deposed 0a1b2c)" in actions(forgotten)


def test_an_orphan_whose_id_was_not_its_name_is_named_by_hash() -> None:
    plan = plan_of([], [live("RunaiEnvironment.team-a-train", {"name": "train"})])
    digest = hash_id("RunaiEnvironment", "team-a-train")
    assert actions(plan) == {f"RunaiEnvironment.train~{digest}": "delete"}


def test_a_kind_that_could_not_be_read_is_not_planned() -> None:
    image = resource("RayfineImage.affine", {"tag": "affine:latest"}, warnings=("unpinned",))
    plan = plan_of([image, resource(ENV)], [], [GONE])
    assert actions(plan) == {ENV: "create"}
    assert plan.failures
    assert plan.failures[0].addresses == ("RayfineImage.affine",)
    assert plan.warnings == ("RayfineImage.affine: unpinned",)


def test_the_digest_covers_address_action_and_both_sides() -> None:
    plans = [
        plan_of([resource(ENV)]),
        plan_of([resource(ENV)], [live(ENV)]),
        plan_of([resource(ENV)], [live(ENV, {"image": "b"})]),
        plan_of([resource(ENV, {"image": "c"})], [live(ENV)]),
        plan_of([resource("RunaiEnvironment.b")]),
        plan_of([]),
    ]
    for one, two in itertools.combinations(plans, 2):
        assert one.digest() != two.digest()
    moved = plan_of([resource(ENV, line=99)])
    assert moved.digest() == plans[0].digest()


def test_select_keeps_the_order() -> None:
    plan = plan_of([resource(f"RunaiEnvironment.e{n}") for n in range(4)])
    chosen = select(plan, [plan.changes[2], plan.changes[0]])
    assert [change.key.id for change in chosen.changes] == ["e0", "e2"]


def test_refused_changes_are_not_pending() -> None:
    plan = plan_of([resource(ENV, {"image": "b"})], [live(ENV, owner=None)])
    assert plan.pending == ()
    assert len(plan.refused) == 1


def test_a_field_that_says_it_all_hides_the_flag() -> None:
    plan = plan_of([resource(ENV, {"v": {"secret": "new"}})], [live(ENV, {"v": "old"})])
    (change,) = plan.changes
    assert [field.name for field in change.fields] == ["v"]


def test_another_id_for_the_same_object_marks_it_anew() -> None:
    plan = plan_of([resource("RunaiEnvironment.new", {"name": "train"})], [live(ENV)])
    (change,) = plan.changes
    assert actions(plan) == {"RunaiEnvironment.new": "update"}
    assert [(item.name, item.before, item.after) for item in change.fields] == [
        ("metadata.id", "train", "new")
    ]


def test_an_object_that_a_manifest_claims_has_no_other_heir() -> None:
    claimed = plan_of(
        [resource("RunaiEnvironment.new", {"name": "train"}), resource(ENV, {"name": "moved"})],
        [live(ENV)],
    )
    assert actions(claimed) == {"RunaiEnvironment.new": "create", ENV: "update"}
    moved = plan_of(
        [
            resource("RunaiEnvironment.new", {"name": "train"}),
            resource("RunaiEnvironment.other", moved_from="train"),
        ],
        [live(ENV)],
    )
    assert actions(moved) == {"RunaiEnvironment.new": "create", "RunaiEnvironment.other": "update"}


def test_an_heir_with_an_old_moved_from_names_the_id_that_was_last() -> None:
    new = resource("RunaiEnvironment.new", {"name": "train"}, moved_from="long-ago")
    (change,) = plan_of([new], [live(ENV)]).changes
    assert [(item.before, item.after) for item in change.fields] == [("train", "new")]


@pytest.mark.parametrize("owner", [None, "theirs"])
def test_a_name_that_others_have_is_not_taken(owner: str | None) -> None:
    theirs = live(ENV, {"scope": "cluster"}, uid="theirs", owner=owner)
    plan = plan_of([resource(ENV, {"scope": "cluster"})], [live(ENV), theirs])
    assert actions(plan) == {ENV: "conflict replace"}
    assert plan.refused[0].refusal is not None
    assert "not ours" in plan.refused[0].refusal.reason
    renamed = plan_of(
        [resource(ENV, {"name": "b"})], [live(ENV), live("RunaiEnvironment.b", owner=owner)]
    )
    assert actions(renamed) == {ENV: "conflict update"}


def test_the_digest_tells_each_side_apart_where_the_action_is_the_same() -> None:
    def digest(desired: str, there: str) -> str:
        return plan_of([resource(ENV, {"image": desired})], [live(ENV, {"image": there})]).digest()

    assert len({digest("a", "x"), digest("b", "x"), digest("a", "y")}) == 3
    assert digest("a", "x") == digest("a", "x")


def test_the_form_of_the_digest_does_not_change() -> None:
    """It is compared between a review and an apply, which may run on different machines."""
    plan = plan_of([resource(ENV)], [live(ENV, {"image": "b"})])
    assert plan.digest() == (
        "sha256:06e374cbd3c7a104f3f874fc932dc2beaa512c963a2302a72b016438345921f2"
    )
    assert (plan.target, plan.stack) == ("test", STACK)


def test_the_mark_that_a_resource_wants() -> None:
    wanted = desired_mark(resource(ENV, {"v": {"secret": "s"}}, protect=True), STACK)
    assert wanted == Mark(STACK, hash_id("RunaiEnvironment", "train"), protect=True, secrets=True)


def test_a_leftover_goes_under_the_id_of_its_resource_not_its_name() -> None:
    address = "RunaiEnvironment.team-a-train"
    leftover = live(
        address, {"name": "train-replaced-0a1b2c"}, uid="old", mark={"deposed": "0a1b2c"}
    )
    plan = plan_of([resource(address, {"name": "train"})], [leftover])
    assert actions(plan) == {address: "create", f"{address} (deposed 0a1b2c)": "delete"}


def test_an_orphan_named_like_a_leftover_keeps_its_name() -> None:
    plan = plan_of([], [live("RunaiEnvironment.x-replaced-None")])
    assert actions(plan) == {"RunaiEnvironment.x-replaced-None": "delete"}


def test_detached_objects_are_listed_whole() -> None:
    copy = live("RunaiEnvironment.copy", owner=None, uid="u-7", detached="a copy")
    (listed,) = plan_of([], [copy]).detached
    assert listed == Unmanaged("RunaiEnvironment", "copy", "u-7", "a copy")


def test_an_adoption_shows_what_it_changes() -> None:
    plan = plan_of([resource(ENV, {"image": "b"}, adopt=True)], [live(ENV, owner=None)])
    assert [(f.name, f.before, f.after) for f in plan.changes[0].fields] == [
        ("image", "busybox", "b")
    ]
    same = plan_of([resource(ENV)], [live(ENV, owner=None)])
    assert (same.changes[0].fields, same.changes[0].refusal) == ((), None)


def test_an_edit_of_a_secret_is_seen_by_the_time_it_was_made() -> None:
    """No digest of a secret is kept: what is compared is when its object was changed."""

    def digest(value: Any, at: str) -> str:
        spec = {"environment_variables": {"TOKEN": value}}
        return plan_of([resource(ENV)], [live(ENV, spec, updated_at=at)]).digest()

    hidden, other = Secret("a"), Secret("b")
    assert digest(hidden, "2026-01-01") == digest(other, "2026-01-01")
    assert digest(hidden, "2026-01-01") != digest(hidden, "2026-01-02")
    assert digest("plain", "2026-01-01") == digest("plain", "2026-01-02")


def test_the_order_of_fields_is_no_part_of_the_digest() -> None:
    def digest(*names: str) -> str:
        return plan_of([resource(ENV, dict.fromkeys(names, "x"))]).digest()

    assert digest("command", "args") == digest("args", "command")


def test_what_is_marked_as_left_of_something_protected_is_kept() -> None:
    """Whoever may edit a mark can pass the protected object itself off as a leftover."""
    forged = live(ENV, {"name": "train-replaced-0a1b2c"}, uid="u1", mark={"deposed": "0a1b2c"})
    for protect, expected in ((True, [RefusalKind.BLOCKED]), (False, [None])):
        plan = plan_of([resource(ENV, protect=protect)], [forged])
        deletes = [change for change in plan.changes if change.action is Action.DELETE]
        assert [change.refusal and change.refusal.kind for change in deletes] == expected


@pytest.mark.parametrize("deposed", [None, "0a1b2c"])
@pytest.mark.parametrize("places", list(itertools.product(("train", "x"), ("tenant", "cluster"))))
def test_objects_with_one_mark_and_no_manifest_are_a_conflict(
    places: tuple[str, str], deposed: str | None
) -> None:
    """Both would be deleted at one address: whoever looks at that would see one of them."""
    name, scope = places
    found = [
        live(ENV, uid="u1", mark={"deposed": deposed}),
        live(ENV, {"name": name, "scope": scope}, uid="u2", mark={"deposed": deposed}),
        live(ENV, {"scope": "project"}, uid="u3", mark={"deposed": deposed}),
    ]
    plan = plan_of([resource("RunaiEnvironment.other")], found)
    address = f"{ENV} (deposed {deposed})" if deposed else ENV
    assert actions(plan) == {"RunaiEnvironment.other": "create", address: "conflict delete"}
    (change,) = plan.refused
    assert change.refusal is not None
    assert all(uid in change.refusal.reason for uid in ("3 live", "u1", "u2", "u3"))
    assert not [item for item in plan.pending if item.destroys]


def test_a_new_id_for_one_of_two_objects_with_one_mark_leaves_the_other_alone() -> None:
    found = [live(ENV, uid="u1"), live(ENV, {"scope": "cluster"}, uid="u2")]
    plan = plan_of([resource("RunaiEnvironment.new", {"name": "train"})], found)
    assert actions(plan) == {"RunaiEnvironment.new": "update", ENV: "conflict delete"}
