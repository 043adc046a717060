"""How an object is replaced and what ends with it: a kind states it; plans and guards obey."""

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.plan import Action, Refusal, RefusalKind
from tests.core.builders import actions, live, plan_of, resource

VOLUME, TENANT = "Volume.data", "Tenant.acme"


def test_a_kind_says_which_comes_first() -> None:
    moved = {"scope": "cluster"}
    addresses = ["RunaiEnvironment.a", VOLUME]
    plan = plan_of(
        [resource(address, moved) for address in addresses], [live(a) for a in addresses]
    )
    assert {change.address: change.deletes_first for change in plan.changes} == {
        "RunaiEnvironment.a": False,
        VOLUME: True,
    }
    assert {change.action for change in plan.changes} == {Action.REPLACE}


def test_only_a_replacement_deletes_first() -> None:
    plan = plan_of([resource(VOLUME), resource("Volume.new")], [live(VOLUME), live("Volume.old")])
    assert not any(change.deletes_first for change in plan.changes)


def test_what_is_never_replaced_is_refused_until_the_manifest_is_changed_back() -> None:
    (change,) = plan_of([resource(TENANT, {"scope": "cluster"})], [live(TENANT)]).changes
    assert change.refusal == Refusal(
        RefusalKind.BLOCKED,
        "scope cannot be changed, and an object of this kind is never replaced",
        "change the manifest back; for another object, give it another id and name",
    )


def test_what_is_never_replaced_is_still_updated_and_deleted() -> None:
    plan = plan_of([resource(TENANT, {"image": "new"})], [live(TENANT), live("Tenant.old")])
    assert actions(plan) == {TENANT: "update", "Tenant.old": "delete"}


def test_what_ends_with_an_object_is_told_where_it_is_destroyed() -> None:
    stated = [resource(VOLUME, {"scope": "cluster"}), resource("Volume.kept", {"image": "new"})]
    plan = plan_of(stated, [live(VOLUME), live("Volume.kept"), live("Volume.old")])
    assert {change.address: change.destroys_besides for change in plan.changes} == {
        VOLUME: "the data on it",
        "Volume.kept": "",
        "Volume.old": "the data on it",
    }


def test_a_guard_names_what_protection_saves() -> None:
    plan = plan_of([], [live(VOLUME, mark={"protect": True})])
    (change,) = guard(plan, GuardRules(), Approval()).changes
    assert change.refusal is not None
    assert change.refusal.reason == (
        "it is protected and must not be destroyed: that would destroy the data on it as well"
    )
