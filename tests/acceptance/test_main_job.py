"""The main job over real HTTP: plan, apply, plan again, with each sandbox switch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Behaviour, SandboxServer
from tests.acceptance.live_side import (
    assets,
    call,
    create_live,
    delete_live,
    edit_live,
    named,
)
from tests.acceptance.project import Project, environment, project
from tests.faults.proxy import Fault, FaultProxy, Kind

ADDRESS = "RunaiEnvironment.train"
FULL: dict[str, Any] = {
    "description": "Training with GPUs",
    "workload_types": ["workspace", "training"],
    "environment_variables": {"NCCL_DEBUG": "INFO"},
    "compute": {"gpu": 1, "cpu_cores": 8, "memory": "64Gi"},
    "tools": ["jupyter", "tensorboard"],
}


def test_plan_apply_plan(any_world: Project) -> None:
    world = any_world
    world.write(environment(**FULL), environment("small", scope="project", scope_id="team-a"))
    planned = world.reconcile("plan", "--detailed-exitcode")
    assert planned.code == 2, planned.err
    assert "Plan: 3 to add, 0 to change, 0 to destroy." in planned.out
    world.server.requests.clear()
    dry = world.reconcile("apply")
    assert dry.code == 0
    assert "dry run" in dry.err
    assert not world.server.requests.writes()
    applied = world.reconcile("apply", "--apply")
    assert applied.code == 0, applied.out + applied.err
    assert applied.last_line == "Apply complete! Resources: 3 added, 0 changed, 0 destroyed."
    again = world.reconcile("plan", "--detailed-exitcode")
    assert again.code == 0, again.out
    assert "No changes. Your infrastructure matches the configuration." in again.out


def test_a_rename_is_an_update_in_place(any_world: Project) -> None:
    world = any_world
    world.write(environment(metadata={"id": "train"}))
    world.apply()
    before = named(world, "train")["meta"]["id"]
    world.write(environment("renamed", metadata={"id": "train"}))
    assert world.plan() == {ADDRESS: "update"}
    assert world.fields(ADDRESS) == ["name"]
    world.apply()
    assert named(world, "renamed")["meta"]["id"] == before
    assert world.plan() == {}


@pytest.mark.parametrize(
    ("first", "second", "forcing"),
    [
        ({}, {"scope": "tenant"}, "scope"),
        ({}, {"scope": "project", "scope_id": "team-a"}, "scope"),
        (
            {"scope": "project", "scope_id": "team-a"},
            {"scope": "project", "scope_id": "team-b"},
            "scope_id",
        ),
        ({"workload_types": ["training"]}, {"workload_types": ["workspace"]}, "workload_types"),
    ],
)
def test_an_immutable_field_is_one_replacement(
    any_world: Project, first: dict[str, Any], second: dict[str, Any], forcing: str
) -> None:
    world = any_world
    world.write(environment(**first))
    world.apply()
    old = named(world, "train")["meta"]["id"]
    world.write(environment(**second))
    ran = world.reconcile("plan")
    assert "must be replaced" in ran.out
    assert "# forces replacement" in ran.out
    assert "Plan: 1 to add, 0 to change, 1 to destroy." in ran.out
    assert world.plan() == {ADDRESS: "replace"}
    assert any(field.startswith(forcing) for field in world.fields(ADDRESS))
    ran = world.apply()
    assert ran.last_line == "Apply complete! Resources: 1 added, 0 changed, 1 destroyed."
    assert [item["meta"]["name"] for item in assets(world)] == ["train"]
    assert named(world, "train")["meta"]["id"] != old
    assert world.plan() == {}


def test_an_unset_immutable_field_never_replaces(world: Project) -> None:
    world.write(environment(workload_types=["training"]))
    world.apply()
    world.write(environment())
    assert world.plan() == {}


def test_a_removed_manifest_is_a_delete(any_world: Project) -> None:
    world = any_world
    world.write(environment(**FULL), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    assert world.plan() == {ADDRESS: "delete", "RunaiCompute.train": "delete"}
    ran = world.apply()
    assert ran.last_line == "Apply complete! Resources: 0 added, 0 changed, 2 destroyed."
    assert world.plan() == {}


def test_removing_compute_deletes_it_visibly(world: Project) -> None:
    world.write(environment(**FULL))
    world.apply()
    world.write(environment(**{**FULL, "compute": None}))
    assert world.plan() == {"RunaiCompute.train": "delete"}


def test_objects_of_ours_in_scopes_nobody_mentions_are_seen(any_world: Project) -> None:
    world = any_world
    world.write(environment("old", scope="project", scope_id="team-b"), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    assert world.plan() == {"RunaiEnvironment.old": "delete"}


def test_what_others_made_is_never_touched(world: Project) -> None:
    create_live(world, "theirs", {"image": "x"})
    world.write(environment("ours"))
    assert world.plan() == {"RunaiEnvironment.ours": "create"}
    world.apply()
    world.write(environment("ours", image="busybox:2"))
    world.apply()
    assert named(world, "theirs")["spec"]["image"] == "x"
    assert all("theirs" not in path for path in _written_paths(world))


def _written_paths(world: Project) -> list[str]:
    uid = named(world, "theirs")["meta"]["id"]
    return ["theirs" for request in world.server.requests.writes() if uid in request.path]


def test_somebody_elses_object_of_the_same_name(any_world: Project) -> None:
    world = any_world
    create_live(world, "train", {"image": "busybox:1"})
    world.write(environment(scope="tenant"))
    assert world.plan() == {ADDRESS: "adopt"}
    world.write(environment(scope="tenant", image="busybox:2"))
    assert world.plan() == {ADDRESS: "conflict adopt"}
    assert world.reconcile("plan").code == 4
    assert world.reconcile("apply", "--apply").code == 4
    assert named(world, "train")["spec"]["image"] == "busybox:1"
    world.write(environment(scope="tenant", image="busybox:2", metadata={"adopt": True}))
    ran = world.reconcile("plan")
    assert "Plan: 1 to import, 0 to add, 1 to change, 0 to destroy." in ran.out
    world.apply()
    assert named(world, "train")["spec"]["image"] == "busybox:2"
    assert world.plan() == {}


def test_an_edit_that_destroys_the_mark(any_world: Project) -> None:
    world = any_world
    world.write(environment(description="Ours"))
    world.apply()
    edit_live(world, ADDRESS, lambda asset: asset["meta"].update(description="Ours"))
    assert world.plan() == {ADDRESS: "adopt"}
    edit_live(world, ADDRESS, lambda asset: asset["meta"].update(description="Somebody's"))
    assert world.plan() == {ADDRESS: "conflict adopt"}


def test_a_copy_and_a_rename_by_hand_are_detached(world: Project) -> None:
    world.write(environment(scope="tenant"))
    world.apply()
    marked = named(world, "train")["meta"]["description"]
    assert marked.startswith("[reconcile:")
    create_live(world, "copy-of-train", {"image": "busybox:1"}, description=marked)
    ran = world.reconcile("plan")
    assert "copy-of-train" in ran.out
    assert "No changes." in ran.out
    delete_live(world, "copy-of-train")
    edit_live(world, ADDRESS, lambda asset: asset["meta"].update(name="by-hand"))
    assert world.plan() == {ADDRESS: "create"}


def test_a_deleted_object_comes_back(world: Project) -> None:
    world.write(environment())
    world.apply()
    delete_live(world, "train")
    assert world.plan() == {ADDRESS: "create"}


def test_protection_survives_the_manifest(world: Project) -> None:
    world.write(environment(metadata={"protect": True}), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    ran = world.reconcile("plan")
    assert ran.code == 4
    assert world.plan() == {ADDRESS: "blocked delete"}
    assert "protected" in ran.out
    assert world.reconcile("apply", "--apply").code == 4
    assert named(world, "train")
    world.write(environment(metadata={"protect": False}), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    world.apply()
    assert len(assets(world)) == 1


def test_an_emptied_directory_deletes_nothing(world: Project) -> None:
    world.write(environment())
    world.apply()
    world.write()
    assert world.plan() == {ADDRESS: "blocked delete"}
    ran = world.reconcile("apply", "--apply", "--only", ADDRESS)
    assert ran.code == 0, ran.out + ran.err
    assert assets(world) == []


def test_mass_deletes_need_their_number(world: Project) -> None:
    world.write(*[environment(f"e{n}") for n in range(5)])
    world.apply()
    world.write(environment("e0"))
    assert set(world.plan().values()) == {"blocked delete"}
    assert world.reconcile("apply", "--apply", "--allow-deletes", "3").code == 4
    assert world.reconcile("apply", "--apply", "--allow-deletes", "4").code == 0
    assert len(assets(world)) == 1


def test_fields_of_a_newer_server_survive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with project(tmp_path, capsys, Behaviour(unknown_fields="keep")) as world:
        world.write(environment())
        world.apply()
        edit_live(world, ADDRESS, lambda asset: asset["spec"].update(fromTheFuture={"a": 1}))
        assert world.plan() == {}
        world.write(environment(image="busybox:2"))
        assert "fromTheFuture" in world.reconcile("plan").out
        world.apply()
        assert named(world, "train")["spec"]["fromTheFuture"] == {"a": 1}
        assert world.plan() == {}


def test_the_number_of_reads_does_not_grow(world: Project) -> None:
    counts = []
    for size in (2, 40):
        world.write(*[environment(f"e{n}") for n in range(size)])
        world.apply()
        world.server.requests.clear()
        assert world.plan() == {}
        counts.append(len(world.server.requests.all()))
    assert counts[0] == counts[1]


def test_a_saved_plan_is_applied_or_refused(world: Project) -> None:
    world.write(environment())
    file = world.directory / "plan.json"
    assert world.reconcile("plan", "--out", str(file)).code == 0
    shown = world.reconcile("show", str(file))
    assert shown.out == world.reconcile("plan").out
    world.write(environment(image="busybox:2"))
    stale = world.reconcile("apply", str(file), "--apply")
    assert stale.code == 3
    assert f"{ADDRESS}: approved create, now create (the manifest changed)" in stale.err
    assert assets(world) == []
    world.write(environment())
    assert world.reconcile("apply", str(file), "--apply").code == 0
    assert world.reconcile("apply", str(file), "--apply").code == 3


def test_the_id_keeps_two_of_one_name_apart(world: Project) -> None:
    world.write(
        environment("train", scope="project", scope_id="team-a", metadata={"id": "train-a"}),
        environment("train", scope="project", scope_id="team-b", metadata={"id": "train-b"}),
    )
    world.apply()
    assert world.plan() == {}
    world.write(
        environment("train", scope="project", scope_id="team-a", metadata={"id": "train-a"}),
    )
    ran = world.reconcile("apply", "--apply", "--only", "RunaiEnvironment.train-b")
    assert ran.code == 0, ran.err
    assert len(assets(world)) == 1


def test_secrets_reach_the_server_and_nothing_else(
    world: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-9c1d7e"
    monkeypatch.setenv("RECONCILE_VAR_TOKEN", canary)
    world.configure(env_allow=["RECONCILE_VAR_*"])
    world.write(environment(environment_variables={"TOKEN": {"env": "RECONCILE_VAR_TOKEN"}}))
    file = world.directory / "plan.json"
    outputs = [
        world.reconcile("--debug", "plan", "--out", str(file)),
        world.reconcile("--debug", "plan", "-o", "json"),
        world.reconcile("--debug", "apply", "--apply"),
    ]
    (variable,) = named(world, "train")["spec"]["environmentVariables"]
    assert variable["value"] == canary
    assert world.plan() == {}
    monkeypatch.setenv("RECONCILE_VAR_TOKEN", "canary-9c1d7e-rotated")
    assert world.fields(ADDRESS) == ["environment_variables.TOKEN"]
    outputs.append(world.reconcile("--debug", "plan"))
    world.write(environment("stays"))
    outputs.append(world.reconcile("--debug", "plan"))
    outputs.append(world.reconcile("--debug", "plan", "-o", "json"))
    for ran in outputs:
        assert canary not in ran.out + ran.err
    assert canary not in file.read_text()


def test_what_a_server_quotes_of_a_secret_is_not_printed(
    world: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = 'one\ncanary-9c1d7e "two"'
    monkeypatch.setenv("RECONCILE_VAR_TOKEN", canary)
    world.write(environment(environment_variables={"TOKEN": {"env": "RECONCILE_VAR_TOKEN"}}))
    with FaultProxy(world.endpoint.base_url) as proxy:
        world.go_by(proxy.base_url)
        world.configure(env_allow=["RECONCILE_VAR_*"])
        echo = Fault(Kind.BODY, status=400, body={"message": f"bad value {canary}"})
        proxy.rule = lambda _, method, path: (
            echo if method == "POST" and "/asset/" in path else None
        )
        ran = world.reconcile("--debug", "apply", "--apply")
    assert ran.code == 1
    assert "was answered with 400; the server's text is withheld" in ran.out
    assert "canary" not in ran.out + ran.err


def test_unknown_scopes_are_all_reported_with_position(world: Project) -> None:
    world.write(
        environment("a", scope="project", scope_id="team-c"),
        environment("b", scope="cluster", scope_id="mane"),
    )
    ran = world.reconcile("plan")
    assert ran.code == 1
    lines = (world.directory / "manifests" / "all.yaml").read_text().splitlines()
    team, mane = (
        1 + next(n for n, line in enumerate(lines) if word in line) for word in ("team-c", "mane")
    )
    assert f"manifests/all.yaml:{team}:13: there is no project 'team-c'" in ran.err
    assert f"manifests/all.yaml:{mane}:13: there is no cluster 'mane'" in ran.err
    assert "did you mean `main`" in ran.err


SEED = """\
clusters:
  - {name: main, departments: [{name: default, projects: [team-a, team-b]}]}
