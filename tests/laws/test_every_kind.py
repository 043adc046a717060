"""The suite for kinds of other packages holds of ours; its table has to name them all."""

from typing import Any

import pytest

from reconciler.kinds.registry import ASSET_KINDS, KIND_NAMED
from reconciler.testing import AssetKindSuite

pytestmark = pytest.mark.slow

SEED = """
clusters: [{name: main, departments: [{name: default, projects: [team-a]}]}]
credentials:
  - {name: hub, type: password}
  - {name: key, type: access-key}
"""
SPECS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "RunaiNfsDataSource": (
        {"server": "nfs", "path": "/e", "mount_path": "/m", "read_only": True},
        {"server": "nfs2", "path": "/f", "mount_path": "/n", "read_only": False},
    ),
    "RunaiHostPathDataSource": (
        {"path": "/e", "mount_path": "/m", "mount_propagation": "None"},
        {"path": "/f", "mount_path": "/n", "read_only": False},
    ),
    "RunaiGitDataSource": (
        {"repository": "r", "path": "/m", "branch": "b", "password_asset_id": "hub"},
        {"repository": "s", "path": "/n", "revision": "v1", "credential_id": "hub"},
    ),
    "RunaiS3DataSource": (
        {"bucket": "a", "path": "/m", "access_key_asset_id": "key"},
        {"bucket": "b", "path": "/n", "url": "https://s3"},
    ),
    "RunaiCompute": (
        {
            "cpu_core_request": 1,
            "cpu_core_limit": 2,
            "large_shm_request": True,
            "cpu_memory_request": "1Gi",
            "cpu_memory_limit": "2Gi",
            "gpu_devices_request": 1,
            "gpu_request_type": "portion",
            "gpu_portion_request": 0.5,
            "gpu_portion_limit": 1,
            "extended_resources": {"vendor.example/x": "2"},
        },
        {
            "gpu_devices_request": 1,
            "gpu_request_type": "memory",
            "gpu_memory_request": "1Gi",
            "gpu_memory_limit": "2Gi",
        },
    ),
    "RunaiEnvironment": (
        {
            "image": "busybox:1",
            "image_pull_policy": "Always",
            "command": "a",
            "args": "b",
            "environment_variables": {
                "TEXT": {"value": "1", "description": "why"},
                "FIELD": {"pod_field": "metadata.name"},
                "MAP": {"config_map": {"name": "settings", "key": "k"}},
                "KEY": {"credential": {"name": "hub", "key": "T"}},
            },
            "connections": {"UI": {"tool_type": "custom", "container_port": 8080}},
            "probes": {"readiness": {"handler": {"http_get": {"port": 80}}}},
            "working_dir": "/w",
            "uid_gid_source": "custom",
            "run_as_uid": 1,
            "run_as_gid": 2,
            "supplemental_groups": "3",
            "capabilities": ["NET_ADMIN"],
            "stdin": True,
            "tty": True,
            "seccomp_profile_type": "RuntimeDefault",
            "host_ipc": True,
            "host_network": True,
            "create_home_dir": True,
            "run_as_non_root": True,
            "override_uid_gid_in_workspace": True,
            "allow_privilege_escalation": True,
            "read_only_root_filesystem": True,
        },
        {"image": "busybox:latest"},
    ),
}


def test_the_table_names_every_kind() -> None:
    assert SPECS.keys() == {kind.traits.name for kind in ASSET_KINDS}


def _suite(name: str) -> type[AssetKindSuite]:
    first, second = SPECS[name]
    stated = {"kind": KIND_NAMED[name], "first": first, "second": second, "seed": SEED}
    return type(f"Test{name}", (AssetKindSuite,), stated)


globals().update({f"Test{name}": _suite(name) for name in SPECS})
