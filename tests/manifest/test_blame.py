"""Manifest and overlay, each sound by itself, that do not go together: said of the overlay."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import ManifestError, Problem
from reconciler.kinds.base import LoadContext
from reconciler.manifest import ManifestFile, load_files

CONTEXT = LoadContext(Path("/nowhere"), "s", env_allow=("V_*",), variables={"V_A": "x"})
ENVIRONMENT = {"scope": "tenant", "image": "x:1"}
COMPUTE = {"scope": "tenant"}
SOURCES: dict[str, Any] = {
    "value": "x",
    "credential": {"name": "c", "key": "k"},
    "config_map": {"name": "m", "key": "k"},
    "pod_field": "status.hostIP",
    "env": "V_A",
}


def document(kind: str, spec: Any) -> str:
    head = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": "a"}}
    return yaml.safe_dump({**head, "spec": spec}, sort_keys=False)


def problems(kind: str, base: Any, patch: Any) -> list[Problem]:
    try:
        load_files(
            [ManifestFile("m.yaml", document(kind, base).encode())],
            CONTEXT,
            overlays=[ManifestFile("o.yaml", document(kind, patch).encode())] if patch else [],
        )
    except ManifestError as error:
        return list(error.problems)
    return []


def line_of(name: str, kind: str, patch: Any) -> int:
    lines = document(kind, patch).splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.strip(" -").startswith(f"{name}:"))


def variables(item: Any, *, as_list: bool) -> dict[str, Any]:
    return {"environment_variables": [{"name": "A", **item}] if as_list else {"A": item}}


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(("mine", "yours"), list(permutations(SOURCES, 2)))
def test_two_sources_of_a_variable(mine: str, yours: str, as_list: bool) -> None:
    base = {**ENVIRONMENT, **variables({mine: SOURCES[mine]}, as_list=as_list)}
    patch = variables({yours: SOURCES[yours]}, as_list=as_list)
    assert not problems("RunaiEnvironment", base, None)
    (problem,) = problems("RunaiEnvironment", base, patch)
    assert (problem.file, problem.line) == ("o.yaml", line_of(yours, "RunaiEnvironment", patch))
    assert f"`{mine}: null` here" in problem.fix
    patch = variables({yours: SOURCES[yours], mine: None}, as_list=as_list)
    assert not problems("RunaiEnvironment", base, patch)


WANDB = {"tool_type": "wandb", "external_url": "https://x"}
PORT = {"tool_type": "custom", "container_port": 1}
PAIRS: list[tuple[str, dict[str, Any], dict[str, Any], str, list[str]]] = [
    # kind, manifest, overlay, the field that is to blame, what it has to remove
    (
        "RunaiEnvironment",
        {"connections": {"c": PORT}},
        {"connections": {"c": {"external_url": "https://x", "tool_type": "wandb"}}},
        "tool_type",
        ["container_port"],
    ),
    (
        "RunaiEnvironment",
        {"connections": {"c": {**PORT, "is_custom_url": True}}},
        {"connections": {"c": {"connection_type": "NodePort"}}},
        "connection_type",
        ["is_custom_url"],
    ),
    (
        "RunaiEnvironment",
        {"connections": {"c": {**PORT, "connection_type": "ServingPort", "protocol": "grpc"}}},
        {"connections": {"c": {"connection_type": "NodePort"}}},
        "connection_type",
        ["protocol"],
    ),
    (
        "RunaiEnvironment",
        {"workload_types": {"distributed": True, "distFramework": "MPI"}},
        {"workload_types": {"distributed": False}},
        "distributed",
        ["distFramework"],
    ),
    (
        "RunaiEnvironment",
        {"workload_types": {"distributed": True, "distFramework": "MPI"}},
        {"workload_types": {"distFramework": None}},
        "distFramework",
        ["distributed"],
    ),
    (
        "RunaiCompute",
        {"gpu_request_type": "portion", "gpu_portion_request": 0.5},
        {"gpu_request_type": "memory", "gpu_memory_request": "2Gi"},
        "gpu_request_type",
        ["gpu_portion_request"],
    ),
    (
        "RunaiCompute",
        {"gpu_request_type": "portion", "gpu_portion_request": 0.5},
        {"gpu_portion_request": None},
        "gpu_portion_request",
        ["gpu_request_type"],
    ),
    (
        "RunaiCompute",
        {"gpu_request_type": "memory", "gpu_memory_request": "2Gi", "gpu_devices_request": 1},
        {"gpu_devices_request": 2},
        "gpu_devices_request",
        [],
    ),
    (
        "RunaiCompute",
        {"cpu_core_limit": 2},
        {"cpu_core_request": 3},
        "cpu_core_request",
        ["cpu_core_limit"],
    ),
    (
        "RunaiCompute",
        {"cpu_memory_request": "8Gi"},
        {"cpu_memory_limit": "4Gi"},
        "cpu_memory_limit",
        [],
    ),
    (
        "RunaiEnvironment",
        {"scope": "project", "scope_id": "p"},
        {"scope": "tenant"},
        "scope",
        ["scope_id"],
    ),
    ("RunaiEnvironment", {"scope": "tenant"}, {"scope": "project"}, "scope", []),
    ("RunaiEnvironment", {"compute": {"gpu": 1}}, {"image": None}, "image", []),
]


@pytest.mark.parametrize(
    ("kind", "base", "patch", "field", "removed"),
    PAIRS,
    ids=[f"{number}-{pair[3]}" for number, pair in enumerate(PAIRS)],
)
def test_fields_that_do_not_go_together(
    kind: str, base: dict[str, Any], patch: dict[str, Any], field: str, removed: list[str]
) -> None:
    base = {**(ENVIRONMENT if kind == "RunaiEnvironment" else COMPUTE), **base}
    assert not problems(kind, base, None)
    found = problems(kind, base, patch)
    assert [(one.file, one.line) for one in found] == [("o.yaml", line_of(field, kind, patch))]
    for name in removed:
        assert f"`{name}: null` here" in found[0].fix


def test_a_fault_of_the_manifest_itself_stays_there() -> None:
    base = {**ENVIRONMENT, **variables({"value": "x", "pod_field": "y"}, as_list=False)}
    patch = {"image": "x:2", **variables({"description": "z"}, as_list=False)}
    (problem,) = problems("RunaiEnvironment", base, patch)
    assert problem.file == "m.yaml"


@pytest.mark.parametrize("count", [20, 2000])
def test_many_faults_are_said_of_the_overlay_as_far_as_trials_go(count: int) -> None:
    names = [f"N{number}" for number in range(count)]
    base = {**ENVIRONMENT, "environment_variables": {name: {"pod_field": "x"} for name in names}}
    patch = {"environment_variables": {name: {"value": "x"} for name in names}}
    found = problems("RunaiEnvironment", base, patch)
    assert len(found) == min(count, 51)
    assert count > 50 or all("`pod_field: null` here" in problem.fix for problem in found)
