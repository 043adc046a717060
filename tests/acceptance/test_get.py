"""Look at live objects, whoever owns them."""

import json

import pytest
import yaml

from tests.acceptance.live_side import call
from tests.acceptance.project import Project, environment


def make(world: Project, name: str) -> None:
    body = {"meta": {"name": name, "scope": "tenant"}, "spec": {"image": "a"}}
    call(world, "POST", "/api/v1/asset/environment", body)


def test_a_table_says_who_owns_what(world: Project) -> None:
    world.configure(stack="another")
    world.write(environment("theirs"))
    world.apply()
    world.configure()
    world.write(environment("ours"))
    world.apply()
    make(world, "nobodys\nown")
    for word in ("environments", "environment", "RunaiEnvironment", "runaienvironment"):
        ran = world.reconcile("get", word)
        assert ran.code == 0
        head, *rows = [line.split("   ") for line in ran.out.splitlines()]
        assert [cell.strip() for cell in head if cell] == ["NAME", "SCOPE", "OWNER", "CHANGED"]
        cells = {row[0].strip(): [cell.strip() for cell in row if cell.strip()] for row in rows}
        assert {name: cell[2] for name, cell in cells.items()} == {
            "ours": "this stack",
            "theirs": "another",
            "nobodys\\x0aown": "none",
        }
        assert cells["ours"][1] == "cluster/main"
    wide = world.reconcile("get", "environment", "ours", "-o", "wide").out
    assert wide.splitlines()[0].endswith("   USED BY")
    assert len(wide.splitlines()) == 2


def test_data_of_one_object(world: Project) -> None:
    world.write(environment("ours", environment_variables={"API_KEY": "s3cr3t-s3cr3t-1"}))
    world.apply()
    make(world, "other")
    for form, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        ran = world.reconcile("get", "environment", "ours", "-o", form)
        (item,) = read(ran.out)
        assert (item["name"], item["kind"], item["owner"]) == (
            "ours",
            "RunaiEnvironment",
            "this stack",
        )
        assert item["spec"]["image"] == "busybox:1"
        assert "s3cr3t" not in ran.out


def test_wrong_words(world: Project) -> None:
    make(world, "train")
    for words, what, fix in (
        (("enviroment",), "there is no kind 'enviroment'", "did you mean RunaiEnvironment?"),
        (("pods",), "there is no kind 'pods'", "it may be: RayfineImage, "),
        (("environment", "trian"), "no RunaiEnvironment named 'trian'", "did you mean train?"),
        (("RayfineImage",), "RayfineImage needs `docker`, which target 'live' lacks", "--target"),
    ):
        ran = world.reconcile("get", *words)
        assert ran.code == 1
        assert what in ran.err
        assert fix in ran.err
    assert world.reconcile("get", "compute").out == "There is no RunaiCompute.\n"


@pytest.mark.docker
def test_images_without_a_manifest(world: Project) -> None:
    world.target = {"docker": {}}
    world.configure(stack="nobody-has-this-stack")
    ran = world.reconcile("get", "images", "-o", "json")
    assert ran.code == 0
    assert all(item["kind"] == "RayfineImage" for item in json.loads(ran.out))
