"""What the traits of a kind promise, on a real system over HTTP, whatever request kills the run."""

import copy
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.header import Header
from reconciler.core.outcome import Status
from reconciler.core.resource import Resource, ResourceKey, Secret
from reconciler.planfile.writer import render_json
from reconciler.render.explain import explain_change
from reconciler.render.html import render_html
from reconciler.render.markdown import COMMENT_LIMIT, render_markdown
from reconciler.render.text import render_plan
from reconciler.support.terminal import Style
from tests.core.builders import actions
from tests.examples import examples
from tests.laws.depot import (
    KINDS,
    Client,
    Depot,
    KilledError,
    apply_on,
    plan_on,
    ref,
    running,
    stated,
)

Scenario = tuple[Sequence[Resource], Sequence[Resource]]
"""The manifests before, and after."""
CANARY = "canary-bird-singing"
HEADER = Header("depot")


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


def scenario_write_only() -> Scenario:
    return secrets("old"), secrets("new")


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


def secrets(text: str) -> list[Resource]:
    """Values that are not read back: changed in place, and by a replacement that another holds."""
    return [
        stated("Login.l", {"user": "u", "password": Secret(f"{text} {CANARY}")}),
        stated("Badge.b", {"code": {"main": Secret(f"{text} {CANARY}"), "spare": "x"}}),
        stated("Index.i", {"badge": ref("Badge.b")}),
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


def contents(depot: Depot, kinds: Iterable[str] = KINDS) -> str:
    """All objects, with names in place of ids: those differ from run to run."""
    text = json.dumps({kind: depot.names(kind) for kind in kinds}, sort_keys=True)
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


def test_a_write_only_value_that_changed_is_written_and_what_it_is_is_told_nowhere() -> None:
    with running() as depot:
        reach(depot, secrets("old"))
        plan = plan_on(depot, secrets("new"))
        assert actions(plan) == {
            "Login.l": "update",
            "Badge.b": "replace",
            "Index.i": "update",
        }
        login = next(item for item in plan.changes if item.address == "Login.l")
        assert [(item.name, item.sensitive) for item in login.fields] == [("password", True)]
        made_at = datetime(2026, 1, 2, tzinfo=UTC)
        told = [
            render_plan(plan, HEADER, Style()),
            render_markdown(plan, HEADER, COMMENT_LIMIT).text,
            render_html(plan, HEADER),
            render_json(plan, HEADER, made_at, "1"),
            *(str(explain_change(change, plan)) for change in plan.changes),
            repr(plan),
        ]
        assert "password = (sensitive value, changed)" in told[0]
        told.append(repr(apply_on(depot, secrets("new"), Client(depot))))
        assert not [text for text in told if CANARY in text]
        assert depot.names("Login")["l"]["password"] == f"new {CANARY}"
        assert depot.names("Badge")["b"]["code"]["main"] == f"new {CANARY}"


def test_an_approval_covers_the_fingerprint() -> None:
    with running() as depot:
        reach(depot, secrets("old"))
        approved = plan_on(depot, secrets("new")).digest()
        assert plan_on(depot, secrets("new")).digest() == approved
        assert plan_on(depot, secrets("newer")).digest() != approved
        assert plan_on(depot, secrets("new"), b"another key").digest() != approved


def test_without_a_key_nothing_is_compared_or_written_and_that_is_said_once() -> None:
    with running() as depot:
        fresh = plan_on(depot, secrets("old"), b"")
        assert actions(fresh)["Login.l"] == "blocked create"
        assert actions(fresh)["Index.i"] == "blocked create", "it refers to what is not written"
        reach(depot, secrets("old"))
        plan = plan_on(depot, secrets("new"), b"")
        assert set(actions(plan).values()) == {"unchanged"}
        (warning,) = plan.warnings
        assert warning == (
            "write-only values of Badge.b and 1 more cannot be compared, and are not written: "
            "target depot has no fingerprint_key"
        )
        renamed = [stated("Login.l", {"user": "v", "password": Secret("x")})]
        (change,) = [item for item in plan_on(depot, renamed, b"").changes if item.desired]
        assert change.refusal is not None
        assert change.refusal.reason == (
            "its write-only values cannot be compared: target depot has no fingerprint_key"
        )
        assert plan_on(depot, secrets("new"), None).warnings == (), "offline, none are known"


def test_values_that_are_stated_no_more_are_taken_away() -> None:
    with running() as depot:
        reach(depot, secrets("old"))
        bare = [stated("Login.l", {"user": "u"}), *secrets("old")[1:]]
        (login,) = [item for item in plan_on(depot, bare).changes if item.address == "Login.l"]
        assert [(item.name, item.after) for item in login.fields] == [
            ("password", None),
            ("pin", None),
        ]
        reach(depot, bare)
        assert "password" not in depot.names("Login")["l"]


def test_an_object_of_others_is_adopted_only_with_its_values_written_anew() -> None:
    with running() as depot:
        depot.make("Login", {"name": "l", "user": "u", "password": "of others"})
        depot.make("Badge", {"name": "b"})
        assert actions(plan_on(depot, secrets("new")))["Login.l"] == "conflict adopt"
        login = replace(secrets("new")[0], adopt=True)
        badge = replace(secrets("new")[1], adopt=True)
        plan = plan_on(depot, [login, badge])
        assert actions(plan) == {"Login.l": "adopt", "Badge.b": "conflict adopt"}
        reach(depot, [login])
        assert depot.names("Login")["l"]["password"] == f"new {CANARY}"


def test_another_id_for_the_same_object_changes_no_value() -> None:
    with running() as depot:
        badge = stated("Badge.b", {"code": Secret("x")})
        reach(depot, [badge])
        moved = replace(badge, key=ResourceKey("Badge", "c"), moved_from="b")
        (change,) = plan_on(depot, [moved]).changes
        assert [item.name for item in change.fields] == ["metadata.id"]
        reach(depot, [moved])


def test_the_same_value_looks_different_on_each_object() -> None:
    with running() as depot:
        reach(depot, [stated(f"Badge.{name}", {"code": Secret("x")}) for name in "abc"])
        marks = [body["mark"]["fingerprint"] for body in depot.tables["Badge"].values()]
        assert len({*marks}) == 3
        assert all(len(mark) == 8 for mark in marks)


names = st.sampled_from("ab")
texts = st.sampled_from(["x", "y"])
worlds = st.builds(
    lambda crates, labels, logins, shelves: (crates, labels, logins, shelves),
    st.dictionaries(names, st.integers(1, 2), min_size=1),
    st.dictionaries(names, st.tuples(st.booleans(), names, texts)),
    st.dictionaries(names, texts),
    st.dictionaries(names, st.tuples(texts, st.booleans())),
)


def manifests(world: Any) -> list[Resource]:
    """Crates; labels that hold the id of one, in place or where it replaces; logins; shelves."""
    crates, labels, logins, shelves = world
    found = [stated(f"Crate.{name}", {"size": size}) for name, size in crates.items()]
    for name, (fixed, crate, text) in labels.items():
        held = ref(f"Crate.{crate}") if crate in crates else text
        spec = {"colour": held} if fixed else {"on": [{"crate": held}], "text": text}
        found.append(stated(f"Label.{name}", spec))
    for name, text in logins.items():
        found.append(stated(f"Login.{name}", {"password": Secret(text)}))
    for name, (hall, absent) in shelves.items():
        found.append(stated(f"Shelf.{name}", {"hall": hall}, adopt=True, absent=absent))
    return found


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(worlds, st.integers(0, 12), st.booleans()), min_size=2, max_size=4))
def test_any_changes_converge_whenever_a_run_is_killed(steps: list[Any]) -> None:
    with running() as depot, running() as fresh:
        for world, kill_at, after in steps:
            desired = manifests(world)
            with suppress(KilledError):
                apply_on(depot, desired, Client(depot, kill_at, after=after))
            for _ in range(2):  # an old object that what is deleted last still held goes next time
                apply_on(depot, desired, Client(depot))
            assert plan_on(depot, desired).pending == ()
        reach(fresh, desired)
        marked = [kind for kind, traits in KINDS.items() if traits.marked]
        assert contents(depot, marked) == contents(fresh, marked)
        shelves = world[3]
        for name, (hall, absent) in shelves.items():
            there = depot.names("Shelf").get(name)
            assert there == (None if absent else {"name": name, "hall": hall})
