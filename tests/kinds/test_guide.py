"""Every specification of the Run:ai environment guide loads unchanged; its mistakes say the fix."""

from typing import Any

import pytest

from reconciler.kinds.environment import RunaiEnvironment
from tests.kinds.expanding import environment_faults, expand, faults

PYTORCH = "nvcr.io/nvidia/pytorch:24.01-py3"
TRITON = "nvcr.io/nvidia/tritonserver:24.01-py3"
EXAMPLES: list[dict[str, Any]] = [
    {
        "name": "ml-training-env",
        "scope": "cluster",
        "description": "Training with GPUs",
        "image": PYTORCH,
        "workload_types": ["workspace", "training"],
    },
    {
        "name": "team-ml-env",
        "scope": "project",
        "scope_id": "project-01-id",
        "description": "For one team",
        "image": PYTORCH,
        "workload_types": ["workspace", "training"],
    },
    {
        "name": "distributed-pytorch-env",
        "scope": "cluster",
        "description": "Several nodes",
        "image": PYTORCH,
        "image_pull_policy": "IfNotPresent",
        "workload_types": {
            "workspace": True,
            "training": True,
            "inference": False,
            "distributed": True,
            "distFramework": "PyTorch",
        },
        "environment_variables": {
            "NCCL_DEBUG": "INFO",
            "NCCL_IB_DISABLE": "0",
            "NCCL_NET_GDR_LEVEL": "5",
            "OMP_NUM_THREADS": "8",
        },
    },
    {
        "name": "jupyter-workspace",
        "scope": "cluster",
        "image": "jupyter/scipy-notebook",
        "workload_types": ["workspace"],
    },
    {
        "name": "standard-inference-env",
        "scope": "tenant",
        "description": "Inference",
        "image": TRITON,
        "compute": {"gpu": 1, "cpu_cores": 4, "memory": "32Gi"},
        "environment_variables": {
            "TRITON_SERVER_HTTP_PORT": "8000",
            "TRITON_SERVER_GRPC_PORT": "8001",
            "TRITON_SERVER_METRICS_PORT": "8002",
        },
    },
    {
        "name": "basic-cpu-env",
        "scope": "project",
        "scope_id": "project-01-id",
        "image": "python:3.11-slim",
    },
    {
        "name": "prod-ml-training",
        "scope": "cluster",
        "description": "Production",
        "image": PYTORCH,
        "image_pull_policy": "Always",
        "workload_types": ["training"],
        "environment_variables": {"CUDA_VISIBLE_DEVICES": "0,1,2,3", "NCCL_DEBUG": "WARN"},
    },
    {
        "name": "distributed-pytorch",
        "scope": "cluster",
        "image": PYTORCH,
        "workload_types": {
            "workspace": False,
            "training": True,
            "inference": False,
            "distributed": True,
            "distFramework": "PyTorch",
        },
        "environment_variables": {"NCCL_DEBUG": "INFO", "NCCL_SOCKET_IFNAME": "eth0"},
    },
    {
        "name": "data-science-standard",
        "scope": "project",
        "scope_id": "ds-team-project",
        "description": "Notebooks",
        "image": "jupyter/datascience-notebook:latest",
        "compute": {"gpu": 1, "cpu_cores": 4, "memory": "32Gi"},
        "tools": ["jupyter", "tensorboard"],
    },
    {
        "name": "prod-inference",
        "scope": "cluster",
        "scope_id": "prod-cluster",
        "description": "Inference in production",
        "image": TRITON,
        "compute": {"gpu": 2, "cpu_cores": 8, "memory": "64Gi"},
        "environment_variables": {"TRITON_SERVER_HTTP_PORT": "8000", "LOG_LEVEL": "INFO"},
    },
    {
        "name": "dev-lightweight",
        "scope": "project",
        "scope_id": "dev-project",
        "description": "Tests",
        "image": "python:3.11-slim",
        "compute": {"cpu_cores": 2, "memory": "8Gi"},
    },
    {
        "name": "my-env",
        "scope": "cluster",
        "image": "your-image:tag",
        "workload_types": ["workspace", "training"],
    },
]


@pytest.mark.parametrize("spec", EXAMPLES, ids=[item["name"] for item in EXAMPLES])
def test_an_example_loads_unchanged(spec: dict[str, Any]) -> None:
    *computes, environment = expand(RunaiEnvironment(), spec, name=spec["name"])
    assert environment.key.address == f"RunaiEnvironment.{spec['name']}"
    assert environment.spec["name"] == spec["name"]
    assert environment.spec["image"] == spec["image"]
    assert environment.warnings == ()
    assert len(computes) == ("compute" in spec)
    for compute in computes:
        assert compute.key.address == f"RunaiCompute.{spec['name']}"
        assert compute.spec["scope"] == spec["scope"]
        assert compute.spec.get("scope_id") == spec.get("scope_id")


@pytest.mark.parametrize("memory", ["64Gi", "64G", "32Mi", "32M", "0.2Ti"])
def test_units_of_memory(memory: str) -> None:
    assert environment_faults(compute={"memory": memory}) == {}


def test_tensorflow_is_tf() -> None:
    types = {"distributed": True, "distFramework": "TensorFlow"}
    spec = expand(RunaiEnvironment(), {"scope": "tenant", "image": "a:1", "workload_types": types})[
        0
    ].spec
    assert spec["workload_types"] == {"distributed": True, "dist_framework": "TF"}


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        ({"compute": {"memory": "64GB"}}, "spec.compute.memory", "64G "),
        ({"compute": {"memory": "64GiB"}}, "spec.compute.memory", "write 64Gi"),
        (
            {"compute": {"gpu": 16}},
            "spec.compute.gpu",
            "(16) exceeds maximum allowed (8)",
        ),
        ({"compute": {"cpu_cores": 33}}, "spec.compute.cpu_cores", "exceeds maximum allowed (32)"),
        ({"compute": {"memory": "257Gi"}}, "spec.compute.memory", "maximum allowed (256Gi)"),
        ({"scope": "invalid"}, "spec.scope", "tenant, cluster, department, project"),
        ({"scope": "project"}, "spec.scope", "needs a scope_id"),
        ({"workload_types": ["distributed"]}, "spec.workload_types.distributed", "distFramework"),
        ({"tools": ["jupiter"]}, "spec.tools[0]", "did you mean `jupyter`?"),
        ({"image": ""}, "spec.image", "the image is empty"),
        ({"image": "Busybox"}, "spec.image", "'Busybox' is no image reference"),
        ({"image": "docker://busybox"}, "spec.image", "is no image reference"),
        ({"image": "busybox:"}, "spec.image", "is no image reference"),
        ({"image": "busybox@sha256:12"}, "spec.image", "is no image reference"),
    ],
)
def test_mistakes_say_the_fix(spec: dict[str, Any], path: str, words: str) -> None:
    found = environment_faults(**spec)
    assert list(found) == [path]
    assert words in found[path]


def test_the_guide_s_own_list_of_errors_comes_in_one_report() -> None:
    found = faults(RunaiEnvironment(), {"scope": "invalid", "compute": {"gpu": 16}})
    assert set(found) == {"spec.scope", "spec", "spec.compute.gpu"}
    assert "`spec.image` is missing" in found["spec"]


def test_256_gi_is_within_the_limit() -> None:
    assert environment_faults(compute={"memory": "256Gi"}) == {}
