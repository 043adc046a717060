"""The API's form of an asset <-> the canonical spec."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings

from reconciler.core.mark import Mark, hash_id
from reconciler.core.ownership import desired_mark
from reconciler.core.plan import Action, Change
from reconciler.core.resource import (
    LiveResource,
    Resource,
    ResourceKey,
    Secret,
    Source,
)
from reconciler.kinds.compute import COMPUTE, RunaiCompute
from reconciler.kinds.environment import ENVIRONMENT, RunaiEnvironment
from reconciler.providers.runai.assets import AssetProvider
from reconciler.providers.runai.mapping import AssetMapping
from reconciler.sandbox import Behaviour
from reconciler.sandbox.switches import Absent
from tests.kinds.expanding import compute, environment
from tests.providers.runai.specs import COMPUTES, ENVIRONMENTS
from tests.providers.runai.worlds import STACK, World, wanted, world

MAPPING = AssetMapping(ENVIRONMENT.name, RunaiEnvironment().fields)
COMPUTE_MAPPING = AssetMapping(COMPUTE.name, RunaiCompute().fields)
MARK = Mark(STACK, hash_id("RunaiEnvironment", "train"))


def answered(body: dict[str, Any], mapping: AssetMapping = MAPPING) -> LiveResource:
    """What is read from an answer that repeats a request, through JSON."""
    body["meta"]["id"] = str(uuid.uuid4())
    found = mapping.read(json.loads(json.dumps(body)))
    assert found is not None
    return found


@given(ENVIRONMENTS)
def test_what_is_written_is_read_again(raw: dict[str, Any]) -> None:
    spec = environment(**raw)
    live = answered(MAPPING.create_body(spec, MARK))
    assert live.spec == spec
    assert live.mark == MARK
    assert live.unknown_fields == ()
    again = answered(MAPPING.create_body(live.spec, MARK))
    assert again.spec == live.spec


@given(COMPUTES)
def test_a_compute_asset_is_read_again(raw: dict[str, Any]) -> None:
    spec = compute(**raw)
    assert answered(COMPUTE_MAPPING.create_body(spec, MARK), COMPUTE_MAPPING).spec == spec


ABSENT: tuple[Absent, ...] = ("absent", "null", "empty")
SWITCHES = {
    f"{'filled' if fill else 'bare'}-{absent}": Behaviour(
        fill_defaults=fill, absent=absent, unknown_fields="reject"
    )
    for fill, absent in product((False, True), ABSENT)
}


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, World]]:
    """A world for each combination of what servers may answer."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(world(tmp_path_factory.mktemp(name), behaviour))
            for name, behaviour in SWITCHES.items()
        }


def _assert_converges(provider: AssetProvider, made: Resource) -> None:
    change = Change(made.key, Action.CREATE, made)
    uid = provider.write(change, print)
    try:
        assert provider.settle([change], {change.address: uid}) == {}
        (live,) = [item for item in provider.read() if item.uid == uid]
        assert live.spec == made.spec
        assert live.mark == desired_mark(made, STACK)
        update = Change(made.key, Action.UPDATE, made, live)
        provider.write(update, print)  # what was answered can be sent again
        assert provider.settle([update], {update.address: uid}) == {}
    finally:
        delete = Change(made.key, Action.DELETE, live=answer(provider, uid))
        provider.write(delete, print)


def answer(provider: AssetProvider, uid: str) -> LiveResource:
    (live,) = [item for item in provider.read() if item.uid == uid]
    return live


@pytest.mark.parametrize("switch", SWITCHES)
@settings(max_examples=40)
@given(raw=ENVIRONMENTS)
def test_every_server_s_answer_is_read_the_same(
    sandboxes: Mapping[str, World], switch: str, raw: dict[str, Any]
) -> None:
    key = ResourceKey("RunaiEnvironment", "train")
    made = Resource(key, environment(**raw), Source("a.yaml", 1))
    _assert_converges(sandboxes[switch].environments, made)


