"""Creating, replacing and deleting assets: what is accepted, what is refused, what comes back."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.sandbox.conftest import JUPYTER, Answer, Running

ENVIRONMENTS = "/api/v1/asset/environment"
NOBODY = str(uuid.UUID(int=1))
GPU = {"gpuDevicesRequest": 1, "gpuRequestType": "portion", "gpuPortionRequest": 0.5}


def refused(answer: Answer, status: int = 400) -> str:
    """Check the contract's error payload; its message."""
    assert answer.status == status, answer.body
    assert answer.body["code"] == status
    assert set(answer.body) <= {"code", "message", "details"}
    assert all(isinstance(answer.body[name], str) for name in answer.body if name != "code")
    return str(answer.body["message"])


def test_an_asset_is_filled_in(sandbox: Running) -> None:
    meta = sandbox.http.create("environment", "a", scope="project", projectId=1).body["meta"]
    assert meta["kind"] == "environment"
    assert meta["projectName"] == "team-a"
    assert meta["createdBy"] == meta["updatedBy"] == sandbox.endpoint.client_id
    assert meta["createdAt"] == meta["updatedAt"]
    assert (meta["tenantId"], meta["updateCount"]) == (1001, 0)


def test_an_update_replaces_spec_name_and_description_alone(sandbox: Running) -> None:
    created = sandbox.http.create(
        "environment",
        "a",
        description="old",
        workloadSupportedTypes={"training": True},
        spec={"image": "x", "tty": True},
    ).body
    path = f"{ENVIRONMENTS}/{created['meta']['id']}"
    meta = {"name": "b", "scope": "cluster", "clusterId": NOBODY, "id": NOBODY}
    updated = sandbox.http.send("PUT", path, {"meta": meta, "spec": {"image": "y"}})
    assert updated.status == 202
    assert updated.body == sandbox.http.send("GET", path).body
    assert updated.body["spec"] == {"image": "y"}
    changed = {
        name
        for name in created["meta"].keys() | updated.body["meta"].keys()
        if created["meta"].get(name) != updated.body["meta"].get(name)
    }
    assert changed == {"name", "description", "updatedAt", "updateCount"}


def test_a_name_is_unique_in_its_kind_and_place(sandbox: Running) -> None:
    create = sandbox.http.create
    first = create("environment", "a", scope="project", projectId=1)
    assert first.status == 202
    assert create("environment", "a").status == 202
    assert create("environment", "a", scope="project", projectId=2).status == 202
    assert create("compute", "a", scope="project", projectId=1).status == 202
    assert create("environment", "jupyter-lab").status == 202  # the built-in one lies elsewhere
    refused(create("environment", "a", scope="project", projectId=1), 409)

    other = create("environment", "b", scope="project", projectId=1).body["meta"]["id"]
    body = {"meta": {"name": "a"}, "spec": {}}
    refused(sandbox.http.send("PUT", f"{ENVIRONMENTS}/{other}", body), 409)
    sandbox.http.send("DELETE", f"{ENVIRONMENTS}/{first.body['meta']['id']}")
    assert sandbox.http.send("PUT", f"{ENVIRONMENTS}/{other}", body).status == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("asset_id", [NOBODY, "not-a-uuid", "%00", "..%2f"])
def test_an_asset_that_is_not_there_is_a_404(sandbox: Running, method: str, asset_id: str) -> None:
    body = {"meta": {"name": "a"}, "spec": {}} if method == "PUT" else None
    refused(sandbox.http.send(method, f"{ENVIRONMENTS}/{asset_id}", body), 404)


def test_an_asset_of_the_other_kind_is_a_404(sandbox: Running) -> None:
    asset_id = sandbox.http.create("compute", "a").body["meta"]["id"]
    refused(sandbox.http.send("GET", f"{ENVIRONMENTS}/{asset_id}"), 404)


def test_an_id_may_be_written_in_capitals(sandbox: Running) -> None:
    asset_id = sandbox.http.create("environment", "a").body["meta"]["id"].upper()
    assert sandbox.http.send("GET", f"{ENVIRONMENTS}/{asset_id}").status == 200
    assert sandbox.http.send("DELETE", f"{ENVIRONMENTS}/{asset_id}").status == 202


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_built_in_assets_cannot_be_changed(sandbox: Running, method: str) -> None:
    listed = sandbox.http.send("GET", f"{ENVIRONMENTS}?name=gpt2").body["entries"]
    path = f"{ENVIRONMENTS}/{listed[0]['meta']['id']}"
    body = {"meta": {"name": "a"}, "spec": {}} if method == "PUT" else None
    refused(sandbox.http.send(method, path, body), 403)
    assert sandbox.http.send("GET", path).body == listed[0]


