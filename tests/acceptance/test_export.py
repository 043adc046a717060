"""Export what people have made: the next plan imports it, and changes nothing."""

import json
import os
import re
import time
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.live_side import assets, call
from tests.acceptance.project import Project
from tests.acceptance.random_assets import random_assets

MARK = re.compile(r" ?\[reconcile:[^]]*\]$")
SECRETS = {"env_allow": ["RECONCILE_VAR_*"]}


def places(world: Project) -> list[dict[str, Any]]:
    projects = call(world, "GET", "/api/v1/org-unit/projects")["projects"]
    (department, *_) = call(world, "GET", "/api/v1/org-unit/departments")["departments"]
    return [
        {"scope": "tenant"},
        {"scope": "cluster", "clusterId": projects[0]["clusterId"]},
        {"scope": "department", "departmentId": department["id"]},
        *({"scope": "project", "projectId": int(item["id"])} for item in projects[:2]),
    ]


def make(world: Project, word: str, name: str, spec: dict[str, Any], **meta: Any) -> str:
    body = {"meta": {"name": name, "scope": "tenant", **meta}, "spec": spec}
    uid: str = call(world, "POST", f"/api/v1/asset/{word}", body)["meta"]["id"]
    return uid


def make_any(world: Project, seed: int, count: int) -> int:
    """Random assets, as many as the server takes of `count`."""
    made = 0
    version = world.server._setup.behaviour.version
    for word, body in random_assets(version, seed, count, places(world)):
        try:
            call(world, "POST", f"/api/v1/asset/{word}", body)
            made += 1
        except urllib.error.HTTPError as error:
            assert error.code in (400, 409)  # noqa: PT017
    return made


_ABSENT: tuple[Any, ...] = (None, "", [], {}, False)


def live(world: Project) -> dict[str, Any]:
    """Every asset by id, without marks and times."""
    found = {}
    for kind in ("RunaiEnvironment", "RunaiCompute"):
        for entry in assets(world, kind):
            meta = {
                name: value
                for name, value in entry["meta"].items()
                if value and name in ("name", "scope", "description", "workloadSupportedTypes")
            }
            text = MARK.sub("", meta.pop("description", "") or "")
            found[entry["meta"]["id"]] = (meta, text.strip(), _present(entry["spec"]))
    return found


def _present(value: Any) -> Any:
    """The value without what equals its absence: an update may leave that out, or fill it in."""
    if isinstance(value, dict):
        return {k: v for k, item in value.items() if (v := _present(item)) not in _ABSENT}
    if isinstance(value, list):
        return [_present(item) for item in value]
    return value


@pytest.fixture
def set_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Values of exported variables, as a person would set them."""
    yield
    for name in [name for name in os.environ if name.startswith("RECONCILE_VAR_")]:
        monkeypatch.delenv(name)


def exported(world: Project, *options: str) -> Any:
    ran = world.reconcile("export", "-o", "json", *options)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def files(world: Project) -> dict[str, str]:
    root = world.directory / "manifests"
    return {str(p.relative_to(root)): p.read_text() for p in sorted(root.rglob("*.yaml"))}


def test_whatever_is_exported_is_imported_without_a_change(any_world: Project) -> None:
    world = any_world
    made = make_any(world, seed=7, count=120)
    assert made > 40
    time.sleep(2 * world.lag)
    before = live(world)
    found = exported(world, "--secrets", "keep")
    fates = [item["fate"] for item in found["exported"]]
    ready = [uid for item in found["exported"] if item["fate"] == "ready" for uid in item["ids"]]
    assert len(ready) > 15, found
    assert all(item["reasons"] for item in found["exported"] if item["fate"] != "ready")
    assert sum(len(item["ids"]) for item in found["exported"]) == made, fates
    assert world.reconcile("validate").code == 0
    assert set(world.plan().values()) == {"adopt"}
    assert len(world.plan()) == len(ready)
    world.apply("--parallelism", "1")
    time.sleep(2 * world.lag)
    assert world.plan() == {}
    after = live(world)
    changed = {uid: (before[uid], after[uid]) for uid in before if before[uid] != after[uid]}
    assert changed == {}
    again = exported(world, "--secrets", "keep")
    assert not [item for item in again["exported"] if item["fate"] == "ready"]
