"""Seed files: what they put into a database, planting twice, and errors that say where."""

from __future__ import annotations

import re
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
        ("clusters: [", r"seed.yaml:\d+:\d+: this is not valid YAML"),
        ("[]", "seed.yaml:1:1: `the document` must be a mapping"),
        ("cluster: []", r"seed.yaml:1:1: unknown field `cluster`\n  did you mean `clusters`"),
        ("clusters: [{}]", r"seed.yaml:1:12: `clusters\[0\]\.name` is missing"),
        ("clusters: [{name: ''}]", r"clusters\[0\]\.name` must not be empty"),
        ("clusters: [{name: a, uuid: x}]", r"clusters\[0\]\.uuid`: Input should be a valid UUID"),
        (
            "clusters: [{name: a, departments: [{name: b, projects: [{name: c, id: 0}]}]}]",
            r"clusters\[0\]\.departments\[0\]\.projects\[0\]\.id` must be at least 1",
        ),
        (
            "credentials: [{name: a, type: magic}]",
            r"credentials\[0\]\.type` must be one of generic-secret",
        ),
        (
            "credentials: [{name: a, type: password, scope: project}]",
            r"credentials\[0\]`: needs `project: NAME`",
        ),
        (
            "credentials: [{name: a, type: password, cluster: main}]",
            r"credentials\[0\]`: `cluster` is for scope cluster",
        ),
        (
            "credentials: [{name: a, type: password, scope: project, project: nobody}]",
            r"seed.yaml:1:\d+: credential a: 0 projects are named nobody",
        ),
        (
            TWO + "credentials: [{name: a, type: password, scope: project, project: p}]",
            r"seed.yaml:4:\d+: credential a: 2 projects are named p",
        ),
        (
            "usage: [{kind: image, name: a}]",
            r"usage\[0\]\.kind` must be one of compute, config-map, environment, git, hostPath, ",
        ),
        (
            "clusters: [{name: a, departments: [{name: d, id: x}, {name: e, id: x}]}]",
            r"seed.yaml:1:\d+: department e: another department has the id x",
        ),
        (
            "clusters: [{name: a, departments: []}, {name: b, colour: red}]",
            r"clusters\[1\]\.colour",
        ),
    ],
)
def test_wrong_seeds(start: Start, seed: str, message: str) -> None:
    with pytest.raises(SandboxError) as caught:
        start(seed=seed.lstrip())
    assert re.search(message, str(caught.value))


def test_all_faults_are_told_at_once_each_with_its_line(start: Start) -> None:
    with pytest.raises(SandboxError) as caught:
        start(seed="clusters:\n  - {name: ''}\nusages: []\n")
    told = re.findall(r"seed\.yaml:(\d+):\d+", str(caught.value))
    assert told == ["2", "3"]


def test_a_seed_is_one_document(start: Start) -> None:
    with pytest.raises(SandboxError, match="there are 2 documents"):
        start(seed="clusters: []\n---\nusage: []\n")


def test_a_file_with_an_organisation_may_be_left_alone(tmp_path: Path, start: Start) -> None:
    seed = tmp_path / "first.yaml"
    seed.write_text("clusters: [{name: first}]")
    for text in ("clusters: [{name: first}]", "clusters: [{name: second}]"):
        seed.write_text(text)
        with SandboxServer(tmp_path / "sandbox.db", seed=seed, seed_again=False):
            assert list(units(start())["clusters"]) == ["first"]


def test_a_seed_that_failed_is_planted_by_the_next_start(tmp_path: Path, start: Start) -> None:
    seed = tmp_path / "first.yaml"
    seed.write_text(TWO + "credentials: [{name: a, type: password, scope: project, project: p}]")
    server = SandboxServer(tmp_path / "sandbox.db", seed=seed, seed_again=False)
    with pytest.raises(SandboxError, match="2 projects are named p"):
        server.start()
    seed.write_text(TWO)
    with server:
        assert list(units(start())["clusters"]) == ["a", "b"]


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


ASSETS = """
clusters: [{name: main, departments: [{name: default, projects: [vision]}]}]
assets:
  - {kind: environment, name: train, scope: project, project: vision, spec: {image: busybox}}
  - kind: compute
    name: small
    scope: tenant
    meta: {description: By hand}
    spec: {cpuCoreRequest: 1}
"""


def test_assets_are_created_once(start: Start) -> None:
    for _ in range(2):
        send = start(seed=ASSETS).http.send
        (train,) = send("GET", "/api/v1/asset/environment?scope=project").body["entries"]
        (small,) = send("GET", "/api/v1/asset/compute?scope=tenant").body["entries"]
        assert train["meta"]["projectId"] == 1
        assert train["spec"]["image"] == "busybox"
        assert small["meta"]["description"] == "By hand"


@pytest.mark.parametrize(
    ("asset", "message"),
    [
        ("{kind: compute, name: a, scope: tenant, spec: {cpuCoreRequest: x}}", "a is refused: "),
        ("{kind: compute, name: a, scope: project, project: b}", "0 projects are named b"),
        ("{kind: pod, name: a, scope: tenant}", "must be one of environment, compute"),
    ],
)
def test_an_asset_that_cannot_be_created(tmp_path: Path, asset: str, message: str) -> None:
    (tmp_path / "seed.yaml").write_text(f"assets: [{asset}]\n")
    server = SandboxServer(tmp_path / "a.db", seed=tmp_path / "seed.yaml")
    with pytest.raises(SandboxError, match=r"seed\.yaml:1:") as caught:
        server.start()
    assert message in str(caught.value)