@pytest.mark.parametrize("switch", SWITCHES)
@settings(max_examples=25)
@given(raw=COMPUTES)
def test_every_server_s_compute_asset_is_read_the_same(
    sandboxes: Mapping[str, World], switch: str, raw: dict[str, Any]
) -> None:
    made = Resource(ResourceKey("RunaiCompute", "train"), compute(**raw), Source("a.yaml", 1))
    _assert_converges(sandboxes[switch].computes, made)


def entry(spec: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    """An asset as a server answers it."""
    base = {"id": str(uuid.uuid4()), "name": "train", "scope": "tenant", "description": None}
    return {"meta": {**base, **meta}, "spec": spec}


def read(spec: dict[str, Any] | None = None, **meta: Any) -> LiveResource:
    found = MAPPING.read(entry(spec, **meta))
    assert found is not None
    return found


def test_a_spec_that_is_null_is_empty() -> None:
    assert read(None).spec == {"name": "train", "scope": "tenant"}


@pytest.mark.parametrize(
    "meta",
    [
        {"scope": "system"},
        {"scope": "galaxy"},
    ],
)
def test_what_is_never_ours_is_kept_out(meta: dict[str, Any]) -> None:
    assert MAPPING.read(entry({}, **meta)) is None


@pytest.mark.parametrize(
    "meta",
    [
        {"scope": "project"},
        {"scope": "cluster", "clusterId": None},
        {"scope": None},
        {"name": ""},
        {"id": 7},
    ],
)
def test_what_may_be_ours_but_is_not_whole_is_an_error(meta: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        MAPPING.read(entry({}, **meta))


def test_scope_ids_are_text() -> None:
    assert read({}, scope="project", projectId=33, clusterId="x").spec["scope_id"] == "33"
    body = MAPPING.create_body({"name": "a", "scope": "project", "scope_id": "33"}, MARK)
    assert body["meta"]["projectId"] == 33


def test_variables_of_others_are_hidden() -> None:
    raw = {"environmentVariables": [{"name": "A", "value": "x", "description": "d"}]}
    (item,) = read(raw).spec["environment_variables"].values()
    assert isinstance(item["value"], Secret)
    plain = answered(MAPPING.create_body(environment(environment_variables={"A": "x"}), MARK))
    assert not isinstance(plain.spec["environment_variables"]["A"], Secret)
    marked = Mark(STACK, MARK.id_hash, secrets=True)
    ours = answered(MAPPING.create_body(environment(environment_variables={"A": "x"}), marked))
    assert isinstance(ours.spec["environment_variables"]["A"], Secret)
    assert "x" not in repr(ours.spec["environment_variables"])


def test_a_doubled_variable_differs() -> None:
    raw = {"environmentVariables": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}
    again = {"value": "2", "duplicate": True}
    assert read(raw).spec["environment_variables"] == {"A": "1", "A#2": again}


def test_a_variable_that_is_null_is_none() -> None:
    raw = {"environmentVariables": [None, {"name": "A", "value": "1"}]}
    assert read(raw).spec["environment_variables"] == {"A": "1"}


def test_any_number_of_doubled_variables_takes_no_time() -> None:
    raw = {"environmentVariables": [{"name": "A", "value": "1"}] * 20_000}
    begin = time.process_time()
    assert len(read(raw).spec["environment_variables"]) == 20_000
    assert time.process_time() - begin < 10


def test_a_connection_with_both_sorts_of_tool_differs() -> None:
    raw = {
        "connections": [
            {
                "name": "X",
                "isExternal": True,
                "internalToolInfo": {
                    "toolType": "custom",
                    "connectionType": "NodePort",
                    "containerPort": 1,
                },
                "externalToolInfo": {"toolType": "wandb", "externalUrl": "u"},
            }
        ]
    }
    assert read(raw).spec["connections"]["X"] == {
        "tool_type": "custom",
        "connection_type": "NodePort",
        "container_port": 1,
        "external_tool": {"tool_type": "wandb", "external_url": "u"},
        "is_external": True,
    }


UNKNOWN_SPEC = {
    "image": "busybox:1",
    "newField": {"a": 1},
    "nothing": None,
    "environmentVariables": [
        {"name": "A", "value": "1", "rotation": "weekly"},
        {"name": "B", "value": "2", "rotation": "daily"},
    ],
    "connections": [
        {
            "name": "UI",
            "isExternal": False,
            "internalToolInfo": {
                "toolType": "custom",
                "connectionType": "ExternalUrl",
                "containerPort": 80,
                "externalUrlInfo": {"pathPrefix": "/x"},
            },
        }
    ],
    "probes": {"readiness": {"handler": {"httpGet": {"port": 1, "headers": ["h"]}}, "grace": 3}},
}


def test_fields_of_a_newer_server_are_named() -> None:
    assert set(read(UNKNOWN_SPEC).unknown_fields) == {
        "newField",
        "environmentVariables.A.rotation",
        "environmentVariables.B.rotation",
        "connections.UI.internalToolInfo.externalUrlInfo.pathPrefix",
        "probes.readiness.grace",
        "probes.readiness.handler.httpGet.headers",
    }


def test_fields_of_a_newer_server_are_kept_by_an_update() -> None:
    live = read(UNKNOWN_SPEC)
    spec = {**live.spec, "image": "busybox:2", "environment_variables": {"B": "3"}}
    body = MAPPING.update_body(spec, MARK, UNKNOWN_SPEC)["spec"]
    assert body["newField"] == {"a": 1}
    assert body["environmentVariables"] == [{"name": "B", "value": "3", "rotation": "daily"}]
    inside = body["connections"][0]["internalToolInfo"]
    assert inside["externalUrlInfo"] == {"pathPrefix": "/x"}
    assert body["probes"]["readiness"]["grace"] == 3
    assert body["probes"]["readiness"]["handler"]["httpGet"] == {"port": 1, "headers": ["h"]}
    assert UNKNOWN_SPEC["image"] == "busybox:1"  # nothing of what was read is changed


@given(ENVIRONMENTS)
def test_an_update_without_unknown_fields_is_what_a_create_sends(raw: dict[str, Any]) -> None:
    spec = environment(**raw)
    body = MAPPING.create_body(spec, MARK)["spec"]
    assert MAPPING.update_body(spec, MARK, json.loads(json.dumps(body)))["spec"] == body


def test_defaults_of_a_server_count_as_absent() -> None:
    mapping = AssetMapping(
        ENVIRONMENT.name,
        MAPPING.fields,
        {
            "create_home_dir": True,
            "probes.readiness.period_seconds": 10,
            "connections.*.is_custom_url": True,
        },
    )
    raw = {
        "createHomeDir": True,
        "probes": {"readiness": {"periodSeconds": 10}},
        "connections": [
            {
                "name": name,
                "internalToolInfo": {
                    "toolType": "custom",
                    "connectionType": "ExternalUrl",
                    "containerPort": 80,
                    "externalUrlInfo": {"isCustomUrl": True},
                },
            }
            for name in ("A", "B")
        ],
    }
    found = mapping.read(entry(raw))
    assert found is not None
    assert set(found.spec) == {"name", "scope", "connections"}
    assert all("is_custom_url" not in item for item in found.spec["connections"].values())


@pytest.mark.parametrize(
    "spec",
    [
        {"environmentVariables": "A=1"},
        {"environmentVariables": ["A"]},
        {"connections": {"a": 1}},
        {"probes": []},
        {"probes": {"readiness": "soon"}},
        {"capabilities": "CHOWN"},
        {"environmentVariables": [{"name": "A", "credential": {"assetId": [], "key": "k"}}]},
        {"environmentVariables": [{"name": "A", "configMap": {"name": {}, "key": "k"}}]},
        {"runAsUid": float("nan")},
        {"unheardOf": [float("inf")]},
        {"connections": [{"name": "A", "internalToolInfo": {"toolType": ["custom"]}}]},
        ["image"],
    ],
)
def test_a_wrong_type_is_an_error(spec: Any) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        read(spec)


def test_marks_of_a_resource_with_secrets() -> None:
    made = wanted(environment_variables={"A": Secret("x")})
    assert desired_mark(made, STACK).secrets
    body = MAPPING.create_body(made.spec, desired_mark(made, STACK))
    assert body["spec"]["environmentVariables"] == [{"name": "A", "value": "x"}]
