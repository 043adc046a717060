"""Names in manifests -> ids of the control plane."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.resource import Resource
from reconciler.errors import ManifestError
from tests.faults.proxy import Fault, Kind
from tests.providers.runai.worlds import World, wanted, world

SEED = """
clusters:
  - name: east
    uuid: 11111111-1111-4111-8111-111111111111
    departments:
      - {name: research, id: "d1", projects: [{name: vision, id: 101}, {name: shared, id: 102}]}
  - name: west
    uuid: 22222222-2222-4222-8222-222222222222
    departments:
      - {name: research, id: "d2", projects: [{name: speech, id: 201}, {name: shared, id: 202}]}
credentials:
  - {name: db, type: generic-secret, scope: project, project: vision, keys: [PASSWORD]}
  - {name: db, type: generic-secret, scope: project, project: speech, keys: [PASSWORD]}
  - {name: token, type: password, keys: [T]}
"""
EAST = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("large"), seed=SEED) as made:
        yield made


def bind(made: World, **spec: Any) -> Resource:
    (bound,) = made.environments.resolve([wanted(**spec)])
    return bound


def problems(made: World, **spec: Any) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        bind(made, **spec)
    return [f"{item.message} | {item.fix}" for item in caught.value.problems]


def test_a_name_makes_no_line_of_an_error(plain: World) -> None:
    bind(plain, scope="cluster")  # logs in, and asks for the version
    body = {"projects": [{"id": "1", "name": "x\n::error::y\x1b[31m", "clusterId": "c"}]}
    plain.proxy.rule = lambda *_: Fault(Kind.BODY, status=200, body=body)
    (words,) = problems(plain, scope="project", scope_id="z")
    assert words.endswith(r"x\x0a::error::y\x1b[31m")


@pytest.mark.parametrize(
    ("scope", "wanted_id", "found"),
    [
        ("cluster", "east", EAST),
        ("cluster", EAST.upper(), EAST),
        ("project", "vision", "101"),
        ("project", "101", "101"),
        ("project", "west/shared", "202"),
        ("project", f"{EAST}/shared", "102"),
        ("department", "d2", "d2"),
        ("department", "east/research", "d1"),
    ],
)
def test_a_name_or_an_id(large: World, scope: str, wanted_id: str, found: str) -> None:
    assert bind(large, scope=scope, scope_id=wanted_id).spec["scope_id"] == found


@pytest.mark.parametrize(
    ("scope", "wanted_id", "words"),
    [
        ("cluster", None, "there are 2 clusters | add scope_id, one of east, west"),
        ("cluster", "eas", "there is no cluster 'eas' | did you mean `east`?"),
        ("project", "shared", "named shared | write one of east/shared, west/shared"),
        ("project", "visoin", "did you mean `vision`?"),
        ("project", "zzz", "the projects we can see are: shared, speech, vision"),
        ("project", "east/speech", "cluster east has no project 'speech'"),
        ("project", "south/speech", "there is no cluster 'south'"),
        ("department", "research", "write one of east/research, west/research"),
    ],
)
def test_what_has_no_match(large: World, scope: str, wanted_id: str | None, words: str) -> None:
    spec = {"scope": scope, **({"scope_id": wanted_id} if wanted_id else {})}
    (problem,) = problems(large, **spec)
    assert words in problem


TWINS = """
clusters:
  - name: east
    uuid: 11111111-1111-4111-8111-111111111111
    departments:
      - name: "d2"
        id: "d1"
        projects: [{name: mlops, id: 7}, {name: "7", id: 12}, {name: "12", id: 13}]
      - {name: research, id: "d2", projects: [{name: "14", id: 14}]}
  - name: 11111111-1111-4111-8111-111111111111
    uuid: 22222222-2222-4222-8222-222222222222
    departments: [{name: other, id: "d3", projects: [{name: "7", id: 21}]}]
