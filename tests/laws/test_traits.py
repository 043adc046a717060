"""What the traits of a kind promise, on a real system over HTTP, whatever request kills the run."""

import copy
import json
import re
from collections.abc import Callable, Sequence

import pytest

from reconciler.core.outcome import Status
from reconciler.core.resource import Resource
from tests.core.builders import actions
from tests.laws.depot import Client, Depot, KilledError, apply_on, plan_on, ref, running, stated

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


def scenario_created_with_their_holders() -> Scenario:
    return [], chain(1)


def scenario_replaced_under_their_holders() -> Scenario:
    return chain(1), chain(2)


def scenario_given_up() -> Scenario:
    return chain(1), [stated("Shelf.s", {"hall": "east"})]


def chain(size: int) -> list[Resource]:
    """Objects that hold what others are known by: in place, at a depth, and where it replaces."""
    return [
        stated("Crate.c", {"size": size}),
        stated("Label.fixed", {"colour": ref("Crate.c")}),
        stated("Label.l", {"on": {"crates": [{"crate": ref("Crate.c")}]}, "text": "x"}),
        stated("Index.i", {"labels": {"fixed": ref("Label.fixed"), "l": ref("Label.l", "serial")}}),
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


def contents(depot: Depot) -> str:
    """All objects, with names in place of ids: those differ from run to run."""
    text = json.dumps({kind: depot.names(kind) for kind in depot.tables}, sort_keys=True)
    for kind, table in depot.tables.items():
        for uid, body in table.items():
            text = re.sub(rf"\b{uid}\b", f"{kind} {body['name']}", text)
    return text


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


def test_values_are_known_wave_by_wave() -> None:
    with running() as depot:
        plan = plan_on(depot, chain(1))
        assert {change.action.value for change in plan.changes} == {"create"}
        reach(depot, chain(1))
        (crate,) = depot.tables["Crate"]
        labels = {body["name"]: uid for uid, body in depot.tables["Label"].items()}
        assert depot.names("Label")["fixed"]["colour"] == crate
        assert depot.names("Label")["l"]["on"] == {"crates": [{"crate": crate}]}
        (index,) = depot.tables["Index"].values()
        assert index["labels"] == {"fixed": labels["fixed"], "l": f"serial of {labels['l']}"}


def test_a_replacement_is_followed_by_its_holders_in_the_same_plan() -> None:
    with running() as depot:
        reach(depot, chain(1))
        assert actions(plan_on(depot, chain(2))) == {
            "Crate.c": "replace",
            "Label.fixed": "replace",
            "Label.l": "update",
            "Index.i": "update",
        }
        reach(depot, chain(2))
        (crate,) = depot.tables["Crate"]
        assert depot.names("Label")["fixed"]["colour"] == crate
        assert len(depot.tables["Label"]) == 2


def test_an_old_object_stays_while_a_holder_could_not_be_moved() -> None:
    with running() as depot:
        reach(depot, chain(1))
        depot.refused = "Label"
        outcomes = {item.change.address: item for item in apply_on(depot, chain(2), Client(depot))}
        assert outcomes["Label.l"].status is Status.FAILED
        assert outcomes["Index.i"].status is Status.SKIPPED_DEPENDENCY
        crate = outcomes["Crate.c"]
        assert (crate.status, crate.sent) == (Status.FAILED, True)
        assert crate.message == (
            "the old object stays, because Label.fixed, Label.l may still refer to it"
        )
        assert len(depot.tables["Crate"]) == 2
        depot.refused = ""
        reach(depot, chain(2))
        assert len(depot.tables["Crate"]) == 1