@pytest.mark.parametrize(
    ("meta", "where"),
    [
        ({"name": ""}, "meta.name"),
        ({"name": None}, "meta.name"),
        ({"name": 1}, "meta.name"),
        ({"name": "\ud800"}, "meta.name"),
        ({"description": ""}, "meta.description"),
        ({"description": "x" * 251}, "meta.description"),
        ({"scope": "galaxy"}, "meta.scope"),
        ({"scope": "system"}, "meta.scope"),
        ({"scope": "cluster"}, "meta.clusterId"),
        ({"scope": "department"}, "meta.departmentId"),
        ({"scope": "project"}, "meta.projectId"),
        ({"scope": "cluster", "clusterId": NOBODY}, "clusterId"),
        ({"scope": "cluster", "clusterId": "main"}, "meta.clusterId"),
        ({"scope": "department", "departmentId": "1"}, "departmentId"),
        ({"scope": "project", "projectId": 99}, "projectId"),
        ({"scope": "project", "projectId": "1"}, "meta.projectId"),
        ({"scope": "project", "projectId": 2**31}, "meta.projectId"),
        ({"scope": "project", "projectId": 1, "clusterId": NOBODY}, "clusterId"),
        ({"scope": "project", "projectId": 1, "departmentId": "1"}, "departmentId"),
        ({"scope": "tenant", "projectId": 1}, "meta.projectId"),
        ({"workloadSupportedTypes": {"distFramework": "TensorFlow"}}, "distFramework"),
        ({"workloadSupportedTypes": ["training"]}, "meta.workloadSupportedTypes"),
    ],
)
def test_meta_that_is_refused(sandbox: Running, meta: dict[str, Any], where: str) -> None:
    body = {"meta": {"name": "a", "scope": "tenant", **meta}, "spec": {}}
    assert where in refused(sandbox.http.send("POST", ENVIRONMENTS, body))
    assert sandbox.http.names("environment") == []


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"image": ""}, "spec.image"),
        ({"imagePullPolicy": "Sometimes"}, "spec.imagePullPolicy"),
        ({"tty": "true"}, "spec.tty"),
        ({"runAsUid": 2**63}, "spec.runAsUid"),
        ({"runAsUid": 1.5}, "spec.runAsUid"),
        ({"runAsUid": True}, "spec.runAsUid"),
        ({"capabilities": ["CAP_CHOWN"]}, "spec.capabilities[0]"),
        ({"connections": None}, "spec.connections"),
        ({"connections": {}}, "spec.connections"),
        ({"connections": [{}]}, "spec.connections[0].name"),
        ({"connections": [JUPYTER, JUPYTER]}, "spec.connections[1].name"),
        ({"connections": [{"name": "a", "internalToolInfo": {}}]}, "toolType"),
        ({"environmentVariables": [{"value": "x"}]}, "spec.environmentVariables[0].name"),
        (
            {
                "environmentVariables": [
                    {"name": "A", "value": "", "credential": {"assetId": NOBODY, "key": "k"}}
                ]
            },
            "spec.environmentVariables[0]",
        ),
        (
            {"environmentVariables": [{"name": "A", "credential": {"assetId": "x"}}]},
            "credential.assetId",
        ),
        (
            {"environmentVariables": [{"name": "A", "configMap": {"name": "Not_Valid"}}]},
            "configMap.name",
        ),
        ({"probes": {"readiness": {"periodSeconds": 0}}}, "periodSeconds"),
        ({"probes": {"readiness": {"handler": {"httpGet": {"host": "a b"}}}}}, "host"),
    ],
)
def test_environment_specs_that_are_refused(
    sandbox: Running, spec: dict[str, Any], where: str
) -> None:
    assert where in refused(sandbox.http.create("environment", "a", spec=spec))


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"cpuMemoryRequest": "32GB"}, "spec.cpuMemoryRequest"),
        ({"cpuMemoryRequest": "32Gi\n"}, "spec.cpuMemoryRequest"),
        ({"cpuMemoryRequest": "1" * 100_000 + "x"}, "spec.cpuMemoryRequest"),
        ({"cpuCoreRequest": -1}, "spec.cpuCoreRequest"),
        ({"cpuCoreRequest": "1"}, "spec.cpuCoreRequest"),
        ({"gpuDevicesRequest": 1.5}, "spec.gpuDevicesRequest"),
        ({"gpuRequestType": "portion"}, "spec.gpuPortionRequest"),
        ({"gpuPortionRequest": 0.5}, "spec.gpuPortionRequest"),
        ({"gpuMemoryRequest": "1G"}, "spec.gpuMemoryRequest"),
        (GPU | {"gpuPortionRequest": 1.5}, "spec.gpuPortionRequest"),
        (GPU | {"gpuPortionLimit": 0.4}, "spec.gpuPortionLimit"),
        (
            {"gpuDevicesRequest": 2, "gpuRequestType": "memory", "gpuMemoryRequest": "1G"},
            "spec.gpuRequestType",
        ),
        ({"extendedResources": [{"resource": "x/y", "quantity": "many"}]}, "quantity"),
    ],
)
def test_compute_specs_that_are_refused(sandbox: Running, spec: dict[str, Any], where: str) -> None:
    assert where in refused(sandbox.http.create("compute", "a", spec=spec))


