"""Environment assets: from what a person writes to the canonical spec."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.resource import Reference, ResourceKey, Secret
from reconciler.kinds.base import Document, FieldError, Metadata
from reconciler.kinds.environment import RunaiEnvironment, RunaiEnvironmentSpec
from tests.kinds.expanding import (
    CONTEXT,
    SOURCE,
    environment,
    environment_faults,
    expand,
    faults,
    limited,
)

BASE = {"name": "train", "scope": "tenant", "image": "busybox:1"}


def test_defaults_are_left_out() -> None:
    assert (
        environment(
            description="  ",
            workload_types=[],
            environment_variables={},
            tools=[],
            connections={},
            command="",
            args=" ",
            supplemental_groups="",
            uid_gid_source="fromTheImage",
            host_ipc=False,
            host_network=False,
            override_uid_gid_in_workspace=False,
            image_pull_policy="IfNotPresent",
            capabilities=[],
            probes={},
        )
        == BASE
    )


def test_false_is_kept_where_no_default_is_documented() -> None:
    names = (
        "allow_privilege_escalation",
        "create_home_dir",
        "read_only_root_filesystem",
        "run_as_non_root",
        "stdin",
        "tty",
    )
    given = dict.fromkeys(names, False)
    assert environment(**given) == {**BASE, **given}


@pytest.mark.parametrize(
    ("image", "policy", "kept"),
    [
        ("busybox", "Always", False),
        ("busybox:latest", "Always", False),
        ("registry:5000/busybox", "Always", False),
        ("busybox:1", "Always", True),
        ("busybox:1", "IfNotPresent", False),
        ("busybox", "IfNotPresent", True),
        ("busybox@sha256:" + "0" * 64, "IfNotPresent", False),
        ("busybox", "Never", True),
    ],
)
def test_the_pull_policy_that_the_tag_implies(image: str, policy: str, kept: bool) -> None:
    spec = environment(image=image, image_pull_policy=policy)
    assert spec.get("image_pull_policy") == (policy if kept else None)


def test_an_image_of_this_repository() -> None:
    raw = {
        "scope": "tenant",
        "image": {"from": "RayfineImage.affine"},
        "image_pull_policy": "IfNotPresent",
    }
    (found,) = expand(RunaiEnvironment(), raw)
    key = ResourceKey("RayfineImage", "affine")
    assert found.spec == {"name": "train", "scope": "tenant", "image": Reference(key, "image")}
    assert found.depends_on == (key,)


@pytest.mark.parametrize(
    "image",
    [
        {"from": "affine"},
        {"from": "RunaiCompute.x"},
        {"from": "RayfineImage.x", "tag": "1"},
        {},
        5,
        None,
        "a b",
        " ",
    ],
)
def test_what_is_no_image(image: Any) -> None:
    (path,) = environment_faults(image=image)
    assert path in ("spec.image", "spec.image.from")


def test_variables_in_all_forms() -> None:
    context = replace(CONTEXT, variables={"RECONCILE_VAR_TOKEN": "s3cr3t"})
    spec = environment(
        context,
        environment_variables={
            "TEXT": "a",
            "EMPTY": "",
            "NUMBER": 8,
            "VALUE": {"value": "b"},
            "SECRET": {"env": "RECONCILE_VAR_TOKEN"},
            "TOLD": {"env": "RECONCILE_VAR_TOKEN", "description": "why"},
            "CREDENTIAL": {"credential": {"name": "db", "key": "PASSWORD"}},
            "MAP": {"config_map": {"name": "settings", "key": "k"}},
            "FIELD": {"pod_field": "metadata.name"},
            "GONE": {"exclude": True},
        },
    )
    secret = Secret("s3cr3t")
    assert spec["environment_variables"] == {
        "TEXT": "a",
        "EMPTY": "",
        "NUMBER": "8",
        "VALUE": "b",
        "SECRET": secret,
        "TOLD": {"value": secret, "description": "why"},
        "CREDENTIAL": {"credential": {"asset_id": "db", "key": "PASSWORD"}},
        "MAP": {"config_map": {"name": "settings", "key": "k"}},
        "FIELD": {"pod_field": "metadata.name"},
        "GONE": {"exclude": True},
    }
    assert isinstance(spec["environment_variables"]["SECRET"], Secret)
    assert "s3cr3t" not in repr(spec)


def test_variables_are_not_read_by_validate() -> None:
    context = replace(CONTEXT, variables=None)
    spec = environment(context, environment_variables={"A": {"env": "RECONCILE_VAR_X"}})
    assert isinstance(spec["environment_variables"]["A"], Secret)


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ({"env": "HOME"}, "may not read the variable HOME"),
        ({"env": "RECONCILE_VAR_X"}, "RECONCILE_VAR_X is not set"),
        (True, 'put it in quotes: "true"'),
        (1.10, "put it in quotes"),
        (None, "has no value"),
        ({}, "has no value"),
        ({"value": "a", "pod_field": "b"}, "has value and pod_field"),
        ({"config_map": {"name": "Upper", "key": "k"}}, "must match"),
        ({"valu": "a"}, "did you mean `value`?"),
    ],
)
def test_bad_variables(variable: Any, words: str) -> None:
    found = environment_faults(environment_variables={"A": variable})
    assert len(found) == 1
    assert words in next(iter(found.values()))


def test_tools_and_connections() -> None:
    spec = environment(
        tools=["jupyter", "vscode", "tensorboard", "rstudio", "mlflow"],
        connections={
            "UI": {"tool_type": "custom", "container_port": 80, "connection_type": "NodePort"},
            "Runs": {"tool_type": "wandb", "external_url": "https://example.com/${NAME}"},
        },
    )

    def tool(tool_type: str, port: int) -> dict[str, Any]:
        return {
            "tool_type": tool_type,
            "connection_type": "ExternalUrl",
            "container_port": port,
        }

    assert spec["connections"] == {
        "Jupyter": tool("jupyter-notebook", 8888),
        "VSCode": tool("visual-studio-code", 8080),
        "TensorBoard": tool("tensorboard", 6006),
        "RStudio": tool("rstudio", 8787),
        "MLflow": tool("mlflow", 5000),
        "UI": {"tool_type": "custom", "connection_type": "NodePort", "container_port": 80},
        "Runs": {"tool_type": "wandb", "external_url": "https://example.com/${NAME}"},
    }


def test_every_bad_tool_is_reported() -> None:
    found = environment_faults(tools=["jupiter", "pycharm", "wandb", "jupyter-lab"])
    assert set(found) == {"spec.tools[0]", "spec.tools[1]", "spec.tools[2]"}
    assert "container_port: PORT" in found["spec.tools[1]"]
    assert "external_url: URL" in found["spec.tools[2]"]


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ({"tool_type": "custom"}, "needs its port"),
        ({"tool_type": "wandb"}, "needs its URL"),
        ({"tool_type": "comet", "external_url": "u", "container_port": 1}, "has no container_port"),
        ({"tool_type": "custom", "container_port": 0}, "must be at least 1"),
        ({"tool_type": "custom", "container_port": 70000}, "must be at most 65535"),
        ({"tool_type": "custom", "container_port": 1, "protocol": "grpc"}, "no meaning"),
        ({"tool_type": "jupyter-notebok", "container_port": 1}, "did you mean `jupyter-notebook`?"),
    ],
)
def test_bad_connections(connection: dict[str, Any], words: str) -> None:
    found = environment_faults(connections={"X": connection})
    assert len(found) == 1
    assert words in next(iter(found.values()))


def test_a_connection_that_a_tool_makes_already() -> None:
    found = environment_faults(
        tools=["jupyter"],
        connections={"Jupyter": {"tool_type": "jupyter-notebook", "container_port": 1}},
    )
    assert "tools makes one" in found["spec.connections.Jupyter"]


def test_the_api_s_lists_are_accepted() -> None:
    by_name = {
        "environment_variables": {"A": "1"},
        "connections": {"UI": {"tool_type": "custom", "container_port": 80}},
    }
    as_lists = {
        "environment_variables": [{"name": "A", "value": "1"}],
        "connections": [{"name": "UI", "tool_type": "custom", "container_port": 80}],
    }
    assert environment(**as_lists) == environment(**by_name)
    twice = environment_faults(environment_variables=[{"name": "A", "value": "1"}] * 2)
    assert "A is there twice" in twice["spec.environment_variables[1]"]
    nameless = environment_faults(connections=[{"tool_type": "custom"}])
    assert "has no name" in nameless["spec.connections[0]"]


def test_probes_without_their_defaults() -> None:
    probe = {"handler": {"http_get": {"path": "/", "port": 80, "scheme": "HTTP"}}}
    assert environment(probes={"readiness": {**probe, "period_seconds": 5}})["probes"] == {
        "readiness": {"period_seconds": 5, "handler": {"http_get": {"port": 80}}}
    }
    bare = {"readiness": {"handler": {"http_get": {"path": "/"}}}}
    assert "probes" not in environment(probes=bare)


def test_compute_is_a_resource_of_its_own() -> None:
    raw = {
        "scope": "project",
        "scope_id": "team-a",
        "image": "busybox:1",
        "description": "text",
        "workload_types": ["training"],
        "compute": {"gpu": 1, "cpu_cores": 8.0, "memory": "65536Mi"},
    }
    made = expand(RunaiEnvironment(), raw, id="e1", protect=True, adopt=True, moved_from="e0")
    compute, environment_asset = made
    assert compute.key == ResourceKey("RunaiCompute", "e1")
    assert compute.spec == {
        "name": "train",
        "scope": "project",
        "scope_id": "team-a",
        "gpu_devices_request": 1,
        "gpu_request_type": "portion",
        "gpu_portion_request": 1,
        "cpu_core_request": 8,
        "cpu_memory_request": "64Gi",
    }
    assert (compute.protect, compute.adopt, compute.moved_from) == (True, True, "e0")
    assert compute.source == environment_asset.source
    assert "compute" not in environment_asset.spec


def test_several_gpus_state_no_portion() -> None:
    raw = {"scope": "tenant", "image": "a:1", "compute": {"gpu": 2}}
    assert expand(RunaiEnvironment(), raw)[0].spec["gpu_devices_request"] == 2
    assert "gpu_request_type" not in expand(RunaiEnvironment(), raw)[0].spec


@pytest.mark.parametrize("compute", [{}, {"gpu": 0}])
def test_compute_that_asks_for_nothing(compute: dict[str, Any]) -> None:
    assert "asks for nothing" in environment_faults(compute=compute)["spec.compute"]


def test_a_part_of_a_gpu_says_where_it_goes() -> None:
    found = environment_faults(compute={"gpu": 0.5})["spec.compute.gpu"]
    assert "gpu_portion_request: 0.5" in found
    assert environment_faults(compute={"gpu": 2.0}) == {}


def test_limits_hold_without_the_loader_s_context_as_well() -> None:
    raw = {"scope": "cluster", "image": "a:1", "compute": {"gpu": 2, "cpu_cores": 3}}
    context = limited(max_gpus=1, max_cpu_cores=2, allowed_scopes=("tenant",))
    assert set(faults(RunaiEnvironment(), raw, context)) == {
        "spec.scope",
        "spec.compute.gpu",
        "spec.compute.cpu_cores",
    }
    model = RunaiEnvironmentSpec.model_validate(raw)
    with pytest.raises(FieldError) as caught:
        RunaiEnvironment().expand(Document(Metadata(name="a"), model, SOURCE), context)
    assert {path[-1] for path, _, _ in caught.value.faults} == {"scope", "gpu", "cpu_cores"}


def test_the_name_may_be_repeated() -> None:
    assert environment(name="train") == BASE
    assert "metadata.name is 'train'" in environment_faults(name="other")["spec.name"]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"scope": "tenant", "scope_id": "x"}, "takes no scope_id"),
        ({"scope": "department"}, "needs a scope_id"),
        ({"tty": True}, "tty needs stdin"),
        ({"description": "a [reconcile:x:y]"}, "holds an ownership mark"),
        ({"stdin": "yes"}, "must be true or false"),
        ({"capabilities": ["CAP_SYS_ADMIN"]}, "write SYS_ADMIN"),
        ({"capabilities": ["CHWN"]}, "did you mean `CHOWN`?"),
        ({"workload_types": "training"}, "must be a list or a mapping"),
        ({"workload_types": ["trainin"]}, "did you mean `training`?"),
        ({"workload_types": {"distFramework": "PyTorch"}}, "only with distributed: true"),
        ({"image_pull_policy": "Allways"}, "did you mean `Always`?"),
        ({"enviroment_variables": {}}, "did you mean `environment_variables`?"),
        ({"gpu": 1}, "it belongs under `compute`"),
    ],
)
def test_other_faults(spec: dict[str, Any], words: str) -> None:
    found = environment_faults(**spec)
    assert len(found) == 1
    assert words in next(iter(found.values()))


def test_the_description_leaves_room_for_the_mark() -> None:
    found = environment_faults(description="x" * 240)["spec.description"]
    assert "fit beside the ownership mark" in found
    room = int(found.split("; ")[1].split()[0])
    assert environment_faults(description="x" * room) == {}
    assert environment_faults(description="x" * (room + 1)) != {}


def test_users_without_effect_are_warned_of() -> None:
    raw = {"scope": "tenant", "image": "a:1", "run_as_uid": 0}
    (found,) = expand(RunaiEnvironment(), raw)
    assert found.warnings == ("run_as_uid is used only with uid_gid_source: custom",)
    (found,) = expand(RunaiEnvironment(), {**raw, "uid_gid_source": "custom"})
    assert found.warnings == ()
    assert found.spec["run_as_uid"] == 0


def test_lists_without_order_are_sorted() -> None:
    assert environment(capabilities=["KILL", "CHOWN", "KILL"])["capabilities"] == ["CHOWN", "KILL"]


def test_the_json_schema_describes_every_field() -> None:
    schema = RunaiEnvironmentSpec.model_json_schema()
    assert all(field.get("description") for field in schema["properties"].values())
