"""What the traits of a kind promise, on a real system over HTTP, whatever request kills the run."""

import copy
from collections.abc import Callable, Sequence

import pytest

from reconciler.core.outcome import Status
from reconciler.core.resource import Resource
from tests.core.builders import actions
from tests.laws.depot import Client, Depot, KilledError, apply_on, plan_on, running, stated

Scenario = tuple[Sequence[Resource], Sequence[Resource]]
"""The manifests before, and after."""


def scenario_replacements() -> Scenario:
    before = [stated("Crate.a", {"size": 1}), stated("Vat.v", {"size": 1})]
    return before, [stated("Crate.a", {"size": 2}), stated("Vat.v", {"size": 2})]


def scenario_unmarked() -> Scenario:
    names = ("kept", "changed", "moved", "gone", "released")
    before = [stated(f"Shelf.{name}", {"hall": "east"}) for name in names]
    return before, [
        stated("Shelf.new", {"hall": "east"}),
        stated("Shelf.kept", {"hall": "east"}),
        stated("Shelf.changed", {"hall": "east", "rows": 2}, adopt=True),
        stated("Shelf.moved", {"hall": "west"}, adopt=True),
        stated("Shelf.gone", {"hall": "east"}, absent=True),
    ]


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    name.removeprefix("scenario_"): value
    for name, value in list(globals().items())
    if name.startswith("scenario_")
}


def reach(depot: Depot, desired: Sequence[Resource]) -> None:
    outcomes = apply_on(depot, desired, Client(depot))
    assert {item.status for item in outcomes} <= {Status.APPLIED}, outcomes
    assert plan_on(depot, desired).pending == ()


def contents(depot: Depot) -> dict[str, object]:
    return {kind: copy.deepcopy(depot.names(kind)) for kind in depot.tables}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_that_is_killed_at_any_request_is_gone_on_from(name: str) -> None:
    before, after = SCENARIOS[name]()
    with running() as depot:
        depot.make("Shelf", {"name": "of others", "hall": "east"})
        reach(depot, before)
        start = copy.deepcopy(depot.tables)
        client = Client(depot)
        apply_on(depot, after, client)
        assert plan_on(depot, after).pending == ()
        wanted = contents(depot)
        assert client.sent > 3
        for number in range(1, client.sent + 1):
            for is_after in (False, True):
                depot.tables = copy.deepcopy(start)
                with pytest.raises(KilledError):
                    apply_on(depot, after, Client(depot, number, after=is_after))
                reach(depot, after)
                assert contents(depot) == wanted, (number, is_after)


def test_an_unmarked_object_is_created_updated_and_never_deleted_for_a_manifest_that_is_gone() -> (
    None
):
    with running() as depot:
        shelf = stated("Shelf.a", {"hall": "east"})
        reach(depot, [shelf])
        wider = stated("Shelf.a", {"hall": "east", "rows": 3})
        assert actions(plan_on(depot, [wider])) == {"Shelf.a": "conflict update"}
        reach(depot, [stated("Shelf.a", {"hall": "east", "rows": 3}, adopt=True)])
        assert depot.names("Shelf") == {"a": {"name": "a", "hall": "east", "rows": 3}}
        reach(depot, [stated("Shelf.b", {"hall": "east"})])
        assert set(depot.names("Shelf")) == {"a", "b"}
        gone = stated("Shelf.a", {"hall": "east"}, absent=True)
        assert actions(plan_on(depot, [gone])) == {"Shelf.a": "delete"}
        reach(depot, [gone])
        assert set(depot.names("Shelf")) == {"b"}


def test_what_deletes_first_never_stands_beside_its_successor() -> None:
    with running() as depot:
        reach(depot, [stated("Vat.v", {"size": 1})])
        (old,) = depot.tables["Vat"]
        reach(depot, [stated("Vat.v", {"size": 2})])
        (new,) = depot.tables["Vat"]
        assert new != old