usage:
  - {kind: environment, name: train, workspaces: [notebook-1], templates: [starter]}
"""


@pytest.fixture
def used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """A project whose environment `train` is used by a workspace and a template."""
    seed = tmp_path / "seed.yaml"
    seed.write_text(SEED)
    server = SandboxServer(tmp_path / "sandbox.db", seed=seed)
    with server as endpoint:
        world = Project(tmp_path / "project", server, endpoint, capsys)
        world.write(environment(), environment("stays"))
        world.apply()
        yield world


def test_usage_is_shown_before_a_delete(used: Project) -> None:
    used.write(environment("stays"))
    used.server.requests.clear()
    ran = used.reconcile("plan")
    assert ran.code == 4
    assert "# used by workspace notebook-1" in ran.out
    assert "# used by template starter" in ran.out
    lists = [r for r in used.server.requests.reads() if "usageInfo" in str(r.query)]
    assert len(lists) == 1


def test_deleting_what_is_in_use_needs_approval(used: Project) -> None:
    """Naming an address approves its deletion, and says nothing of who uses it."""
    used.write(environment("stays"))
    for named_too in ((), ("--only", ADDRESS), ("--allow-deletes=1",)):
        ran = used.reconcile("apply", "--apply", *named_too)
        assert ran.code == 4
        assert "it is used by workspace notebook-1 (Running), template starter" in ran.out
        assert f"--allow-destroy {ADDRESS}" in ran.out
        assert named(used, "train")
    assert used.reconcile("apply", "--apply", "--allow-destroy", ADDRESS).code == 0
    assert [item["meta"]["name"] for item in assets(used)] == ["stays"]


def test_an_environment_and_its_compute_are_refused_as_one(used: Project) -> None:
    """A template uses the environment: neither it nor its compute goes to another scope alone."""

    def scopes() -> list[str]:
        return [
            named(used, "train", kind)["meta"]["scope"]
            for kind in ("RunaiEnvironment", "RunaiCompute")
        ]

    used.write(environment(compute={"gpu": 1}), environment("stays"))
    used.apply()
    moved = environment(scope="tenant", compute={"gpu": 1})
    used.write(moved, environment("stays"))
    ran = used.reconcile("apply", "--apply")
    assert ran.code == 4
    assert f"it is stated together with {ADDRESS}, which is refused" in ran.out
    assert scopes() == ["cluster", "cluster"]
    used.write(environment("stays"))
    assert used.reconcile("apply", "--apply").code == 4
    assert scopes() == ["cluster", "cluster"]
    used.write(moved, environment("stays"))
    assert used.reconcile("apply", "--apply", "--allow-destroy", ADDRESS).code == 0
    assert scopes() == ["tenant", "tenant"]


def test_the_compute_comes_with_its_environment(used: Project) -> None:
    used.write(environment(compute={"gpu": 1}), environment("stays"))
    used.apply()
    used.write(environment(compute={"gpu": 2}), environment("stays", image="busybox:2"))
    assert set(used.plan("--only", ADDRESS)) == {"RunaiCompute.train"}
    ran = used.reconcile("plan", "--only", ADDRESS)
    assert f"Restricted to {ADDRESS}; 1 not looked at." in ran.out
    assert set(used.plan("--only", "RunaiCompute.train")) == {"RunaiCompute.train"}


@pytest.mark.parametrize(
    "name", ["__GLX_VENDOR_LIBRARY_NAME", "__", "a.b", "root['a']", 'x"y', "é", "1"]
)
def test_a_variable_of_any_name_counts(world: Project, name: str) -> None:
    world.write(environment(environment_variables={name: "1", "OTHER": "1"}))
    world.apply()
    world.write(environment(environment_variables={name: "2", "OTHER": "1"}))
    assert world.plan() == {ADDRESS: "update"}
    world.apply()
    assert world.plan() == {}


def test_replacing_what_a_template_uses_needs_approval(used: Project) -> None:
    used.write(environment(scope="tenant"), environment("stays"))
    ran = used.reconcile("apply", "--apply")
    assert ran.code == 4
    assert f"--allow-destroy {ADDRESS}" in ran.out
    assert named(used, "train")["meta"]["scope"] == "cluster"
    assert used.reconcile("apply", "--apply", "--allow-destroy", ADDRESS).code == 0
    assert named(used, "train")["meta"]["scope"] == "tenant"


def test_nothing_answers(world: Project) -> None:
    world.write(environment())
    world.server.stop()
    ran = world.reconcile("plan")
    assert ran.code == 1
    assert "Run:ai control plane" in ran.out
    assert ADDRESS in ran.out
    assert "No plan: the Run:ai control plane could not be read." in ran.out
    assert world.reconcile("apply", "--apply").code == 1


def test_json_output_is_one_document(world: Project) -> None:
    world.write(environment())
    document = json.loads(world.reconcile("plan", "-o", "json").out)
    assert document["applyable"] is True
    assert call(world, "GET", "/api/v1/clusters")[0]["name"] == "main"
