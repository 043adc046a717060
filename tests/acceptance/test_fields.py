"""Change any one field, in the manifest or on the live side: exactly that field is planned.

Each field has an asset of its own, in which nothing else changes: one plan shows them all.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.acceptance.live_side import edit_live
from tests.acceptance.project import Project, environment

# field -> (value in the manifest, another value, path that the plan names)
ENVIRONMENT_FIELDS: dict[str, tuple[Any, Any, str]] = {
    "description": ("One", "Two", "description"),
    "image": ("busybox:1", "busybox:2", "image"),
    "image_pull_policy": ("Always", "Never", "image_pull_policy"),
    "command": ("python", "bash", "command"),
    "args": ("-x a.py", "-x b.py", "args"),
    "working_dir": ("/a", "/b", "working_dir"),
    "uid_gid_source": ("custom", "fromIdpToken", "uid_gid_source"),
    "run_as_uid": (500, 501, "run_as_uid"),
    "run_as_gid": (500, 501, "run_as_gid"),
    "supplemental_groups": ("1,2", "1,3", "supplemental_groups"),
    "override_uid_gid_in_workspace": (True, None, "override_uid_gid_in_workspace"),
    "allow_privilege_escalation": (True, False, "allow_privilege_escalation"),
    "capabilities": (["CHOWN", "KILL"], ["CHOWN", "SETUID"], "capabilities"),
    "create_home_dir": (True, False, "create_home_dir"),
    "host_ipc": (True, None, "host_ipc"),
    "host_network": (True, None, "host_network"),
    "probes": (
        {"readiness": {"handler": {"http_get": {"port": 80}}}},
        {"readiness": {"handler": {"http_get": {"port": 81}}}},
        "probes.readiness",
    ),
    "read_only_root_filesystem": (True, False, "read_only_root_filesystem"),
    "run_as_non_root": (True, False, "run_as_non_root"),
    "seccomp_profile_type": ("RuntimeDefault", "Unconfined", "seccomp_profile_type"),
    "stdin": (True, False, "stdin"),
    "environment_variables": (
        {"A": "1", "B": "2"},
        {"A": "1", "B": "3"},
        "environment_variables.B",
    ),
    "tools": (["jupyter"], ["jupyter", "tensorboard"], "connections"),
}
COMPUTE_FIELDS: dict[str, tuple[Any, Any, str]] = {
    "description": ("One", "Two", "description"),
    "cpu_core_request": (2, 2.5, "cpu_core_request"),
    "cpu_core_limit": (4, 8, "cpu_core_limit"),
    "cpu_memory_request": ("8Gi", "8G", "cpu_memory_request"),
    "cpu_memory_limit": ("16Gi", "32Gi", "cpu_memory_limit"),
    "large_shm_request": (True, None, "large_shm_request"),
    "extended_resources": (
        {"vendor.example/foo": "1"},
        {"vendor.example/foo": "2"},
        "extended_resources",
    ),
}


def compute(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "reconciler/v1",
        "kind": "RunaiCompute",
        "metadata": {"name": name},
        "spec": {"scope": "cluster", "cpu_core_request": 1, **spec},
    }


MAKERS: dict[str, Callable[..., dict[str, Any]]] = {
    "RunaiEnvironment": environment,
    "RunaiCompute": compute,
}
FIELDS = {
    f"{kind}.{field.replace('_', '-')}": (field, *rest)
    for kind, table in (("RunaiEnvironment", ENVIRONMENT_FIELDS), ("RunaiCompute", COMPUTE_FIELDS))
    for field, rest in table.items()
}


def test_one_field_of_each_asset(any_world: Project) -> None:
    _write(any_world, {address: first for address, (_, first, _, _) in FIELDS.items()})
    _apply(any_world)
    assert any_world.plan() == {}

    _write(any_world, {address: second for address, (_, _, second, _) in FIELDS.items()})
    planned = _planned(any_world)
    assert planned.keys() == FIELDS.keys()
    for address, paths in planned.items():
        _require_within(FIELDS[address][-1], paths)
    _apply(any_world)
    assert any_world.plan() == {}

    for address, (field, *_) in FIELDS.items():
        edit_live(any_world, address, partial(_take_away, field))
    planned = _planned(any_world)
    stated = {address for address, (_, _, second, _) in FIELDS.items() if second is not None}
    assert planned.keys() == stated
    for address, paths in planned.items():
        _require_within(_top(address), paths)
    _write(any_world, dict.fromkeys(FIELDS))
    for address, paths in _planned(any_world).items():
        _require_within(_top(address), paths)
    _apply(any_world)
    assert any_world.plan() == {}


def _apply(world: Project) -> None:
    """In one of the worlds a token is good for four requests: few may compete for it."""
    world.apply("--parallelism", "2")


def _write(world: Project, values: dict[str, Any]) -> None:
    """State each asset with the value of its field; None leaves it out."""
    documents = []
    for address, value in values.items():
        kind, name = address.split(".")
        documents.append(
            MAKERS[kind](name, **({FIELDS[address][0]: value} if value is not None else {}))
        )
    world.write(*documents)


def _planned(world: Project) -> dict[str, list[str]]:
    """Address -> the dotted paths that change; every change has to be an update."""
    document = json.loads(world.reconcile("plan", "-o", "json").out)
    changes = [
        item for item in document["resource_changes"] if item["reconciler"]["action"] != "unchanged"
    ]
    assert {item["reconciler"]["action"] for item in changes} <= {"update"}
    return {
        item["address"]: [".".join(field["path"]) for field in item["reconciler"]["fields"]]
        for item in changes
    }


def _top(address: str) -> str:
    """The whole field: taken away on the live side, all of it comes back."""
    return FIELDS[address][-1].partition(".")[0]


def _require_within(path: str, paths: list[str]) -> None:
    assert paths, f"{path} is not planned"
    assert all(each == path or each.startswith(f"{path}.") for each in paths), (path, paths)


def _take_away(field: str, asset: dict[str, Any]) -> None:
    """Take the field away on the live side, as somebody might; what has to be there, change."""
    first, *others = {"tools": "connections"}.get(field, field).split("_")
    camel = first + "".join(part.capitalize() for part in others)
    if field == "image":
        asset["spec"]["image"] = "busybox:9"
    elif field == "description":
        asset["meta"]["description"] = "Edited. " + asset["meta"]["description"]
    else:
        asset["spec"].pop(camel, None)