@pytest.mark.parametrize(
    "spec",
    [
        {"gpuDevicesRequest": 2.0},
        GPU | {"gpuPortionLimit": 0.5},
        {"gpuRequestType": "memory", "gpuDevicesRequest": 1, "gpuMemoryRequest": "5G"},
        {"cpuMemoryRequest": "64Gi", "cpuMemoryLimit": "+1.5e3", "largeShmRequest": True},
        {"extendedResources": [{"resource": "x/y", "quantity": "1"}, None]},
        None,
    ],
)
def test_compute_specs_that_are_accepted(sandbox: Running, spec: dict[str, Any] | None) -> None:
    answer = sandbox.http.create("compute", "a", spec=spec)
    assert (answer.status, answer.body["spec"]) == (202, spec or {})


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"meta": {"name": "a", "scope": "tenant"}}',
        b'{"spec": {}}',
        b'{"meta": [], "spec": {}}',
        b'{"meta": {"name": "a", "scope": "tenant"}, "spec": []}',
        b'{"meta": {"name": "a", "scope": "tenant"}, "spec": {"runAsUid": NaN}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"1" * 5_000,
    ],
)
@pytest.mark.parametrize("kind", ["environment", "compute"])
def test_bodies_that_are_malformed(sandbox: Running, kind: str, raw: bytes | None) -> None:
    refused(sandbox.http.send("POST", f"/api/v1/asset/{kind}", raw))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 400])
def test_numbers_beyond_a_double_are_refused(sandbox: Running, number: str) -> None:
    body = f'{{"meta": {{"name": "a", "scope": "tenant"}}, "spec": {{"cpuCoreLimit": {number}}}}}'
    refused(sandbox.http.send("POST", "/api/v1/asset/compute", body.encode()))


def test_a_body_of_more_than_a_mebibyte_is_refused(sandbox: Running) -> None:
    refused(sandbox.http.create("environment", "a", spec={"args": "x" * 1024**2}), 413)
    assert sandbox.http.create("environment", "a", spec={"args": "x" * 1_000_000}).status == 202


def test_any_text_survives(sandbox: Running) -> None:
    text = "Ünïcödé 🚀 \x00\x1b[31m\u2028 </script>"
    asset_id = sandbox.http.create("environment", text, description=text).body["meta"]["id"]
    meta = sandbox.http.send("GET", f"{ENVIRONMENTS}/{asset_id}").body["meta"]
    assert meta["name"] == meta["description"] == text


def test_unknown_routes_and_methods(sandbox: Running) -> None:
    refused(sandbox.http.send("GET", "/api/v1/nothing"), 404)
    answer = sandbox.http.send("PATCH", ENVIRONMENTS)
    refused(answer, 405)
    assert answer.headers["Allow"] == "GET,POST"


def test_a_scope_id_of_an_ancestor_may_be_given_too(sandbox: Running) -> None:
    cluster = sandbox.http.send("GET", "/api/v1/clusters").body[0]["uuid"]
    answer = sandbox.http.create(
        "environment", "a", scope="project", projectId=1, clusterId=cluster.upper()
    )
    assert (answer.status, answer.body["meta"]["clusterId"]) == (202, cluster)


def test_every_field_of_an_environment_comes_back(sandbox: Running) -> None:
    spec = {
        "args": "-c true",
        "command": "bash",
        "environmentVariables": [
            {"name": "A", "value": ""},
            {"name": "B", "credential": {"assetId": NOBODY, "key": "k"}},
            {"name": "C", "configMap": {"name": "c-m", "key": "k"}},
            {"name": "D", "podFieldRef": {"path": "metadata.name"}, "description": "d"},
            {"name": "E", "exclude": True},
        ],
        "runAsGid": 0,
        "runAsUid": 2**63 - 1,
        "supplementalGroups": "",
        "allowPrivilegeEscalation": False,
        "capabilities": ["CHOWN"],
        "createHomeDir": True,
        "hostIpc": False,
        "hostNetwork": False,
        "image": "x@sha256:0",
        "imagePullPolicy": "Never",
        "probes": {
            "readiness": {
                "initialDelaySeconds": 0,
                "handler": {"httpGet": {"path": "/", "port": 80, "host": "a.b", "scheme": "HTTP"}},
            }
        },
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfileType": "Unconfined",
        "stdin": True,
        "tty": True,
        "uidGidSource": "custom",
        "workingDir": "/home/user",
        "connections": [
            JUPYTER,
            {
                "name": "W",
                "isExternal": True,
                "externalToolInfo": {"toolType": "wandb", "externalUrl": "https://example.com"},
            },
        ],
        "overrideUidGidInWorkspace": True,
    }
    answer = sandbox.http.create("environment", "a", spec=spec)
    assert answer.body["spec"] == spec, json.dumps(answer.body)
