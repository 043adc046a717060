"""Write-only values: what a fingerprint tells, and what it does not."""

from typing import Any

import pytest

from reconciler.core.ownership import Holder, desired_mark, read_mark, write_mark
from reconciler.core.plan import Plan
from reconciler.core.resource import KindTraits, Replacement, Resource
from tests.core.builders import STACK, actions, live, plan_of, resource

LOGIN = "Login.l"
KEY = b"the key of the target"


def login(**spec: Any) -> Resource:
    return resource(LOGIN, {name: {"secret": text} for name, text in spec.items()})


def fingerprint(stated: Resource, key: bytes = KEY) -> str:
    (change,) = plan_of([stated], key=key).changes
    assert change.desired is not None
    return change.desired.fingerprint


def plan(stated: Resource, given: str, key: bytes | None = KEY, **mark: Any) -> Plan:
    found = live(LOGIN, mark={"secrets": bool(given), "fingerprint": given, **mark})
    return plan_of([stated], [found], key=key)


def test_the_same_values_are_no_change_and_others_are() -> None:
    given = fingerprint(login(password="a"))
    assert actions(plan(login(password="a"), given)) == {LOGIN: "unchanged"}
    for other in (login(password="b"), login(password="a", pin="1"), login(pin="a")):
        assert actions(plan(other, given)) == {LOGIN: "update"}


def test_it_depends_on_the_key_and_shows_nothing_of_the_value() -> None:
    stated = login(password="a")
    assert fingerprint(stated) != fingerprint(stated, b"another key of the target")
    assert len(fingerprint(stated)) == 8
    assert fingerprint(resource("Login.m", {"password": {"secret": "a"}})) != fingerprint(stated)


def test_every_field_that_is_stated_may_be_the_one() -> None:
    (change,) = plan(login(password="b", pin="1"), "aaaabbbb").changes
    assert [(item.name, item.sensitive) for item in change.fields] == [
        ("password", True),
        ("pin", True),
    ]


def test_what_a_system_shows_in_its_place_is_not_compared() -> None:
    given = fingerprint(login(password="a"))
    found = live(LOGIN, {"password": "****"}, mark={"secrets": True, "fingerprint": given})
    assert actions(plan_of([login(password="a")], [found], key=KEY)) == {LOGIN: "unchanged"}
    assert actions(plan_of([login(password="b")], [found], key=KEY)) == {LOGIN: "update"}


def test_an_offline_plan_against_the_manifests_of_a_base_compares_none() -> None:
    base = live(LOGIN, {"password": {"secret": ""}}, mark={"secrets": True})
    assert actions(plan_of([login(password="")], [base], key=None)) == {LOGIN: "unchanged"}


def test_what_has_none_has_no_fingerprint() -> None:
    assert fingerprint(resource(LOGIN)) == ""
    assert actions(plan(resource(LOGIN), "")) == {LOGIN: "unchanged"}


def test_without_a_key_what_is_the_same_otherwise_stays() -> None:
    same = plan(login(password="b"), "aaaabbbb", b"")
    assert actions(same) == {LOGIN: "unchanged"}
    assert len(same.warnings) == 1
    offline = plan(login(password="b"), "aaaabbbb", None)
    assert (actions(offline), offline.warnings) == ({LOGIN: "unchanged"}, ())
    one = plan_of([login(password="b"), resource("RunaiEnvironment.e")], key=b"")
    assert actions(one) == {LOGIN: "blocked create", "RunaiEnvironment.e": "create"}


def test_a_refusal_that_is_there_already_stays() -> None:
    found = live(LOGIN, {"image": "old"}, owner=None)
    (change,) = plan_of([login(password="a")], [found], key=b"").changes
    assert change.refusal is not None
    assert "differs" in change.refusal.reason


def test_digests_cover_it_on_both_sides() -> None:
    one, other = plan(login(password="a"), "aaaabbbb"), plan(login(password="b"), "aaaabbbb")
    assert one.rows[0].desired != other.rows[0].desired
    third = plan(login(password="a"), "bbbbaaaa")
    assert one.rows[0].live != third.rows[0].live


def test_it_stands_in_the_mark_of_an_asset() -> None:
    (change,) = plan_of([login(password="a")], key=KEY).changes
    assert change.desired is not None
    mark = desired_mark(change.desired, STACK)
    holder = Holder("Login", "tenant", "", "l")
    text = write_mark("words", mark, holder)
    assert read_mark(text, holder).mark == mark
    forged = text.replace(mark.fingerprint, "aaaabbbb")
    assert read_mark(forged, holder).mark is None


def test_a_kind_without_a_mark_can_have_none() -> None:
    with pytest.raises(ValueError, match="no write-only fields"):
        KindTraits(
            "Pool",
            frozenset(),
            ("name",),
            0,
            replacement=Replacement.NEVER,
            marked=False,
            write_only=frozenset({"password"}),
        )
