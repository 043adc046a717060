"""What differs between the versions that a sandbox plays, and the switches beside them."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.sandbox.api_schema import VERSIONS
from tests.sandbox.conftest import Running, Start

ENVIRONMENTS, COMPUTES = "/api/v1/asset/environment", "/api/v1/asset/compute"
CLUSTERS, UNITS = "/api/v1/clusters", "/api/v1/org-unit"
CREDENTIAL = {"assetId": "5f2c2c7e-5d83-4f4e-9b5c-000000000001", "key": "k"}


def since(version: str, first: str) -> bool:
    return VERSIONS.index(version) >= VERSIONS.index(first)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def running(start: Start, version: str) -> Running:
    return start(version=version)


@pytest.mark.parametrize(
    ("path", "first", "last"),
    [
        (ENVIRONMENTS, "2.18", "3.0"),
        (COMPUTES, "2.18", "3.0"),
        ("/api/v1/asset/credentials", "2.18", "3.0"),
        ("/api/v1/asset/credentials/generic-secret", "2.18", "3.0"),
        ("/api/v1/asset/credentials/ngc-api-key", "2.23", "3.0"),
        (CLUSTERS, "2.18", "3.0"),
        (f"{CLUSTERS}/minimal", "2.24", "3.0"),
        (f"{UNITS}/projects", "2.18", "3.0"),
        (f"{UNITS}/departments", "2.18", "3.0"),
        (f"{UNITS}/priorities", "2.22", "2.24"),
        (f"{UNITS}/ranks", "2.24", "3.0"),
    ],
)
def test_paths(running: Running, version: str, path: str, first: str, last: str) -> None:
    there = since(version, first) and since(last, version)
    assert running.http.send("GET", path).status == (200 if there else 404)


@pytest.mark.parametrize(
    ("source", "first", "last"),
    [
        ({"value": "v"}, "2.18", "3.0"),
        ({"exclude": True}, "2.18", "3.0"),
        ({"secret": {"name": "s", "key": "k"}}, "2.18", "2.19"),
        ({"credential": CREDENTIAL}, "2.20", "3.0"),
        ({"description": "d"}, "2.20", "3.0"),
        ({"configMap": {"name": "c", "key": "k"}}, "2.21", "3.0"),
        ({"podFieldRef": {"path": "p"}}, "2.21", "3.0"),
    ],
)
def test_fields_of_environment_variables(
    start: Start, version: str, source: dict[str, Any], first: str, last: str
) -> None:
    known = since(version, first) and since(last, version)
    spec = {"environmentVariables": [{"name": "A", **source}]}
    body = start(version=version).http.create("environment", "a", spec=spec).body
    kept = {"name": "A", **source} if known else {"name": "A"}
    assert body["spec"] == {"environmentVariables": [kept]}
    strict = start(version=version, unknown_fields="reject").http
    assert strict.create("environment", "b", spec=spec).status == (202 if known else 400)


@pytest.mark.parametrize(
    ("spec", "first", "last"),
    [
        ({"gpuDevicesRequest": 2}, "2.18", "3.0"),
        ({"gpuRequestType": "migProfile", "migProfile": "1g.5gb"}, "2.18", "2.23"),
        ({"cpuCoreRequest": -1}, "2.18", "2.20"),
        ({"cpuMemoryRequest": "-1M"}, "2.18", "2.22"),
    ],
)
def test_values_of_compute(
    running: Running, version: str, spec: dict[str, Any], first: str, last: str
) -> None:
    known = since(version, first) and since(last, version)
    assert running.http.create("compute", "a", spec=spec).status == (202 if known else 400)


def test_the_meta_of_answers(running: Running, version: str) -> None:
    http = running.http
    created = http.create("environment", "a", private=True, scope="project", projectId=1).body
    assert ("private" in created["meta"]) == since(version, "2.24")
    assert ("updateCount" in created["meta"]) == since(version, "2.21")
    one = f"{ENVIRONMENTS}/{created['meta']['id']}"
    updated = http.send("PUT", one, {"meta": {"name": "b"}, "spec": {}}).body["meta"]
    assert updated.get("updateCount") == (1 if since(version, "2.21") else None)


@pytest.mark.parametrize(
    ("kind", "first"), [("environment", "2.21"), ("compute", "2.24")], ids=lambda value: value
)
def test_lists_with_descendants(start: Start, version: str, kind: str, first: str) -> None:
    http = start(version=version).http
    http.create(kind, "a", scope="project", projectId=1)
    uuid = http.send("GET", CLUSTERS).body[0]["uuid"]
    query = f"?clusterId={uuid}&includeDescendants=true"
    assert http.names(kind, query) == (["a"] if since(version, first) else [])
    strict = start(version=version, unknown_parameters="refuse").http
    answer = strict.send("GET", f"/api/v1/asset/{kind}{query}")
    assert answer.status == (200 if since(version, first) else 400)
    assert answer.body.get("details") == (None if since(version, first) else "includeDescendants")


def test_descriptions_of_units(running: Running, version: str) -> None:
    for kind in ("projects", "departments"):
        found = running.http.send("GET", f"{UNITS}/{kind}").body[kind]
        assert [("description" in each) for each in found] == [since(version, "2.19")] * len(found)


@pytest.mark.parametrize(
    ("switch", "stated"),
    [
        ("same", [f"{version}.0" for version in VERSIONS]),
        ("older", ["2.17.0", *(f"{version}.0" for version in VERSIONS[:-1])]),
        ("absent", [None] * len(VERSIONS)),
    ],
)
def test_clusters_state_a_version(
    start: Start, version: str, switch: str, stated: list[str | None]
) -> None:
    http = start(version=version, cluster_version=switch).http
    expected = stated[list(VERSIONS).index(version)]  # type: ignore[arg-type] # it is a version
    (cluster,) = http.send("GET", CLUSTERS).body
    assert cluster.get("version") == expected
    if since(version, "2.24"):
        (minimal,) = http.send("GET", f"{CLUSTERS}/minimal").body
        assert minimal == {
            name: cluster[name]
            for name in ("uuid", "name", "tenantId", "version")
            if name in cluster
        }


def test_minimal_clusters_are_filtered_and_cut(start: Start) -> None:
    seed = "clusters: [{name: a}, {name: b}, {name: c}]"
    http = start(version="3.0", seed=seed).http

    def names(query: str) -> list[str]:
        return [each["name"] for each in http.send("GET", f"{CLUSTERS}/minimal{query}").body]

    assert names("") == ["a", "b", "c"]
    assert names("?filterBy=name!=b") == ["a", "c"]
    assert names("?limit=1&offset=1") == ["b"]
    for query in ("?limit=0", "?offset=-1", "?filterBy=name"):
        assert http.send("GET", f"{CLUSTERS}/minimal{query}").status == 400


DENIED = {
    "environment": ENVIRONMENTS,
    "compute": COMPUTES,
    "credentials": "/api/v1/asset/credentials/password",
    "clusters": CLUSTERS,
    "clusters-minimal": f"{CLUSTERS}/minimal",
    "projects": f"{UNITS}/projects",
    "departments": f"{UNITS}/departments",
    "ranks": f"{UNITS}/ranks",
}


@pytest.mark.parametrize("right", DENIED)
def test_what_the_account_may_not_read(start: Start, right: str) -> None:
    http = start(version="3.0", denied=(right,)).http
    for name, path in DENIED.items():
        answer = http.send("GET", path)
        assert answer.status == (403 if name == right else 200)
        assert http.send("GET", path, token="").status == 401


def test_an_account_that_may_only_view(start: Start) -> None:
    one = f"{ENVIRONMENTS}/{start().http.create('environment', 'a').body['meta']['id']}"
    http = start(denied=("writes",)).http
    body = {"meta": {"name": "a", "scope": "tenant"}, "spec": {}}
    assert http.send("GET", one).status == 200
    for method, path in (("POST", ENVIRONMENTS), ("PUT", one), ("DELETE", one)):
        assert http.send(method, path, body).status == 403
    assert http.names("environment") == ["a"]


@pytest.mark.parametrize("lag", [0.0, 0.05])
def test_deleted_entries_are_still_read(start: Start, version: str, lag: float) -> None:
    http = start(version=version, deleted_entries="listed", visibility_lag=lag).http
    created = http.create("environment", "a", spec={"image": "one"}).body["meta"]["id"]
    one = f"{ENVIRONMENTS}/{created}"
    assert http.send("DELETE", one).status == 202
    again = http.create("environment", "a", spec={"image": "two"})  # the name is free
    assert again.status == 202
    assert http.send("DELETE", one).status == 404
    assert http.send("PUT", one, {"meta": {"name": "b"}, "spec": {}}).status == 404
    while "two" not in [each["spec"].get("image") for each in entries(http)]:
        assert lag
    deleted = {each["spec"]["image"]: each["meta"].get("deletedAt") for each in entries(http)}
    if since(version, "2.21"):
        assert deleted.keys() == {"one", "two"}
        assert deleted["one"]
        assert http.send("GET", one).body["meta"]["deletedBy"]
    assert deleted["two"] is None
    assert ("one" in deleted) == since(version, "2.21")


def entries(http: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.send("GET", f"{ENVIRONMENTS}?scope=tenant").body["entries"]
    return found


def test_a_file_goes_from_version_to_version(start: Start) -> None:
    spec = {
        "image": "i",
        "environmentVariables": [{"name": "A", "secret": {"name": "s", "key": "k"}}],
    }
    created = start(version="2.18").http.create("environment", "a", spec=spec).body
    for version in VERSIONS:
        http = start(version=version).http
        assert http.send("GET", f"{ENVIRONMENTS}/{created['meta']['id']}").body == created
    body = {"meta": {"name": "a"}, "spec": spec}
    updated = http.send("PUT", f"{ENVIRONMENTS}/{created['meta']['id']}", body).body
    assert updated["spec"] == {"image": "i", "environmentVariables": [{"name": "A"}]}
    assert updated["meta"]["updateCount"] == 1