"""
WEST = "22222222-2222-4222-8222-222222222222"


@pytest.mark.parametrize(
    ("scope", "wanted_id", "both"),
    [
        ("project", "7", "'7' is the id of project 'mlops' and the name of project '7' (id 12)"),
        ("project", "12", "'12' is the id of project '7' and the name of project '12' (id 13)"),
        ("department", "d2", "the id of department 'research' and the name of department 'd2'"),
        ("cluster", EAST, f"is the id of cluster 'east' and the name of cluster '{EAST}'"),
        ("project", f"{EAST}/7", f"is the id of cluster 'east' and the name of cluster '{EAST}'"),
    ],
)
def test_an_id_that_is_the_name_of_another(
    tmp_path: Path, scope: str, wanted_id: str, both: str
) -> None:
    with world(tmp_path, seed=TWINS) as made:
        (problem,) = problems(made, scope=scope, scope_id=wanted_id)
        assert both in problem
        word = wanted_id.partition("/")[0]
        assert f"write id:{word} for" in problem
        assert f"name:{word} for the other" in problem


@pytest.mark.parametrize(
    ("scope", "wanted_id", "found"),
    [
        ("project", "id:7", "7"),
        ("project", "name:12", "13"),
        ("project", "name:east/7", "12"),
        ("project", f"id:{EAST}/7", "12"),
        ("project", f"name:{EAST}/7", "21"),
        ("project", "east/7", "12"),
        ("project", "14", "14"),  # its own name
        ("project", "13", "13"),
        ("department", "id:d2", "d2"),
        ("department", "name:d2", "d1"),
        ("cluster", f"id:{EAST.upper()}", EAST),
        ("cluster", f"name:{EAST}", WEST),
    ],
)
def test_it_can_be_said_which_is_meant(
    tmp_path: Path, scope: str, wanted_id: str, found: str
) -> None:
    with world(tmp_path, seed=TWINS) as made:
        assert bind(made, scope=scope, scope_id=wanted_id).spec["scope_id"] == found
        for wrong in ("id:zzz", "name:zzz", "id:", "name:"):
            assert "there is no" in problems(made, scope=scope, scope_id=wrong)[0]


def test_every_problem_is_reported_where_it_stands(large: World) -> None:
    made = [
        wanted("a", scope="project", scope_id="x"),
        wanted("b", scope="cluster"),
        wanted("c"),
    ]
    with pytest.raises(ManifestError) as caught:
        large.environments.resolve(made)
    assert len(caught.value.problems) == 2
    assert {(item.file, item.line) for item in caught.value.problems} == {("manifests/a.yaml", 3)}


def test_the_only_cluster_is_found_by_itself(plain: World) -> None:
    clusters = plain.call("GET", "/api/v1/clusters")
    assert bind(plain, scope="cluster").spec["scope_id"] == clusters[0]["uuid"]


def test_each_list_is_read_once_and_only_if_needed(plain: World) -> None:
    plain.environments.resolve([wanted()])
    assert [item for item in plain.requests.all() if item.method == "GET"] == []
    made = [wanted(f"e{i}", scope="project", scope_id="team-a") for i in range(50)]
    plain.environments.resolve(made)
    plain.computes.resolve(made)
    paths = [item.path for item in plain.requests.all() if item.method == "GET"]
    assert paths == ["/api/v1/org-unit/projects"]


def test_pages_are_followed(tmp_path: Path) -> None:
    projects = ", ".join(f"p{i}" for i in range(1203))
    seed = f"clusters: [{{name: main, departments: [{{name: d, projects: [{projects}]}}]}}]"
    with world(tmp_path, seed=seed) as made:
        assert bind(made, scope="project", scope_id="p1202").spec["scope_id"]
        paths = [item.path for item in made.requests.all()]
        assert paths.count("/api/v1/org-unit/projects") == 3


def credential(name: str) -> dict[str, Any]:
    return {"A": {"credential": {"asset_id": name, "key": "PASSWORD"}}, "B": "plain"}


def test_a_credential_by_name_is_the_one_of_the_scope(large: World) -> None:
    ids = {
        scope_id: bind(
            large,
            scope="project",
            scope_id=scope_id,
            environment_variables=credential("db"),
        ).spec["environment_variables"]["A"]["credential"]["asset_id"]
        for scope_id in ("vision", "speech")
    }
    assert ids["vision"] != ids["speech"]
    token = bind(large, environment_variables=credential("token")).spec["environment_variables"]
    assert token["A"]["credential"] == {
        "asset_id": token["A"]["credential"]["asset_id"],
        "key": "PASSWORD",
    }
    assert token["B"] == "plain"


def test_a_credential_by_id_is_taken_though_no_list_has_it(plain: World) -> None:
    asset_id = "AAAAAAAA-0000-4000-8000-000000000000"
    spec = bind(plain, environment_variables=credential(asset_id)).spec
    source = spec["environment_variables"]["A"]["credential"]
    assert source == {"asset_id": asset_id.lower(), "key": "PASSWORD"}
    assert type(source["asset_id"]) is str


def test_credentials_without_a_match(large: World) -> None:
    (ambiguous,) = problems(large, environment_variables=credential("db"))
    assert "2 credentials named db" in ambiguous
    assert "project 101" in ambiguous
    (unknown,) = problems(large, environment_variables=credential("tokn"))
    assert "environment_variables.A: there is no credential 'tokn'" in unknown
    assert "did you mean `token`?" in unknown


def test_a_credential_is_stored_and_read_again(large: World) -> None:
    made = wanted("with-credential", environment_variables=credential("token"))
    live = large.create(made)
    (bound,) = large.environments.resolve([made])
    assert live.spec == bound.spec
