"""Compute assets: from what a person writes to the canonical spec."""

from typing import Any

import pytest

from reconciler.kinds.compute import RunaiComputeSpec
from reconciler.strict_yaml import WrittenFloat
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
        ({"cpu_core_limit": "2 cores"}, "cpu_core_limit", "or thousandths, such as 500m"),
        ({"cpu_core_limit": "0.5m"}, "cpu_core_limit", "'0.5m' is no number of cores"),
        ({"gpu_devices_request": 0.5}, "gpu_devices_request", "gpu_portion_request: 0.5"),
        ({"gpu_devices_request": 1.5}, "gpu_devices_request", "write a whole number"),
        ({"cpu_core_limit": 64}, "cpu_core_limit", "exceeds maximum allowed (32)"),
        ({"cpu_memory_limit": "300G"}, "cpu_memory_limit", "exceeds maximum allowed (256Gi)"),
        ({"gpu_devices_request": 9}, "gpu_devices_request", "exceeds maximum allowed (8)"),
        ({"cpu_memory_request": 64}, "cpu_memory_request", "64 without a unit means 64 bytes"),
        ({"cpu_memory_request": "512m"}, "cpu_memory_request", "512M (10^6 bytes each) or 512Mi"),
        ({"cpu_memory_request": "1e-3"}, "cpu_memory_request", "without a unit means 1e-3 bytes"),
        ({"cpu_memory_limit": "1n"}, "cpu_memory_limit", "1 billionths of a byte"),
        ({"cpu_memory_limit": "64k"}, "cpu_memory_limit", "64k is less than 1Mi of memory"),
        ({"cpu_memory_limit": "64Ki"}, "cpu_memory_limit", "64M or 64Mi"),
        ({"cpu_memory_limit": "64K"}, "cpu_memory_limit", "write it like 64Gi"),
        ({"cpu_memory_limit": WrittenFloat("0.5")}, "cpu_memory_limit", "0.5 without a unit"),
        ({"cpu_memory_limit": "64 GB"}, "cpu_memory_limit", "write 64G (powers of 1000) or 64Gi"),
        ({"cpu_memory_limit": "64gib"}, "cpu_memory_limit", "write 64Gi"),
        ({"cpu_memory_limit": "-1Gi"}, "cpu_memory_limit", "no amount of memory"),
        ({"gpu_memory_limit": "20m"}, "gpu_memory_limit", "20M (10^6 bytes each) or 20Mi"),
        ({"cpu_core_request": "2Gi"}, "cpu_core_request", "is no number of cores"),
        ({"cpu_core_request": "64000m"}, "cpu_core_request", "exceeds maximum allowed (32)"),
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


@pytest.mark.parametrize("text", ["0", "0Gi", " 64Gi ", "1Mi", "1048576", "2e9", "1288490188800m"])
def test_amounts_that_something_runs_in(text: str) -> None:
    assert "cpu_memory_request" in compute(cpu_memory_request=text)


@pytest.mark.parametrize(("text", "cores"), [("500m", 0.5), (" 2000m ", 2), ("0m", 0)])
def test_cores_in_thousandths(text: str, cores: float) -> None:
    assert compute(cpu_core_request=text)["cpu_core_request"] == cores


def test_gpu_memory_has_no_limit() -> None:
    spec = {"gpu_request_type": "memory", "gpu_memory_request": "900Gi", "gpu_devices_request": 1}
    assert compute_faults(**spec) == {}


def test_limits_are_configurable() -> None:
    assert compute_faults(limited(max_memory_gb=1), cpu_memory_request="1Gi") == {}
    assert compute_faults(limited(max_memory_gb=1), cpu_memory_request="1025Mi") != {}


def test_the_json_schema_describes_every_field() -> None:
    schema = RunaiComputeSpec.model_json_schema()
    assert all(field.get("description") for field in schema["properties"].values())
