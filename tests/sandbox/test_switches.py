"""Each switch in each position, and the switches as text."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import Behaviour, behaviour_from_environment, parse_behaviour
from reconciler.sandbox.api_schema import load_contract
from reconciler.sandbox.switches import settings_help
from tests.sandbox.conftest import JUPYTER, Start

COMPUTE = tuple(load_contract("3.0").specs["compute"]["properties"])
ENVIRONMENTS = "/api/v1/asset/environment"
SPEC = {
    "image": "ubuntu",
    "connections": [JUPYTER],
    "environmentVariables": [{"name": "A", "value": "1"}],
}


def spec_under(
    start: Start, spec: dict[str, Any], kind: str = "environment", **switches: Any
) -> Any:
    """The spec that comes back for one that was sent; the same from POST, PUT, GET and list."""
    http = start(**switches).http
    created = http.create(kind, "a", spec=spec)
    assert created.status == 202
    path = f"/api/v1/asset/{kind}"
    one = f"{path}/{created.body['meta']['id']}"
    assert http.send("GET", one).body == created.body
    assert http.send("GET", f"{path}?name=a").body["entries"] == [created.body]
    assert (
        http.send("PUT", one, {"meta": {"name": "a"}, "spec": spec}).body["spec"]
        == (created.body["spec"])
    )
    again = {"meta": created.body["meta"], "spec": created.body["spec"]}
    put_back = http.send("PUT", one, again)
    assert put_back.status == 202, put_back.body
    assert put_back.body["spec"] == created.body["spec"]
    return created.body


def test_absent_fields_stay_absent(start: Start) -> None:
    body = spec_under(start, SPEC | {"command": None, "probes": {"readiness": None}})
    assert body["spec"] == SPEC | {"probes": {}}
    assert "description" not in body["meta"]


def test_absent_fields_as_null(start: Start) -> None:
    body = spec_under(start, SPEC, absent="null")
    spec, meta = body["spec"], body["meta"]
    assert (spec["command"], spec["capabilities"], spec["probes"]) == (None, None, None)
    assert spec["environmentVariables"] == [
        {
            "name": "A",
            "value": "1",
            "credential": None,
            "configMap": None,
            "podFieldRef": None,
            "exclude": None,
            "description": None,
        }
    ]
    assert spec["connections"][0]["externalToolInfo"] is None
    assert "overrideUidGidInWorkspace" not in spec  # the contract allows no null here
    assert (meta["description"], meta["clusterId"], meta["projectId"]) == (None, None, None)


def test_absent_fields_as_empty(start: Start) -> None:
    body = spec_under(start, SPEC, absent="empty")
    spec = body["spec"]
    assert (spec["capabilities"], spec["probes"], spec["supplementalGroups"]) == ([], {}, "")
    assert "command" not in spec  # at least one character by contract
    assert "tty" not in spec  # a boolean has no empty value
    assert spec["environmentVariables"] == [
        {
            "name": "A",
            "value": "1",
            "credential": {},
            "configMap": {},
            "podFieldRef": {},
            "description": "",
        }
    ]
    tool = spec["connections"][0]["internalToolInfo"]
    assert (tool["nodePortInfo"], tool["servingPortInfo"]) == ({}, {})
    assert "externalToolInfo" not in spec["connections"][0]
    assert body["meta"]["workloadSupportedTypes"] == {}
    assert "description" not in body["meta"]


@pytest.mark.parametrize(
    ("absent", "sent", "answered"),
    [
        ("absent", {}, {}),
        ("absent", {"extendedResources": None}, {}),
        ("absent", {"extendedResources": []}, {"extendedResources": []}),
        (
            "null",
            {"extendedResources": []},
            dict.fromkeys(COMPUTE) | {"extendedResources": []},
        ),
        (
            "null",
            {"gpuDevicesRequest": 0},
            dict.fromkeys(COMPUTE) | {"gpuDevicesRequest": 0},
        ),
        ("empty", {}, {}),
        ("empty", {"cpuCoreLimit": 1}, {"cpuCoreLimit": 1, "extendedResources": []}),
    ],
)
def test_absent_fields_of_compute(
    start: Start, absent: str, sent: dict[str, Any], answered: dict[str, Any]
) -> None:
    assert spec_under(start, sent, "compute", absent=absent)["spec"] == answered


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("ubuntu", "Always"),
        ("ubuntu:latest", "Always"),
        ("host:5000/ubuntu", "Always"),
        ("host:5000/ubuntu:24.04", "IfNotPresent"),
        ("ubuntu:latest@sha256:00", "IfNotPresent"),
        ("ubuntu@sha256:00", "IfNotPresent"),
    ],
)
def test_defaults_are_filled_in(start: Start, image: str, policy: str) -> None:
    assert spec_under(start, {"image": image}, fill_defaults=True)["spec"] == {
        "image": image,
        "imagePullPolicy": policy,
        "overrideUidGidInWorkspace": False,
        "connections": [],
        "supplementalGroups": "",
    }


def test_defaults_never_replace_what_was_sent(start: Start) -> None:
    spec = {
        "image": "ubuntu",
        "imagePullPolicy": "Never",
        "overrideUidGidInWorkspace": True,
        "connections": [JUPYTER | {"isExternal": True}],
        "supplementalGroups": "1,2",
    }
    answer = spec_under(start, spec, fill_defaults=True)["spec"]
    assert answer["connections"][0].pop("internalToolInfo")["externalUrlInfo"] == {
        "isCustomUrl": False
    }
    assert answer == spec | {"connections": [{"name": "Jupyter", "isExternal": True}]}


def test_defaults_of_connections(start: Start) -> None:
    tool = JUPYTER["internalToolInfo"] | {"nodePortInfo": {}, "externalUrlInfo": {}}
    spec = {"connections": [{"name": "a", "internalToolInfo": tool}, {"name": "b"}]}
    connections = spec_under(start, spec, fill_defaults=True)["spec"]["connections"]
    assert [each["isExternal"] for each in connections] == [False, False]
    filled = connections[0]["internalToolInfo"]
    assert filled["nodePortInfo"] == {"isCustomPort": False}
    assert filled["externalUrlInfo"] == {"isCustomUrl": False}


def test_defaults_without_an_image(start: Start) -> None:
    assert "imagePullPolicy" not in spec_under(start, {}, fill_defaults=True)["spec"]


def test_an_existing_database_may_be_served_in_another_way(start: Start) -> None:
    running = start()
    running.http.create("environment", "a", spec=SPEC)
    assert start(absent="null").http.names("environment") == ["a"]
    spec = start(fill_defaults=True).http.send("GET", f"{ENVIRONMENTS}?name=a").body["entries"][0]
    assert spec["spec"]["imagePullPolicy"] == "Always"


def wait_for(http: Any, names: list[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while http.names("environment") != names:
        assert time.monotonic() < deadline, http.names("environment")
        time.sleep(0.02)


LAG = 3600.0
"""Seconds of a lag that no test sits out: `let_pass` moves the time instead."""


def let_pass(database: Path, seconds: float) -> None:
    """Date back what waits to become visible, as if the seconds had gone by since it was stored."""
    with closing(sqlite3.connect(database, timeout=10, isolation_level=None)) as connection:
        connection.execute("UPDATE outdated SET until = until - ?", (seconds,))


def test_a_write_becomes_visible_after_the_lag_and_not_before(start: Start) -> None:
    http = start(visibility_lag=0.3).http
    began = time.time()
    http.create("environment", "a")
    wait_for(http, ["a"], 60)
    assert time.time() - began >= 0.3


def test_visibility_lag(start: Start, tmp_path: Path) -> None:
    http = start(visibility_lag=LAG).http
    created = http.create("environment", "a", spec={"image": "one"})
    one = f"{ENVIRONMENTS}/{created.body['meta']['id']}"
    assert http.names("environment") == []
    assert http.send("GET", one).status == 404
    assert http.create("environment", "a").status == 409
    let_pass(tmp_path / "sandbox.db", LAG)
    assert http.names("environment") == ["a"]

    updated = http.send("PUT", one, {"meta": {"name": "b"}, "spec": {"image": "two"}})
    assert updated.body["spec"] == {"image": "two"}
    assert http.send("GET", one).body == created.body
    assert http.names("environment", "?name=a") == ["a"]
    assert http.names("environment", "?name=b") == []
    let_pass(tmp_path / "sandbox.db", LAG)
    assert http.names("environment") == ["b"]
    assert http.send("GET", one).body == updated.body

    assert http.send("DELETE", one).status == 202
    assert http.names("environment") == ["b"]
    assert http.send("DELETE", one).status == 404
    assert http.create("environment", "b").status == 202  # the name is free at once
    assert http.send("GET", one).status == 200  # of these two, neither shows yet
    let_pass(tmp_path / "sandbox.db", LAG)
    assert http.send("GET", one).status == 404
    assert http.names("environment") == ["b"]


def test_writes_in_a_row_become_visible_in_a_row(start: Start, tmp_path: Path) -> None:
    http = start(visibility_lag=LAG).http
    one = f"{ENVIRONMENTS}/{http.create('environment', 'a').body['meta']['id']}"
    let_pass(tmp_path / "sandbox.db", 0.6 * LAG)
    http.send("PUT", one, {"meta": {"name": "b"}, "spec": {}})
    assert http.names("environment") == []
    let_pass(tmp_path / "sandbox.db", 0.6 * LAG)
    assert http.names("environment") == ["a"]
    http.send("DELETE", one)
    assert http.names("environment") == ["a"]
    let_pass(tmp_path / "sandbox.db", 0.6 * LAG)
    assert http.names("environment") == ["b"]
    let_pass(tmp_path / "sandbox.db", 0.6 * LAG)
    assert http.names("environment") == []


def test_the_lag_of_one_process_shows_in_another(start: Start, tmp_path: Path) -> None:
    slow, quick = start(visibility_lag=LAG), start()
    slow.http.create("environment", "a")
    assert quick.http.names("environment") == []
    quick.http.create("environment", "b")
    assert slow.http.names("environment") == ["b"]
    let_pass(tmp_path / "sandbox.db", LAG)
    assert quick.http.names("environment") == slow.http.names("environment") == ["a", "b"]


def test_name_filter(start: Start) -> None:
    exact, partial = start(), start(name_filter="partial")
    for name in ("train", "Train-2", "100%_train"):
        exact.http.create("environment", name)
    assert exact.http.names("environment", "?name=train") == ["train"]
    assert partial.http.names("environment", "?name=train") == ["train", "Train-2", "100%_train"]
    assert partial.http.names("environment", "?name=%25_") == ["100%_train"]


NEWER = {
    "meta": {"name": "a", "scope": "tenant", "colour": "red"},
    "spec": {"image": "x", "turbo": {"level": None}, "connections": [JUPYTER | {"icon": "i"}]},
}


def test_unknown_fields_are_ignored(start: Start) -> None:
    body = start().http.send("POST", ENVIRONMENTS, NEWER).body
    assert body["spec"] == {"image": "x", "connections": [JUPYTER]}
    assert "colour" not in body["meta"]


def test_unknown_fields_are_kept(start: Start) -> None:
    http = start(unknown_fields="keep").http
    body = http.send("POST", ENVIRONMENTS, NEWER | {"extra": 1}).body
    assert body["spec"] == NEWER["spec"]
    assert body["meta"]["colour"] == "red"
    assert body.keys() == {"meta", "spec"}
    one = f"{ENVIRONMENTS}/{body['meta']['id']}"
    assert http.send("GET", one).body == body
    updated = http.send("PUT", one, {"meta": {"name": "a", "createdBy": "me"}, "spec": {}}).body
    assert updated["spec"] == {}
    assert updated["meta"]["colour"] == "red"
    assert updated["meta"]["createdBy"] == body["meta"]["createdBy"]


@pytest.mark.parametrize("absent", ["null", "empty"])
def test_kept_fields_come_back_in_every_form(start: Start, absent: str) -> None:
    running = start(unknown_fields="keep", absent=absent, fill_defaults=True)
    body = running.http.send("POST", ENVIRONMENTS, NEWER).body
    assert body["spec"]["turbo"] == {"level": None}
    assert body["spec"]["connections"][0]["icon"] == "i"
    assert body["meta"]["colour"] == "red"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"meta": {"colour": "red"}}, "meta.colour"),
        ({"meta": {"id": "x"}}, "meta.id"),
        ({"spec": {"turbo": None}}, "spec.turbo"),
        ({"spec": {"connections": [{"name": "a", "icon": ""}]}}, "spec.connections[0].icon"),
        ({"extra": 1}, "extra"),
    ],
)
def test_unknown_fields_are_refused(start: Start, body: dict[str, Any], where: str) -> None:
    http = start(unknown_fields="reject").http
    meta = {"name": "a", "scope": "tenant", **body.get("meta", {})}
    answer = http.send("POST", ENVIRONMENTS, {"spec": {}, **body, "meta": meta})
    assert answer.status == 400
    assert answer.body["details"] == where


def test_unfiltered_lists_may_be_refused(start: Start) -> None:
    http = start(unfiltered_list="refuse").http
    for query in ("", "?name=a", "?usageInfo=true", "?includeDescendants=true"):
        assert http.send("GET", ENVIRONMENTS + query).status == 400
    for query in ("?scope=tenant", "?projectId=1", "?projectId=1&scope=project"):
        assert http.send("GET", ENVIRONMENTS + query).status == 200


def test_latency_holds_back_every_answer_but_not_the_others(start: Start) -> None:
    running = start(latency=0.2)
    started = time.monotonic()
    running.http.names("environment")
    assert time.monotonic() - started >= 0.2


def test_tokens_expire(start: Start) -> None:
    long, short = start().http, start(token_lifetime=0.05).http  # one database, one signing key
    assert short.send("GET", ENVIRONMENTS, token=long.token).status == 200
    time.sleep(0.1)  # since the login at the start
    answer = long.send("GET", ENVIRONMENTS, token=short.token)
    assert (answer.status, answer.body) == (
        401,
        {"code": 401, "message": "The access token has expired."},
    )


def test_every_switch_is_documented_and_frozen() -> None:
    for each in fields(Behaviour):
        assert each.metadata["help"] in settings_help()
    with pytest.raises(FrozenInstanceError):
        Behaviour().latency = 1.0  # type: ignore[misc] # that is what is tested


def test_switches_as_text() -> None:
    settings = {
        "version": "2.20",
        "fill-defaults": "true",
        "absent": "null",
        "visibility_lag": "0.5",
        "name-filter": "partial",
        "unknown-fields": "keep",
        "unfiltered-list": "refuse",
        "unknown-parameters": "refuse",
        "missing-paths": "405",
        "cluster-version": "older",
        "deleted-entries": "listed",
        "denied": "clusters, writes",
        "latency": "0.02",
        "token-lifetime": "60",
        "token-expiry": "jwt",
        "revoke-tokens-every": "7",
    }
    expected = Behaviour(
        version="2.20",
        fill_defaults=True,
        absent="null",
        visibility_lag=0.5,
        name_filter="partial",
        unknown_fields="keep",
        unfiltered_list="refuse",
        unknown_parameters="refuse",
        missing_paths="405",
        cluster_version="older",
        deleted_entries="listed",
        denied=("clusters", "writes"),
        latency=0.02,
        token_lifetime=60.0,
        token_expiry="jwt",
        revoke_tokens_every=7,
    )
    assert parse_behaviour(settings) == expected
    environment = {
        "RECONCILE_SANDBOX_" + name.upper().replace("-", "_"): value
        for name, value in settings.items()
    }
    assert behaviour_from_environment({**environment, "HOME": "/"}) == expected
    assert parse_behaviour({}) == behaviour_from_environment({}) == Behaviour()
    with pytest.raises(SandboxError, match="there is no sandbox setting 'verson'"):
        behaviour_from_environment({"RECONCILE_SANDBOX_VERSON": "2.20"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"colour": "red"}, "there is no sandbox setting 'colour'"),
        ({"absent": "gone"}, "absent cannot be 'gone'"),
        ({"fill_defaults": "maybe"}, "Give true or false"),
        ({"latency": "fast"}, "Give a number of seconds"),
        ({"latency": "-1"}, "Give a number of seconds, 0 or more"),
        ({"visibility_lag": "nan"}, "visibility-lag cannot be nan"),
        ({"token_lifetime": "0"}, "Give more than 0 seconds"),
        ({"version": "2.17"}, "version cannot be '2.17'"),
        ({"version": "2.17"}, "Give one of 2.18, 2.19, 2.20, 2.21, 2.22, 2.23, 2.24, 3.0"),
        ({"version": "3"}, "version cannot be '3'"),
        ({"denied": "clusters,nodes"}, "denied cannot be 'nodes'"),
        ({"revoke_tokens_every": "1.5"}, "Give a whole number"),
        ({"revoke_tokens_every": "-1"}, "Give 0 or more"),
    ],
)
def test_wrong_switches(settings: dict[str, str], message: str) -> None:
    with pytest.raises(SandboxError, match=message):
        parse_behaviour(settings)
