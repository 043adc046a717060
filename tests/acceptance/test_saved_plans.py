"""A saved plan is applied as reviewed, or refused with what moved (law 8)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.live_side import assets, create_live, delete_live, edit_live, named
from tests.acceptance.project import Project, Ran, environment

ADDRESS = "RunaiEnvironment.train"


def saved(world: Project, *options: str) -> Path:
    file = world.directory / "plan.json"
    ran = world.reconcile("plan", "--out", str(file), *options)
    assert ran.code in (0, 4), ran.err
    return file


def refused(world: Project, file: Path, *options: str) -> str:
    world.server.requests.clear()
    ran: Ran = world.reconcile("apply", str(file), "--apply", *options)
    assert ran.code == 3, ran.out + ran.err
    assert not world.server.requests.writes()
    return ran.err


def test_a_conflict_that_is_cleared_afterwards(world: Project) -> None:
    create_live(world, "train", {"image": "busybox:1"})
    world.write(environment(scope="tenant", image="busybox:2"))
    file = saved(world)
    world.write(environment(scope="tenant", image="busybox:2", metadata={"adopt": True}))
    assert f"{ADDRESS}: approved adopt, now adopt (the manifest changed)" in refused(world, file)


def test_a_protection_that_is_lifted_afterwards(world: Project) -> None:
    world.write(environment(metadata={"protect": True}), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    file = saved(world)
    world.write(environment(), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    assert f"{ADDRESS}: approved delete, now delete (the live object changed)" in refused(
        world, file
    )


def test_metadata_is_part_of_what_was_reviewed(world: Project) -> None:
    world.write(environment())
    world.apply()
    world.write(environment(image="busybox:2", metadata={"protect": True}))
    file = saved(world)
    world.write(environment(image="busybox:2"))
    assert "the manifest changed" in refused(world, file)


def test_another_object_with_the_same_content(world: Project) -> None:
    create_live(world, "train", {"image": "busybox:1"})
    world.write(environment(scope="tenant"))
    file = saved(world)
    delete_live(world, "train")
    create_live(world, "train", {"image": "busybox:1"})
    assert "the live object changed" in refused(world, file)


def test_a_secret_that_was_changed_behind_the_plan(
    world: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_VAR_TOKEN", "one")
    world.configure(env_allow=["RECONCILE_VAR_*"])
    world.write(environment(environment_variables={"TOKEN": {"env": "RECONCILE_VAR_TOKEN"}}))
    world.apply()
    monkeypatch.setenv("RECONCILE_VAR_TOKEN", "two")
    file = saved(world)

    def tamper(asset: dict[str, Any]) -> None:
        asset["spec"]["environmentVariables"][0]["value"] = "other"

    edit_live(world, ADDRESS, tamper)
    assert "the live object changed" in refused(world, file)


def test_a_guard_that_was_loosened_afterwards(world: Project) -> None:
    world.write(*[environment(f"e{n}") for n in range(5)])
    world.apply()
    world.write(environment("e0"))
    file = saved(world)
    world.configure(guards={"max_delete_percent": 100})
    assert "approved as blocked, now it would be carried out" in refused(world, file)
    world.configure()
    assert world.reconcile("apply", str(file), "--apply", "--allow-deletes", "4").code == 0
    assert len(assets(world)) == 1


@pytest.mark.parametrize("change", ["cut", "digest", "action"])
def test_a_plan_file_that_was_edited(world: Project, change: str) -> None:
    world.write(environment(), environment("stays"))
    world.apply()
    world.write(environment("stays"))
    file = saved(world)
    document = json.loads(file.read_text())
    if change == "cut":
        document["resource_changes"] = document["resource_changes"][1:]
    elif change == "digest":
        document["resource_changes"][0]["reconciler"]["live_digest"] = "sha256:" + "0" * 64
    else:
        document["resource_changes"][0]["reconciler"]["action"] = "update"
    file.write_text(json.dumps(document))
    ran = world.reconcile("apply", str(file), "--apply")
    assert ran.code == 1
    assert "its digest does not fit" in ran.err
    assert len(assets(world)) == 2
    assert world.reconcile("show", str(file)).code == 1


def test_another_target_or_stack(world: Project) -> None:
    world.write(environment())
    file = saved(world)
    assert world.reconcile("apply", str(file), "--apply", "--target", "other").code == 3
    world.configure(stack="another")
    assert "stack: approved ml-platform, now another" in refused(world, file)


def test_the_plan_that_was_reviewed_is_applied(world: Project) -> None:
    world.write(environment(), environment("stays"))
    world.apply()
    world.write(environment(image="busybox:2"), environment("new"))
    file = saved(world)
    ran = world.reconcile("apply", str(file), "--apply")
    assert ran.code == 0, ran.err
    assert named(world, "train")["spec"]["image"] == "busybox:2"
    assert {item["meta"]["name"] for item in assets(world)} == {"train", "new"}
