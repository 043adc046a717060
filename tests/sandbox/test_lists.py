"""Which assets a list shows: scopes, ancestors, descendants, names, workload types, usage."""

from __future__ import annotations

import uuid

import pytest

from tests.sandbox.conftest import Running, Start

SEED = """
clusters:
  - name: one
    departments:
      - {name: red, id: red, projects: [{name: r1, id: 11}, {name: r2, id: 12}]}
      - {name: blue, id: blue, projects: [{name: b1, id: 21}]}
  - name: two
    departments: [{name: red, id: red2, projects: [{name: z1, id: 31}]}]
usage:
  - kind: environment
    name: at-r1
    workspaces: [notebook, {name: other, status: Stopped}]
    templates: [starter]
"""
BUILT_IN = [
    "jupyter-lab",
    "jupyter-tensorboard",
    "tensorboard",
    "llm-server",
    "chatbot-ui",
    "gpt2",
]


@pytest.fixture
def tree(start: Start) -> Running:
    running = start(seed=SEED)
    one, two = (each["uuid"] for each in running.http.send("GET", "/api/v1/clusters").body)
    create = running.http.create
    create("environment", "at-tenant")
    create("environment", "at-one", scope="cluster", clusterId=one)
    create("environment", "at-two", scope="cluster", clusterId=two)
    create("environment", "at-red", scope="department", departmentId="red")
    create("environment", "at-blue", scope="department", departmentId="blue")
    for name, project in (("r1", 11), ("r2", 12), ("b1", 21), ("z1", 31)):
        create("environment", f"at-{name}", scope="project", projectId=project)
    running.server.requests.clear()
    return running


ALL = "tenant one two red blue r1 r2 b1 z1"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("?scope=tenant", "tenant"),
        ("?scope=cluster", "one two"),
        ("?scope=department", "red blue"),
        ("?scope=project", "r1 r2 b1 z1"),
        ("?clusterId={one}", "tenant one"),
        ("?clusterId={one}&scope=cluster", "one"),
        ("?clusterId={one}&scope=tenant", "tenant"),
        ("?clusterId={one}&includeDescendants=true", "tenant one red blue r1 r2 b1"),
        ("?clusterId={one}&includeDescendants=false", "tenant one"),
        ("?departmentId=red", "tenant one red"),
        ("?departmentId=red&scope=department", "red"),
        ("?departmentId=red&includeDescendants=true", "tenant one red r1 r2"),
        ("?projectId=11", "tenant one red r1"),
        ("?projectId=11&scope=project", "r1"),
        ("?projectId=11&includeDescendants=true", "tenant one red r1"),
        ("?projectId=31", "tenant two z1"),
        ("?projectId=11&departmentId=red&clusterId={one}", "tenant one red r1"),
        ("?includeDescendants=true", ALL),
        ("?name=at-red", "red"),
        ("?name=at", ""),
        ("?name=at-red&projectId=21", ""),
    ],
)
def test_scopes(tree: Running, query: str, expected: str) -> None:
    one = tree.http.send("GET", "/api/v1/clusters").body[0]["uuid"]
    names = tree.http.names("environment", query.format(one=one))
    assert names == [f"at-{name}" for name in expected.split()]


def test_built_in_assets_show_unless_a_scope_is_given(tree: Running) -> None:
    for query in ("", "?projectId=11", "?departmentId=red&includeDescendants=true"):
        listed = tree.http.listed("environment", query)
        assert [name for name, scope in listed if scope == "system"] == BUILT_IN
    assert "system" not in dict(tree.http.listed("environment", "?scope=tenant")).values()


@pytest.mark.parametrize(
    "query",
    [
        "?scope=tenant&includeDescendants=true",
        "?scope=system",
        "?scope=galaxy",
        "?projectId=99",
        "?projectId=one",
        "?projectId=99999999999",
        f"?clusterId={uuid.UUID(int=1)}",
        "?departmentId=green",
        "?projectId=11&departmentId=blue",
        "?usageInfo=maybe",
        "?isTraining=1",
    ],
)
def test_queries_that_are_refused(tree: Running, query: str) -> None:
    answer = tree.http.send("GET", f"/api/v1/asset/environment{query}")
    assert (answer.status, answer.body["code"]) == (400, 400)


def test_workload_types(start: Start) -> None:
    http = start().http
    http.create("environment", "any")
    http.create("environment", "train", workloadSupportedTypes={"training": True})
    http.create(
        "environment",
        "tf",
        workloadSupportedTypes={"distributed": True, "training": False, "distFramework": "TF"},
    )
    assert http.names("environment", "?isTraining=true") == ["any", "train"]
    assert http.names("environment", "?isTraining=false") == ["tf"]
    assert http.names("environment", "?isWorkspace=false") == ["train", "tf"]
    assert http.names("environment", "?isDistributed=true") == ["any", "tf"]
    assert http.names("environment", "?distributedFramework=TF") == ["any", "tf"]
    assert http.names("environment", "?distributedFramework=MPI") == ["any"]
    assert http.names("environment", "?isTraining=true&isInference=true") == ["any"]


def test_usage_is_on_request(tree: Running) -> None:
    path = "/api/v1/asset/environment"
    plain = tree.http.send("GET", f"{path}?name=at-r1").body["entries"][0]
    assert "usedBy" not in plain
    used = tree.http.send("GET", f"{path}?name=at-r1&usageInfo=true").body["entries"][0]["usedBy"]
    assert [(each["name"], each["status"]) for each in used["workspaces"]] == [
        ("notebook", "Running"),
        ("other", "Stopped"),
    ]
    assert [each["name"] for each in used["templates"]] == ["starter"]
    one = tree.http.send("GET", f"{path}/{plain['meta']['id']}?usageInfo=true").body
    assert one["usedBy"] == used
    unused = tree.http.send("GET", f"{path}?name=at-r2&usageInfo=true").body["entries"][0]
    assert not any(unused["usedBy"].values())
    renamed = {"meta": {"name": "at-r1-replaced"}, "spec": {}}
    tree.http.send("PUT", f"{path}/{plain['meta']['id']}", renamed)
    one = tree.http.send("GET", f"{path}/{plain['meta']['id']}?usageInfo=true").body
    assert one["usedBy"] == used


def test_deleting_an_asset_in_use_is_allowed(tree: Running) -> None:
    path = "/api/v1/asset/environment"
    asset = tree.http.send("GET", f"{path}?name=at-r1").body["entries"][0]["meta"]["id"]
    assert tree.http.send("DELETE", f"{path}/{asset}").status == 202
