"""Change any one field, in the manifest or on the live side: exactly that field is planned."""

from typing import Any

import pytest

from tests.acceptance.live_side import edit_live
from tests.acceptance.project import Project, environment

# field -> (value in the manifest, another value, path that the plan names, value for the API)
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


def compute(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "reconciler/v1",
        "kind": "RunaiCompute",
        "metadata": {"name": "train"},
        "spec": {"scope": "cluster", "cpu_core_request": 1, **spec},
    }


def assert_only(world: Project, address: str, path: str) -> None:
    fields = world.fields(address)
    assert fields, f"{path} is not planned"
    assert all(field == path or field.startswith(f"{path}.") for field in fields), fields
    assert world.plan() == {address: "update"}


@pytest.mark.parametrize("name", ENVIRONMENT_FIELDS)
def test_one_field_of_an_environment(any_world: Project, name: str) -> None:
    first, second, path = ENVIRONMENT_FIELDS[name]
    _change_and_back(any_world, "RunaiEnvironment.train", environment, (name, first, second, path))


@pytest.mark.parametrize("name", COMPUTE_FIELDS)
def test_one_field_of_a_compute_asset(any_world: Project, name: str) -> None:
    first, second, path = COMPUTE_FIELDS[name]
    _change_and_back(any_world, "RunaiCompute.train", compute, (name, first, second, path))


def _change_and_back(
    world: Project, address: str, document: Any, case: tuple[str, Any, Any, str]
) -> None:
    name, first, second, path = case
    world.write(document(**{name: first}))
    world.apply()
    assert world.plan() == {}
    world.write(document(**({name: second} if second is not None else {})))
    assert_only(world, address, path)
    world.apply()
    assert world.plan() == {}
    edit_live(world, address, lambda asset: _restore(asset, name))
    path = path.partition(".")[0]
    if name != "description":
        fields = world.fields(address)
        assert all(field == path or field.startswith(f"{path}.") for field in fields), fields
    if name != "image":
        world.write(document())
        for field in world.fields(address):
            assert field == path or field.startswith(f"{path}."), field
        world.apply()
        assert world.plan() == {}


def _restore(asset: dict[str, Any], name: str) -> None:
    """Take the field away on the live side, as somebody might in the web UI."""
    camel = {"tools": "connections", "environment_variables": "environmentVariables"}.get(name)
    camel = camel or "".join(
        part if i == 0 else part.capitalize() for i, part in enumerate(name.split("_"))
    )
    if name == "image":
        asset["spec"]["image"] = "busybox:9"
    else:
        asset["spec"].pop(camel, None)
