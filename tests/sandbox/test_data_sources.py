"""Data sources: kinds that one list shows together, and that may refuse to go while in use."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.sandbox.api_schema import VERSIONS, load_contract
from tests.sandbox.conftest import Running, Start

COMBINED = "/api/v1/asset/datasource"
NFS = {"server": "nfs.example.com", "path": "/exports", "mountPath": "/data"}
SEED = """
usage:
  - {kind: hostPath, name: used, workspaces: [notebook]}
  - {kind: nfs, name: used, workspaces: [notebook]}
"""


def combined(running: Running, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = running.http.send("GET", COMBINED + query).body["entries"]
    return found


def test_each_has_its_spec_under_its_kind(sandbox: Running) -> None:
    sandbox.http.create("datasource/nfs", "a", spec=NFS)
    sandbox.http.create(
        "datasource/git", "b", spec={"repository": "r"}, scope="project", projectId=1
    )
    found = {
        item["meta"]["name"]: (item["meta"]["kind"], item["spec"]) for item in combined(sandbox)
    }
    assert found == {"a": ("nfs", {"nfs": NFS}), "b": ("git", {"git": {"repository": "r"}})}
    assert [item["meta"]["name"] for item in combined(sandbox, "?scope=tenant")] == ["a"]


@pytest.mark.parametrize(("absent", "nothing"), [("null", None), ("empty", {})])
def test_what_is_under_the_other_kinds(start: Start, absent: str, nothing: Any) -> None:
    running = start(absent=absent)
    running.http.create("datasource/nfs", "a", spec=NFS)
    (found,) = combined(running)
    assert found["spec"].pop("nfs").items() >= NFS.items()
    assert found["spec"].keys() >= {"git", "hostPath", "s3", "pvc"}
    assert all(value == nothing for value in found["spec"].values())


def test_a_host_path_in_use_is_not_deleted(start: Start) -> None:
    http = start(seed=SEED).http
    for kind, name, status in [
        ("host-path", "used", 412),
        ("host-path", "free", 202),
        ("nfs", "used", 202),
    ]:
        uid = http.create(f"datasource/{kind}", name).body["meta"]["id"]
        assert http.send("DELETE", f"{COMBINED}/{kind}/{uid}").status == status


def test_one_right_for_all(start: Start) -> None:
    http = start(denied=("datasource",)).http
    assert http.send("GET", COMBINED).status == 403
    assert http.create("datasource/s3", "a").status == 403
    assert http.create("environment", "a").status == 202


@pytest.mark.parametrize("version", VERSIONS)
def test_a_field_that_came_later(version: Any) -> None:
    known = load_contract(version).specs["git"]["properties"]
    assert ("credentialId" in known) == (VERSIONS.index(version) >= VERSIONS.index("2.23"))
