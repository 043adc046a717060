"""Clusters, departments and projects: pages, filters, order."""

from __future__ import annotations

import pytest

from tests.sandbox.conftest import Running, Start

PROJECTS, DEPARTMENTS = "/api/v1/org-unit/projects", "/api/v1/org-unit/departments"
SEED = """
clusters:
  - name: one
    departments:
      - name: red
        projects: [PROJECTS]
      - {name: blue, projects: [zebra]}
  - name: two
    departments: [{name: red, projects: [zebra]}]
""".replace("PROJECTS", ", ".join(f"p{number:03}" for number in range(120)))


@pytest.fixture
def many(start: Start) -> Running:
    return start(seed=SEED)


def names(running: Running, path: str) -> list[str]:
    answer = running.http.send("GET", path)
    assert answer.status == 200, answer.body
    (page,) = (value for name, value in answer.body.items() if name != "next")
    return [each["name"] for each in page]


def test_pages(many: Running) -> None:
    found: list[str] = []
    offsets: list[int] = []
    offset: int | None = 0
    while offset is not None:
        body = many.http.send("GET", f"{PROJECTS}?offset={offset}").body
        found += [each["name"] for each in body["projects"]]
        offset = body.get("next")
        offsets += [] if offset is None else [offset]
    assert offsets == [50, 100]
    assert found == [*(f"p{number:03}" for number in range(120)), "zebra", "zebra"]


@pytest.mark.parametrize(
    ("query", "count", "following"),
    [
        ("?limit=500", 122, None),
        ("?limit=122", 122, None),
        ("?limit=121", 121, 121),
        ("?limit=1&offset=121", 1, None),
        ("?offset=122", 0, None),
        ("?offset=10000", 0, None),
    ],
)
def test_the_edges_of_pages(many: Running, query: str, count: int, following: int | None) -> None:
    body = many.http.send("GET", PROJECTS + query).body
    assert (len(body["projects"]), body.get("next")) == (count, following)


@pytest.mark.parametrize(
    "query",
    [
        "?limit=0",
        "?limit=501",
        "?limit=many",
        "?offset=-1",
        "?offset=99999999999",
        "?filterBy=name",
        "?filterBy=colour==red",
        "?filterBy=name==",
        "?filterBy=",
        "?filterBy=name==a,",
        "?sortBy=colour",
        "?sortOrder=up",
    ],
)
@pytest.mark.parametrize("path", [PROJECTS, DEPARTMENTS])
def test_queries_that_are_refused(many: Running, path: str, query: str) -> None:
    answer = many.http.send("GET", path + query)
    assert (answer.status, answer.body["code"]) == (400, 400)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?filterBy=name==p007", ["p007"]),
        ("?filterBy=name=^p00&limit=3", ["p000", "p001", "p002"]),
        ("?filterBy=name=$9,name!=p009&limit=2", ["p019", "p029"]),
        ("?filterBy=name=@11&limit=2", ["p011", "p110"]),
        ("?filterBy=name!@p", ["zebra", "zebra"]),
        ("?filterBy=name>=p118,name<=p119", ["p118", "p119"]),
        ("?filterBy=parentName==blue", ["zebra"]),
        ("?search=zeb", ["zebra", "zebra"]),
        ("?sortBy=name&sortOrder=desc&limit=3", ["zebra", "zebra", "p119"]),
        ("?sortBy=gpuAllocated&limit=1", ["p000"]),
        ("?filterBy=name==nobody", []),
    ],
)
def test_filters_and_order(many: Running, query: str, expected: list[str]) -> None:
    assert names(many, PROJECTS + query) == expected


def test_units_of_one_cluster(many: Running) -> None:
    two = many.http.send("GET", "/api/v1/clusters").body[1]["uuid"]
    assert names(many, f"{PROJECTS}?filterBy=clusterId=={two}") == ["zebra"]
    assert names(many, f"{DEPARTMENTS}?filterBy=clusterId=={two},name==red") == ["red"]
    assert names(many, f"{DEPARTMENTS}?verbosity=verbose&sortBy=name") == ["blue", "red", "red"]


def test_single_units(many: Running) -> None:
    for path, key in ((PROJECTS, "projects"), (DEPARTMENTS, "departments")):
        one = many.http.send("GET", f"{path}?limit=1").body[key][0]
        assert many.http.send("GET", f"{path}/{one['id']}").body == one
        assert many.http.send("GET", f"{path}/nobody").status == 404
    cluster = many.http.send("GET", "/api/v1/clusters").body[0]
    assert many.http.send("GET", f"/api/v1/clusters/{cluster['uuid']}").body == cluster
    assert many.http.send("GET", "/api/v1/clusters/nobody").status == 404
    assert many.http.send("GET", "/api/v1/clusters?verbosity=loud").status == 400
    assert many.http.send("GET", f"{DEPARTMENTS}?verbosity=loud").status == 400
