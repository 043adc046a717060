"""Marks that somebody with the right to edit assets has made up, with and without `mark_key`."""

from typing import Any

import pytest

from reconciler.core.mark import Mark, hash_id
from reconciler.core.ownership import Holder, write_mark
from tests.acceptance.git_project import start
from tests.acceptance.live_side import assets, create_live, edit_live, named
from tests.acceptance.project import Project, environment
from tests.login import runai

KIND = "RunaiEnvironment"
TRAIN = f"{KIND}.train"
SPEC = {"image": "busybox:1"}


def keyed(world: Project) -> None:
    """Let the target take its key from a variable."""
    world.target = {"runai": {**runai(world.endpoint), "mark_key": {"env": "RECONCILE_MARK_KEY"}}}
    world.configure()


def forge(world: Project, name: str, stack: str = "ml-platform") -> None:
    """Make an asset with the mark of a stack, for an id that no manifest has."""
    mark = write_mark("", Mark(stack, hash_id(KIND, name)), Holder(KIND, "tenant", "", name))
    create_live(world, name, SPEC, description=mark)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_MARK_KEY", "a key that nobody else has")


def names(world: Project) -> set[str]:
    return {entry["meta"]["name"] for entry in assets(world)}


def test_without_a_key_who_may_edit_decides(world: Project) -> None:
    """What the documentation says of it."""
    world.write(*(environment(name) for name in ("train", "a", "b", "c")))
    world.apply()
    forge(world, "victim")
    assert world.plan() == {f"{KIND}.victim": "delete"}


@pytest.mark.usefixtures("key")
def test_a_forged_mark_destroys_nothing(world: Project) -> None:
    keyed(world)
    world.write(*(environment(name) for name in ("train", "a", "b", "c")))
    world.apply()
    forge(world, "victim")
    assert world.plan() == {}
    assert "was made without `mark_key`" in world.reconcile("plan").out
    world.apply()
    assert "victim" in names(world)


@pytest.mark.usefixtures("key")
def test_a_key_that_is_new_is_taken_over_by_adoption(world: Project) -> None:
    """And so is one that goes: what equals its manifest is marked anew, all else is left alone."""
    world.write(environment(), environment("old"))
    world.apply()
    keyed(world)
    world.write(environment())
    assert world.plan() == {TRAIN: "adopt"}
    world.apply()
    assert world.plan() == {}
    assert names(world) == {"train", "old"}
    world.target = {}
    world.configure()
    assert world.plan() == {TRAIN: "adopt", f"{KIND}.old": "blocked delete"}  # it is all


@pytest.mark.usefixtures("key")
def test_a_flag_cannot_be_taken_off(world: Project) -> None:
    keyed(world)
    world.write(environment(metadata={"protect": True}), environment("other"))
    start(world)
    world.apply()

    def unprotect(body: dict[str, Any]) -> None:
        body["meta"]["description"] = body["meta"]["description"].replace(":p@", "@")

    edit_live(world, TRAIN, unprotect)
    world.write(environment("other"))
    assert world.plan() == {}
    assert named(world, "train")


def test_a_protected_asset_passed_off_as_a_leftover_is_kept(world: Project) -> None:
    world.write(environment(metadata={"protect": True}), *map(environment, ("a", "b", "c")))
    world.apply()
    scope = named(world, "train")["meta"]["clusterId"]
    name = "train-replaced-0a1b2c"
    mark = Mark("ml-platform", hash_id(KIND, "train"), deposed="0a1b2c")

    def depose(body: dict[str, Any]) -> None:
        description = write_mark("", mark, Holder(KIND, "cluster", scope, name))
        body["meta"] = {"name": name, "description": description}

    edit_live(world, TRAIN, depose)
    uid = named(world, name)["meta"]["id"]
    assert world.plan() == {TRAIN: "create", f"{TRAIN} (deposed 0a1b2c)": "blocked delete"}
    assert world.reconcile("apply", "--apply").code == 4
    assert named(world, name)["meta"]["id"] == uid


def test_an_asset_with_the_marks_of_two_stacks_is_nobody_s(world: Project) -> None:
    """Whichever comes first; a manifest that states it is in conflict with it."""
    world.write(environment(), *map(environment, ("a", "b", "c")))
    world.apply()
    scope = named(world, "train")["meta"]["clusterId"]
    theirs = write_mark(
        "", Mark("them", hash_id(KIND, "train")), Holder(KIND, "cluster", scope, "train")
    )
    ours = named(world, "train")["meta"]["description"]
    for both in (f"{ours} {theirs}", f"{theirs}{ours}"):

        def rewrite(body: dict[str, Any], text: str = both) -> None:
            body["meta"]["description"] = text

        edit_live(world, TRAIN, rewrite)
        world.write(environment(), *map(environment, ("a", "b", "c")))
        assert world.plan() == {TRAIN: "conflict adopt"}
        world.write(*map(environment, ("a", "b", "c")))
        assert world.plan() == {}
        world.apply()
    assert named(world, "train")["meta"]["description"] == both
