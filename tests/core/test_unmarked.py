"""Kinds whose objects have no room for a mark: ours as long as a manifest states them."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.plan import Plan, Refusal, RefusalKind, digest_desired
from reconciler.core.released import find_released
from reconciler.core.resource import KindTraits, LiveResource, Resource
from tests.core.builders import KINDS, actions, live, plan_of, resource


def pool(name: str, **rest: Any) -> Resource:
    return resource(f"Pool.{name}", **rest)


def there(name: str, **spec: str) -> LiveResource:
    return live(f"Pool.{name}", spec, owner=None)


def plan(*desired: Resource, found: tuple[LiveResource, ...] = ()) -> Plan:
    return plan_of(desired, found)


def test_what_is_not_there_is_created_and_what_is_as_stated_is_left() -> None:
    made = plan(pool("a"), pool("b"), found=(there("b"),))
    assert actions(made) == {"Pool.a": "create", "Pool.b": "unchanged"}
    assert made.owned == 1


def test_what_differs_is_a_conflict_until_the_manifest_may_change_it() -> None:
    (change,) = plan(pool("a", spec={"image": "new"}), found=(there("a"),)).changes
    assert change.refusal == Refusal(
        RefusalKind.CONFLICT,
        "an object of this name exists and differs, and nothing on it can say that it is ours",
        "set metadata.adopt: true to let this manifest change it, or choose another name",
    )
    adopted = plan(pool("a", spec={"image": "new"}, adopt=True), found=(there("a"),))
    assert actions(adopted) == {"Pool.a": "update"}
    assert adopted.owned == 1


def test_what_cannot_be_changed_in_place_is_deleted_first() -> None:
    (change,) = plan(pool("a", spec={"scope": "cluster"}, adopt=True), found=(there("a"),)).changes
    assert change.deletes_first


def test_a_manifest_that_is_gone_deletes_nothing() -> None:
    made = plan(pool("a"), found=(there("a"), there("b")))
    assert actions(made) == {"Pool.a": "unchanged"}


def test_only_a_manifest_that_says_absent_deletes() -> None:
    made = plan(pool("a", absent=True, depends_on=["Tenant.t"]), found=(there("a"),))
    (change,) = made.changes
    assert actions(made) == {"Pool.a": "delete"}
    assert made.owned == 1
    assert change.needs == (), "a delete waits for nothing that it was made after"
    assert actions(plan(pool("a", absent=True))) == {}


def test_absent_is_a_part_of_what_is_approved() -> None:
    assert digest_desired(pool("a")) != digest_desired(pool("a", absent=True))


@pytest.mark.parametrize(
    ("stated", "result"),
    [(pool("a", absent=True), "delete"), (pool("a", absent=True, protect=True), "blocked delete")],
)
def test_protection_holds_until_the_manifest_lifts_it(stated: Resource, result: str) -> None:
    found = plan(stated, pool("b"), found=(there("a"), there("b")))
    guarded = guard(found, GuardRules(), Approval())
    assert actions(guarded)["Pool.a"] == result


def test_a_missing_file_says_nothing_about_what_a_manifest_says() -> None:
    made = plan(pool("a", absent=True), pool("b"), found=(there("a"), there("b")))
    guarded = guard(replace(made, gone=("manifests/b.yaml",)), GuardRules(), Approval())
    assert actions(guarded)["Pool.a"] == "delete"


def test_what_a_base_stated_and_nothing_states_any_more_is_released() -> None:
    base = [pool("kept"), pool("gone", line=9), pool("dead", absent=True), pool("never")]
    base += [resource("Tenant.marked")]
    found = [there("kept"), there("gone"), there("dead"), live("Tenant.marked")]
    (item,) = find_released(base, [pool("kept")], found, KINDS)
    assert (item.kind, item.name, item.uid) == ("Pool", "gone", "uid-gone")
    assert item.reason == (
        "manifests/all.yaml:9 stated it as Pool.gone, and an object of this kind has no room for a "
        "mark: it stays as it is; to delete it, state it with metadata.ensure: absent"
    )


def test_another_id_for_the_same_object_releases_nothing() -> None:
    renamed = pool("other", spec={"name": "a"})
    assert find_released([pool("a")], [renamed], [there("a")], KINDS) == ()


def test_a_leftover_without_a_mark_could_not_be_told() -> None:
    with pytest.raises(ValueError, match="Pool has no mark"):
        KindTraits("Pool", frozenset(), ("name",), 0, marked=False)
