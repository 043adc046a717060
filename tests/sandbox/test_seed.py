"""Seed files: what they put into a database, planting twice, and errors that say where."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import SandboxError
from reconciler.sandbox import SandboxServer
from tests.sandbox.conftest import Running, Start

UUID = "5f2c2c7e-5d83-4f4e-9b5c-000000000001"


def units(running: Running) -> dict[str, dict[str, str]]:
    """Ids by name, per kind of unit."""
    send = running.http.send
    return {
        "clusters": {each["name"]: each["uuid"] for each in send("GET", "/api/v1/clusters").body},
        **{
            kind: {
                each["name"]: each["id"]
                for each in send("GET", f"/api/v1/org-unit/{kind}").body[kind]
            }
            for kind in ("departments", "projects")
        },
    }


def test_the_default_organisation_is_the_same_everywhere(start: Start, tmp_path: Path) -> None:
    found = units(start())
    assert {kind: list(names) for kind, names in found.items()} == {
        "clusters": ["main"],
        "departments": ["default"],
        "projects": ["team-a", "team-b"],
    }
    assert units(start(tmp_path / "other.db")) == found


def test_given_ids_are_used(start: Start) -> None:
    seed = f"""
    clusters:
      - name: a
        uuid: {UUID}
        departments: [{{name: d, id: "4", projects: [{{name: p, id: 33}}, q]}}]
    """
    assert units(start(seed=seed)) == {
        "clusters": {"a": UUID},
        "departments": {"d": "4"},
        "projects": {"p": "33", "q": "34"},
    }


def test_a_later_seed_adds(start: Start) -> None:
    first = units(start())
    start(seed="clusters: [{name: main, departments: [{name: default, projects: [team-c]}]}]")
    second = units(start())
    assert second["clusters"] == first["clusters"]
    assert second["projects"] == first["projects"] | {"team-c": "3"}


def test_a_seed_takes_the_place_of_the_default(start: Start) -> None:
    assert list(units(start(seed="clusters: [{name: other}]"))["clusters"]) == ["other"]


@pytest.mark.parametrize(
    "seed", ["", "{}", "usage: []", "credentials: [{name: a, type: password}]"]
)
def test_a_seed_without_clusters_keeps_the_default(start: Start, seed: str) -> None:
    assert list(units(start(seed=seed))["clusters"]) == ["main"]


def test_credentials_are_planted_once_and_usage_is_replaced(start: Start) -> None:
    seed = """
    clusters: [{name: main, departments: [{name: default, projects: [team-a]}]}]
    credentials: [{name: a, type: generic-secret, scope: project, project: main/team-a}]
    usage: [{kind: compute, name: one-gpu, trainings: [t]}]
    """
    path = "/api/v1/asset/credentials/generic-secret"
    first = start(seed=seed).http.send("GET", path).body
    assert first["entries"][0]["meta"]["projectId"] == 1
    again = start(seed=seed.replace("[t]", "[u, v]"))
    assert again.http.send("GET", path).body == first
    used = again.http.send("GET", "/api/v1/asset/compute?name=one-gpu&usageInfo=true").body
    assert [each["name"] for each in used["entries"][0]["usedBy"]["trainings"]] == ["u", "v"]


TWO = """
clusters:
  - {name: a, departments: [{name: d, projects: [p]}]}
  - {name: b, departments: [{name: d, projects: [p]}]}
"""


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ("clusters: [", "not valid YAML"),
        ("[]", "the file: Input should be"),
        ("cluster: []", "cluster: Extra inputs are not permitted"),
        ("clusters: [{}]", r"clusters\[0\]\.name: Field required"),
        ("clusters: [{name: ''}]", r"clusters\[0\]\.name: String should have at least 1"),
        ("clusters: [{name: a, uuid: x}]", r"clusters\[0\]\.uuid: Input should be a valid UUID"),
        (
            "clusters: [{name: a, departments: [{name: b, projects: [{name: c, id: 0}]}]}]",
            r"clusters\[0\]\.departments\[0\]\.projects\[0\]\.id: .* greater than or equal to 1",
        ),
        ("credentials: [{name: a, type: magic}]", r"credentials\[0\]\.type: Input should be"),
        (
            "credentials: [{name: a, type: password, scope: project}]",
            r"credentials\[0\]: Value error, needs `project: NAME`",
        ),
        (
            "credentials: [{name: a, type: password, cluster: main}]",
            r"credentials\[0\]: Value error, `cluster` is for scope cluster",
        ),
        (
            "credentials: [{name: a, type: password, scope: project, project: nobody}]",
            "credential a: 0 projects are named nobody",
        ),
        (
            TWO + "credentials: [{name: a, type: password, scope: project, project: p}]",
            "credential a: 2 projects are named p",
        ),
        ("usage: [{kind: image, name: a}]", r"usage\[0\]\.kind: Input should be"),
        (
            "clusters: [{name: a, departments: [{name: d, id: x}, {name: e, id: x}]}]",
            "department e: another department has the id x",
        ),
        (
            "clusters: [{name: a, departments: []}, {name: b, colour: red}]",
            r"clusters\[1\]\.colour",
        ),
    ],
)
def test_wrong_seeds(start: Start, seed: str, message: str) -> None:
    with pytest.raises(SandboxError, match=message) as caught:
        start(seed=seed)
    assert caught.value.fix


def test_a_unit_of_the_same_name_keeps_its_id(start: Start) -> None:
    start(seed="clusters: [{name: a}]")
    with pytest.raises(SandboxError, match=r"cluster a has the uuid .* already"):
        start(seed=f"clusters: [{{name: a, uuid: {UUID}}}]")


def test_a_seed_that_fails_leaves_nothing(start: Start, tmp_path: Path) -> None:
    with pytest.raises(SandboxError):
        start(seed=TWO + "credentials: [{name: a, type: password, scope: project, project: p}]")
    assert list(units(start())["clusters"]) == ["main"]


def test_a_missing_seed_file(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path / "a.db", seed=tmp_path / "nothing.yaml")
    with pytest.raises(SandboxError, match="No such file") as caught:
        server.start()
    assert caught.value.where.endswith("nothing.yaml")
    assert not (tmp_path / "a.db").exists()
