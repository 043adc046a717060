"""Faults deep inside lists, mappings and unions: each names its entry, its field, its own line."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ManifestError, Problem
from reconciler.kinds.base import LoadContext
from reconciler.manifest import ManifestFile, load_files
from reconciler.support.suggest import ENTRY_NAMES

CONTEXT = LoadContext(Path("/nowhere"), "s", env_allow=("V_*",), variables={"V_A": "x"})
VARIABLES = {
    "PLAIN": {"value": "x", "description": "d"},
    "SECRET": {"credential": {"name": "c", "key": "k"}},
    "MAP": {"config_map": {"name": "m", "key": "k"}},
    "FIELD": {"pod_field": "status.hostIP"},
    "OWN": {"env": "V_A", "exclude": False},
}
CONNECTIONS = {
    "Web": {"tool_type": "custom", "container_port": 80, "connection_type": "NodePort"},
    "Runs": {"tool_type": "wandb", "external_url": "https://x"},
}
RESOURCES = {"a/b": {"quantity": "1"}, "c/d": {"quantity": "500m", "exclude": True}}
PROBE = {"handler": {"http_get": {"path": "/", "port": 1, "scheme": "HTTP"}}, "period_seconds": 1}


def listed(entries: dict[str, Any], name: str) -> list[Any]:
    return [{name: key, **item} for key, item in entries.items()]


SPECS: dict[str, tuple[str, dict[str, Any]]] = {
    "environment": (
        "RunaiEnvironment",
        {
            "scope": "tenant",
            "image": {"from": "RayfineImage.a"},
            "workload_types": {"distributed": True, "distFramework": "MPI"},
            "environment_variables": VARIABLES,
            "connections": CONNECTIONS,
            "compute": {"gpu": 1, "cpu_cores": 0.5, "memory": "1Gi"},
            "capabilities": ["KILL", "CHOWN"],
            "tools": ["jupyter", "tensorboard"],
            "probes": {"readiness": PROBE},
        },
    ),
    "environment with lists": (
        "RunaiEnvironment",
        {
            "scope": "tenant",
            "image": "x:1",
            "workload_types": ["workspace", "training"],
            "environment_variables": listed(VARIABLES, "name"),
            "connections": listed(CONNECTIONS, "name"),
        },
    ),
    "compute": ("RunaiCompute", {"scope": "tenant", "extended_resources": RESOURCES}),
    "compute with lists": (
        "RunaiCompute",
        {"scope": "tenant", "extended_resources": listed(RESOURCES, "resource")},
    ),
}
Path_ = tuple[str | int, ...]


def walk(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    yield path, value
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from walk(item, (*path, key))


def at(value: Any, path: Path_) -> Any:
    for part in path:
        value = value[part]
    return value


def entries(spec: Any, path: Path_) -> list[str]:
    """What a person calls the parts of a path: keys, and the names of entries."""
    names = []
    for depth, part in enumerate(path):
        if isinstance(part, str):
            names.append(part)
        elif isinstance(item := at(spec, path[: depth + 1]), dict):
            names += [item[name] for name in ENTRY_NAMES if isinstance(item.get(name), str)]
    return names


def problems(kind: str, spec: Any) -> tuple[list[Problem], list[str]]:
    head = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": "a"}}
    text = yaml.safe_dump({**head, "spec": spec}, sort_keys=False)
    try:
        load_files([ManifestFile("m.yaml", text.encode())], CONTEXT)
    except ManifestError as error:
        found = [problem for problem in error.problems if problem.rule != "unknown-reference"]
        return found, text.splitlines()
    return [], text.splitlines()


MAPPINGS = [
    pytest.param(name, path, id=f"{name}: {'.'.join(map(str, path))}")
    for name, (_, spec) in SPECS.items()
    for path, value in walk(spec)
    if isinstance(value, dict)
    and path[-1:] not in (("image",), *((n,) for n in SPECS))
    and path not in (("environment_variables",), ("connections",), ("extended_resources",))
]


@pytest.mark.parametrize("name", SPECS)
def test_the_specs_are_sound(name: str) -> None:
    assert problems(*SPECS[name])[0] == []


@pytest.mark.parametrize(("name", "path"), MAPPINGS)
def test_an_unknown_field_anywhere(name: str, path: Path_) -> None:
    kind, spec = SPECS[name]
    spec = copy.deepcopy(spec)
    at(spec, path)["zzz"] = 1
    (problem,), lines = problems(kind, spec)
    assert lines[problem.line - 1].strip(" -") == "zzz: 1"
    assert "unknown field" in problem.message
    assert all(part in problem.message for part in (*entries(spec, path), "zzz"))


LEAVES = [
    (name, path)
    for name, (_, spec) in SPECS.items()
    for path, value in walk(spec)
    if not isinstance(value, dict | list) and path[-1] not in ENTRY_NAMES
]
WRONG = st.sampled_from([{"zzz": 1}, ["zzz"], [["zzz"]], [{"zzz": 1}], True, 1.5, -7, "", "zzz"])


@given(st.sampled_from(LEAVES), WRONG)
def test_a_wrong_value_anywhere(leaf: tuple[str, Path_], wrong: Any) -> None:
    name, path = leaf
    kind, spec = SPECS[name]
    spec = copy.deepcopy(spec)
    at(spec, path[:-1])[path[-1]] = "zzz-marker"
    _, lines = problems(kind, spec)
    line = next(number for number, text in enumerate(lines, 1) if "zzz-marker" in text)
    at(spec, path[:-1])[path[-1]] = wrong
    found, _ = problems(kind, spec)
    if not found:
        return  # it fits
    here = [problem for problem in found if problem.line == line]
    assert here, found
    field = str(path[-1]) if isinstance(path[-1], str) else str(path[0])
    assert any(field in problem.message + problem.fix for problem in here)
    for part in entries(spec, path[:-1])[1:2]:
        assert any(part in problem.message for problem in here), (part, here)
