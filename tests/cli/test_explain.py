"""`reconcile explain` against a sandbox."""

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import world  # noqa: F401  (a fixture)
from tests.acceptance.live_side import edit_live
from tests.acceptance.project import Project, environment

ADDRESS = "RunaiEnvironment.train"


def test_an_address_is_explained_through_its_life(world: Project) -> None:  # noqa: F811
    world.write(environment())
    said = world.reconcile("explain", ADDRESS)
    assert said.code == 0
    assert said.out.startswith(f"{ADDRESS}: create\n\nWhy:\n  - manifests/all.yaml:1 states it")
    assert "Used by:" not in said.out
    world.apply()
    assert world.reconcile("explain", ADDRESS).out.startswith(f"{ADDRESS}: unchanged\n")
    edit_live(world, ADDRESS, lambda body: body["spec"].update(image="busybox:2"))
    said = world.reconcile("explain", ADDRESS)
    assert '  - image is "busybox:2" on the live object: it is set to "busybox:1".' in said.out
    world.write(environment(scope="tenant"))
    document = json.loads(world.reconcile("explain", ADDRESS, "-o", "json").out)
    assert document["action"] == "replace"
    forcing = [item["field"] for item in document["fields"] if item["forces_replacement"]]
    assert forcing == ["scope"]
    world.write()
    document = json.loads(world.reconcile("explain", ADDRESS, "-o", "json").out)
    assert (document["action"], document["refused"]) == ("delete", "blocked")
    assert not [request for request in world.server.requests.writes() if request.method == "DELETE"]


def test_an_unknown_address_gets_the_close_names(world: Project) -> None:  # noqa: F811
    world.write(environment())
    said = world.reconcile("explain", "RunaiEnvironment.trian")
    assert said.code == 1
    assert said.err.endswith(f"did you mean {ADDRESS}?\n")
    said = world.reconcile("explain", "nonsense")
    assert "reconcile plan lists what there is" in said.err


def test_an_id_alone_will_do(world: Project) -> None:  # noqa: F811
    world.write(environment())
    assert world.reconcile("explain", "train").out.startswith(f"{ADDRESS}: create\n")
    said = world.reconcile("explain", "trian")
    assert said.err.endswith(f"did you mean {ADDRESS}?\n")
    world.apply()
    world.write(environment(image="busybox:2"))
    said = world.reconcile("apply", "--only", "train", "--apply")
    assert "0 added, 1 changed, 0 destroyed" in said.out
    world.write()
    assert world.reconcile("apply", "--only", "train", "--apply").code == 4


def test_a_system_that_cannot_be_read_is_said(
    world: Project,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runai = {"base_url": "http://127.0.0.1:1", "token": "x"}
    world.configure(targets={"live": {"runai": runai, "timeout": 1}})
    world.write(environment())
    said = world.reconcile("explain", ADDRESS)
    assert said.code == 1
    assert "is not planned, because the Run:ai control plane could not be read" in said.err
