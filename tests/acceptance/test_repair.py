"""Two live objects with one mark: what a plan says of them, and `reconcile repair`."""

import json
import shlex
from typing import Any

import pytest

from reconciler.core.mark import Mark, hash_id
from reconciler.core.ownership import Holder, write_mark
from tests.acceptance.live_side import assets, call, create_live
from tests.acceptance.project import Project, environment

KIND, ADDRESS = "RunaiEnvironment", "RunaiEnvironment.train"


@pytest.fixture
def ids(world: Project) -> tuple[str, str]:
    """The id of an applied asset for the tenant, and of one with the same mark in a project."""
    world.write(environment(scope="tenant"), environment("stays"))
    world.apply()
    projects = call(world, "GET", "/api/v1/org-unit/projects")["projects"]
    project = next(int(item["id"]) for item in projects if item["name"] == "team-a")
    holder = Holder(KIND, "project", str(project), "train")
    mark = write_mark("", Mark("ml-platform", hash_id(KIND, "train")), holder)
    place: dict[str, Any] = {"scope": "project", "projectId": project}
    twin = create_live(world, "train", {"image": "busybox:1"}, description=mark, **place)
    first = next(a for a in assets(world) if a["meta"]["scope"] == "tenant")
    return first["meta"]["id"], twin["meta"]["id"]


def left(world: Project) -> list[str]:
    return [item["meta"]["id"] for item in assets(world) if item["meta"]["name"] == "train"]


def test_a_plan_says_which_is_which_and_what_to_do(world: Project, ids: tuple[str, str]) -> None:
    ran = world.reconcile("plan")
    assert ran.code == 4
    assert f"{ADDRESS} conflict: would be updated in-place" in ran.out
    assert f"2 live objects bear the mark of this address: train in tenant ({ids[0]}, " in ran.out
    assert f" and train in project 1 ({ids[1]}, made 20" in ran.out
    line = next(line for line in ran.out.splitlines() if "reconcile repair" in line)
    words = shlex.split(line.partition("reconcile ")[2])
    assert words == ["repair", ADDRESS, "--keep", ids[0], "--target", "live", "--apply"]
    repaired = world.reconcile(*words)
    assert repaired.code == 0, repaired.out + repaired.err
    assert repaired.last_line == "Apply complete! Resources: 0 added, 0 changed, 1 destroyed."
    assert left(world) == [ids[0]]
    assert world.plan() == {}


def test_any_of_them_may_be_kept(world: Project, ids: tuple[str, str]) -> None:
    dry = world.reconcile("repair", ADDRESS, "--keep", ids[1])
    assert dry.code == 0
    assert "Plan: 0 to add, 0 to change, 1 to destroy." in dry.out
    assert f"# {ADDRESS} is to be {ids[1]}" in dry.out
    assert f"Restricted to {ADDRESS}; 1 not looked at." in dry.out
    assert "This was a dry run" in dry.err
    assert left(world) == list(ids)
    assert world.reconcile("repair", ADDRESS, "--keep", ids[1], "--apply").code == 0
    assert left(world) == [ids[1]]
    assert world.plan() == {ADDRESS: "replace"}
    world.apply()
    assert world.plan() == {}


def test_a_repair_as_json_is_a_delete(world: Project, ids: tuple[str, str]) -> None:
    ran = world.reconcile("repair", ADDRESS, "--keep", ids[0], "-o", "json")
    (change,) = json.loads(ran.out)["resource_changes"]
    assert change["change"]["actions"] == ["delete"]
    assert change["change"]["before"]["id"] == ids[1]
    assert change["change"]["after"] is None
    assert change["address"] == ADDRESS


@pytest.mark.parametrize("protect", [True, False])
def test_a_protected_one_goes_only_if_its_manifest_says_so(
    world: Project, ids: tuple[str, str], protect: bool
) -> None:
    twin = call(world, "GET", f"/api/v1/asset/environment/{ids[1]}")
    holder = Holder(KIND, "project", str(twin["meta"]["projectId"]), "train")
    mark = Mark("ml-platform", hash_id(KIND, "train"), protect=True)
    body = {"name": "train", "description": write_mark("", mark, holder)}
    path = f"/api/v1/asset/environment/{ids[1]}"
    call(world, "PUT", path, {"meta": body, "spec": twin["spec"]})
    world.write(environment(scope="tenant", metadata={"protect": protect}), environment("stays"))
    ran = world.reconcile("repair", ADDRESS, "--keep", ids[0], "--apply")
    assert ran.code == (4 if protect else 0), ran.out
    assert ("it is protected and must not be destroyed" in ran.out) is protect
    assert len(left(world)) == 1 + protect


def test_what_cannot_be_repaired_is_said(world: Project, ids: tuple[str, str]) -> None:
    wrong = world.reconcile("repair", ADDRESS, "--keep", "x", "--apply")
    assert wrong.code == 1
    assert f"no object with the mark of {ADDRESS} has the id x" in wrong.err
    assert all(uid in wrong.err for uid in ids)
    other = world.reconcile("repair", f"{KIND}.stays", "--keep", ids[0], "--apply")
    assert other.code == 1
    assert f"no two live objects bear the mark of {KIND}.stays: there is nothing" in other.err
    assert f"there are two of {ADDRESS}" in other.err
    assert left(world) == list(ids)


@pytest.mark.parametrize("option", ["--only", "--exclude"])
def test_it_is_about_one_address(world: Project, ids: tuple[str, str], option: str) -> None:
    assert option not in world.reconcile("repair", "--help").out
    both = world.reconcile("repair", ADDRESS, "--keep", ids[0], option, ADDRESS)
    assert both.code == 1
    assert f"No such option '{option}'" in both.err
    assert left(world) == list(ids)
