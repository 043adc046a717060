"""Compute assets: from what a person writes to the canonical spec."""

from typing import Any

import pytest

from reconciler.kinds.compute import RunaiComputeSpec
from tests.kinds.expanding import compute, compute_faults, limited

BASE = {"name": "train", "scope": "tenant"}


def test_canonical_numbers_and_amounts() -> None:
    assert compute(
        cpu_core_request=2.0,
        cpu_core_limit=2.5,
        cpu_memory_request="65536Mi",
        cpu_memory_limit="128G",
        gpu_devices_request=1,
        gpu_request_type="portion",
        gpu_portion_request=1.0,
        gpu_portion_limit=1,
        large_shm_request=False,
        extended_resources={"a/b": 2, "c/d": {"quantity": "1000", "exclude": True}, "e": "500m"},
    ) == {
        **BASE,
        "cpu_core_request": 2,
        "cpu_core_limit": 2.5,
        "cpu_memory_request": "64Gi",
        "cpu_memory_limit": "128G",
        "gpu_devices_request": 1,
        "gpu_request_type": "portion",
        "gpu_portion_request": 1,
        "gpu_portion_limit": 1,
        "extended_resources": {"a/b": "2", "c/d": {"quantity": "1k", "exclude": True}, "e": "500m"},
    }


def test_the_api_s_list_of_extended_resources() -> None:
    as_list = [{"resource": "a/b", "quantity": "2"}]
    assert compute(extended_resources=as_list) == compute(extended_resources={"a/b": "2"})


@pytest.mark.parametrize("name", ["gpu_devices_request", "large_shm_request"])
def test_zero_and_false_are_absent(name: str) -> None:
    assert compute(**{name: 0 if "gpu" in name else False}) == BASE


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"cpu_core_limit": 64}, "cpu_core_limit", "exceeds maximum allowed (32)"),
        ({"cpu_memory_limit": "300G"}, "cpu_memory_limit", "exceeds maximum allowed (256Gi)"),
        ({"gpu_devices_request": 9}, "gpu_devices_request", "exceeds maximum allowed (8)"),
        ({"cpu_memory_request": 64}, "cpu_memory_request", "64 without a unit means 64 bytes"),
        ({"cpu_core_request": "4"}, "cpu_core_request", "must be a number"),
        ({"cpu_core_request": -1}, "cpu_core_request", "must be at least 0"),
        ({"cpu_core_request": True}, "cpu_core_request", "must be a number"),
        ({"gpu_portion_request": 2}, "gpu_portion_request", "must be at most 1"),
        ({"gpu_request_type": "portions"}, "gpu_request_type", "did you mean `portion`?"),
        ({"extended_resources": {"a": "lots"}}, "extended_resources.a.quantity", "no quantity"),
        ({"gpu_memory_request": "20Gi"}, "gpu_memory_request", "needs gpu_request_type memory"),
        ({"gpu_request_type": "portion"}, "gpu_request_type", "needs gpu_portion_request"),
        (
            {"gpu_request_type": "memory", "gpu_memory_request": "2Gi", "gpu_devices_request": 2},
            "gpu_request_type",
            "several GPU devices",
        ),
        ({"cpu_core_request": 4, "cpu_core_limit": 2}, "cpu_core_limit", "below cpu_core_request"),
        (
            {"cpu_memory_request": "64Gi", "cpu_memory_limit": "64G"},
            "cpu_memory_limit",
            "below cpu_memory_request",
        ),
    ],
)
def test_faults(spec: dict[str, Any], path: str, words: str) -> None:
    found = compute_faults(**spec)
    assert len(found) == 1
    assert words in found.get(f"spec.{path}", found.get("spec.extended_resources.a", ""))


def test_gpu_memory_has_no_limit() -> None:
    spec = {"gpu_request_type": "memory", "gpu_memory_request": "900Gi", "gpu_devices_request": 1}
    assert compute_faults(**spec) == {}


def test_limits_are_configurable() -> None:
    assert compute_faults(limited(max_memory_gb=1), cpu_memory_request="1Gi") == {}
    assert compute_faults(limited(max_memory_gb=1), cpu_memory_request="1025Mi") != {}


def test_the_json_schema_describes_every_field() -> None:
    schema = RunaiComputeSpec.model_json_schema()
    assert all(field.get("description") for field in schema["properties"].values())
