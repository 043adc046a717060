"""What refusals say, word for word: the words are what clears them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.name_order import order_names
from reconciler.core.plan import Plan, RefusalKind
from reconciler.core.resource import LiveResource, Resource
from reconciler.core.selection import Selection, apply_selection
from reconciler.errors import ConfigError
from tests.core.builders import KINDS, live, plan_of, resource

ENV = "RunaiEnvironment.train"
OTHER = "RunaiEnvironment.other"
KEEP = resource("RunaiEnvironment.keep")
RULES = GuardRules()
NOTHING = Approval()
BLOCKED, CONFLICT = RefusalKind.BLOCKED, RefusalKind.CONFLICT


def guarded(
    desired: Sequence[Resource], there: Sequence[LiveResource], approval: Approval = NOTHING
) -> Plan:
    return guard(order_names(plan_of(desired, there), KINDS), RULES, approval)


def used(plan: Plan, *users: str) -> Plan:
    return replace(plan, changes=tuple(replace(item, used_by=users) for item in plan.changes))


def refusals(plan: Plan) -> list[tuple[str, RefusalKind, str, str]]:
    return [
        (item.address, item.refusal.kind, item.refusal.reason, item.refusal.fix)
        for item in plan.refused
        if item.refusal is not None
    ]


def test_protection() -> None:
    protected = live(ENV, mark={"protect": True})
    (gone,) = refusals(guarded([KEEP], [protected]))
    assert gone[1:] == (
        BLOCKED,
        "it is protected and must not be destroyed",
        "put the manifest back with metadata.protect: false, apply, then remove it",
    )
    (moved,) = refusals(guarded([resource(ENV, {"scope": "x"}, protect=True)], [protected]))
    assert moved[1:] == (
        BLOCKED,
        "it is protected and must not be replaced",
        "set metadata.protect: false in the manifest if it really may be replaced",
    )


def test_users() -> None:
    fix = f"end that use, or pass --allow-destroy {ENV}"
    plan = used(plan_of([resource(ENV, {"scope": "x"})], [live(ENV)]), "template a", "workspace b")
    (replaced,) = refusals(guard(plan, RULES, NOTHING))
    what = "its id changes with a replacement, and it is used by template a, workspace b"
    assert replaced[1:] == (BLOCKED, what, fix)
    plan = used(plan_of([KEEP], [live(ENV)]), *(f"template {n}" for n in range(7)))
    (deleted,) = [item for item in refusals(guard(plan, RULES, NOTHING)) if item[0] == ENV]
    what = "it is used by template 0, template 1, template 2, template 3, template 4 and 2 more"
    assert deleted[1:] == (BLOCKED, what, fix)


def test_no_manifest_at_all() -> None:
    (refusal,) = refusals(guarded([], [live(ENV)]))
    fix = (
        "check `manifests` in reconciler.yaml, and --only; to delete on purpose, name each "
        "address with --only or --allow-destroy"
    )
    what = "this plan has no manifest at all, and an empty set never deletes"
    assert refusal[1:] == (BLOCKED, what, fix)


def test_too_many() -> None:
    there = [live(f"RunaiEnvironment.e{n}") for n in range(3)]
    percent = (
        "the plan destroys 3 of 4 owned objects (75 %), more than guards.max_delete_percent (30 %)"
    )
    fix = "check that this is meant; then pass --allow-deletes=3"
    some = guarded([KEEP], [live("RunaiEnvironment.keep"), *there])
    assert {item[1:] for item in refusals(some)} == {(BLOCKED, percent, fix)}
    everything = (
        "the plan deletes all that this stack owns, more than guards.max_delete_percent (30 %)"
    )
    assert {item[2] for item in refusals(guarded([KEEP], there))} == {everything}
    wrong = refusals(guarded([KEEP], there, Approval(deletes=2)))
    what = "the plan destroys 3 objects that no approval names, and 2 were allowed"
    assert {item[1:] for item in wrong} == {(BLOCKED, what, fix)}
    (too_few, *_) = refusals(guarded([KEEP], there, Approval(deletes=1)))
    assert too_few[2].endswith("and 1 was allowed")
    (one,) = refusals(guarded([KEEP], there[:1], Approval(deletes=0)))
    assert one[2] == "the plan destroys 1 object that no approval names, and 0 were allowed"


def test_dependents_and_leftovers() -> None:
    theirs = live(ENV, {"image": "theirs"}, uid="theirs", owner=None)
    leftover = live(ENV, {"name": "old"}, uid="old", mark={"deposed": "0a1b2c"})
    plan = guarded([resource(ENV), resource(OTHER, depends_on=[ENV])], [theirs, leftover])
    fix, left = "clear that one first", f"{ENV} (deposed 0a1b2c)"
    assert refusals(plan) == [
        (OTHER, BLOCKED, f"it depends on {ENV}, which is refused", fix),
        (
            ENV,
            CONFLICT,
            "an object of this name exists, is not ours, and differs",
            "set metadata.adopt: true to take it over and change it, or choose another name",
        ),
        (left, BLOCKED, f"{ENV} is refused, and this is what is left of it", fix),
    ]


def test_conflicts() -> None:
    twins = guarded([resource(ENV)], [live(ENV, uid="u1"), live(ENV, {"name": "x"}, uid="u2")])
    (twin,) = twins.refused
    assert refusals(twins)[0][1:] == (
        CONFLICT,
        "2 live objects bear the mark of this address: train in tenant (u1) and x in tenant (u2)",
        f"keep one and delete the others: reconcile repair {ENV} --keep u1 --target test --apply",
    )
    assert (twin.action.value, twin.desired, twin.live) == (
        "update",
        resource(ENV),
        live(ENV, uid="u1"),
    )
    (theirs,) = refusals(guarded([resource(ENV)], [live(ENV, owner="theirs")]))
    assert theirs[1:] == (
        CONFLICT,
        "an object of this name exists and belongs to stack theirs",
        "remove it there first, or choose another name here",
    )
    unlike = live(ENV, {"workload_types": {"a": True}}, owner=None)
    stated = resource(ENV, {"workload_types": {"b": True}}, adopt=True)
    (types,) = refusals(guarded([stated], [unlike]))
    what = (
        "an object of this name exists, is not ours, and cannot be changed to this: "
        "workload_types.a, workload_types.b"
    )
    fix = "change the manifest to what is there and adopt it first, or choose another name"
    assert types[1:] == (CONFLICT, what, fix)


def test_names_that_are_taken() -> None:
    (others,) = refusals(
        guarded([resource(ENV, {"name": "x"})], [live(ENV), live("RunaiEnvironment.x", owner=None)])
    )
    assert others[1:] == (
        CONFLICT,
        "an object of the name it is to have exists and is not ours",
        "remove or rename that one, or choose another name here",
    )
    (stays,) = refusals(
        guarded([resource(ENV, {"name": "other"}), resource(OTHER)], [live(ENV), live(OTHER)])
    )
    assert stays[1:] == (
        CONFLICT,
        f"its name is taken by {OTHER}",
        "choose another name for one of the two",
    )
    (going,) = refusals(guarded([resource(ENV, {"name": "other"})], [live(ENV), live(OTHER)]))
    assert going[1:] == (
        CONFLICT,
        f"its name is still taken by {OTHER}, which is deleted last",
        f"apply once more when {OTHER} is gone",
    )
    swap = [resource(ENV, {"name": "other"}), resource(OTHER, {"name": "train"})]
    assert [item[1:] for item in refusals(guarded(swap, [live(ENV), live(OTHER)]))] == [
        (
            CONFLICT,
            f"it would take its name from {address}, which in turn waits for a name",
            "give one of them an interim name, apply, then give it the name that is meant",
        )
        for address in (ENV, OTHER)
    ]


def test_what_waits_for_something_excluded() -> None:
    plan = plan_of([resource(ENV), resource(OTHER, depends_on=[ENV])])
    (refusal,) = refusals(apply_selection(plan, Selection(exclude=(ENV,))))
    assert refusal[1:] == (
        BLOCKED,
        f"it depends on {ENV}, which was excluded",
        f"leave {ENV} in, or exclude this one as well",
    )


@pytest.mark.parametrize(
    ("pattern", "fix"),
    [
        (
            "RunaiEnvironment.e",
            "did you mean RunaiEnvironment.e3, RunaiEnvironment.e2, RunaiEnvironment.e1?",
        ),
        ("zzz", "an address is KIND.ID, such as RunaiEnvironment.ml-training-env; quote globs"),
    ],
)
def test_an_address_that_is_not_there(pattern: str, fix: str) -> None:
    plan = plan_of([resource(f"RunaiEnvironment.e{n}") for n in range(4)])
    with pytest.raises(ConfigError) as caught:
        apply_selection(plan, Selection(only=(pattern,)))
    assert caught.value.what == f"no address matches {pattern!r}"
    assert caught.value.fix == fix
