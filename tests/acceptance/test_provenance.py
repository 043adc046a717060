"""What was applied says from which commit, and a commit by itself changes nothing."""

import re

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import assets, edit_live, named
from tests.acceptance.project import Project, environment


def description(world: Project, name: str = "train") -> str:
    return str(named(world, name)["meta"]["description"])


def test_an_asset_names_the_commit_that_wrote_it(world: Project) -> None:
    world.write(environment(), environment("other"))
    start(world)
    made = git(world.directory, "rev-parse", "HEAD")[:10]
    world.apply()
    assert description(world).endswith(f".{made}]")
    second = commit(world, "Nothing that matters")
    world.server.requests.clear()
    assert "No changes." in world.apply().out
    assert not world.server.requests.writes()
    world.write(environment(image="busybox:2"), environment("other"))
    third = commit(world, "Use the second")
    world.apply()
    assert f".{third}" in description(world)
    assert description(world, "other").endswith(f".{made}]")
    assert second not in description(world) + description(world, "other")


def test_what_is_not_committed_has_no_commit(world: Project) -> None:
    world.write(environment())
    start(world)
    world.write(environment(image="busybox:2"))
    world.apply()
    assert re.search(r"@[a-z2-7]{8}\]", description(world)), "the repository, and no commit"


def test_outside_of_a_repository(world: Project) -> None:
    world.write(environment())
    world.apply()
    assert "@" not in description(world)


@pytest.mark.parametrize("suffix", ["", ".0000000000", ".ffffffffff"])
def test_another_commit_in_the_mark_by_hand_detaches_it(world: Project, suffix: str) -> None:
    """Whether an object may be changed hangs on it, so that the check covers it."""
    world.write(environment())
    start(world)
    world.apply()
    made = git(world.directory, "rev-parse", "HEAD")[:10]

    def edit(asset: dict[str, dict[str, str]]) -> None:
        text = asset["meta"]["description"]
        asset["meta"]["description"] = text.replace(f".{made}", suffix)

    edit_live(world, "RunaiEnvironment.train", edit)
    assert "will be imported" in world.reconcile("plan").out


def test_two_configurations_in_one_directory_leave_each_other_alone(world: Project) -> None:
    """They have one stack and one control plane, as a copy of reconciler.yaml has."""
    other = world.directory / "more.yaml"
    text = (world.directory / "reconciler.yaml").read_text()
    other.write_text(f"{text}manifests: more\n")
    (world.directory / "more").mkdir()
    world.write(environment("a"), environment("kept"))
    (world.directory / "manifests" / "all.yaml").rename(world.directory / "more" / "all.yaml")
    world.write(environment("b"), environment("stays"))
    start(world)
    words = ("--config", "more.yaml")
    assert world.reconcile(*words, "apply", "--apply").code == 0
    assert world.reconcile("apply", "--apply").code == 0
    assert {item["meta"]["name"] for item in assets(world)} == {"a", "b", "kept", "stays"}
    for place in ((), words):
        ran = world.reconcile(*place, "plan")
        assert "No changes." in ran.out, ran.out + ran.err
        assert (
            "it belongs to another configuration of this repository with the same stack" in ran.out
        )
    world.write(environment("stays"))
    commit(world, "Remove b")
    ran = world.reconcile("apply", "--apply", "--allow-deletes=1")
    assert ran.code == 0, ran.out + ran.err
    assert {item["meta"]["name"] for item in assets(world)} == {"a", "kept", "stays"}


def test_manifests_that_move_with_their_only_configuration_stay_ours(world: Project) -> None:
    world.write(environment("a"))
    start(world)
    world.apply()
    (world.directory / "manifests").rename(world.directory / "moved")
    world.configure(manifests="moved")
    commit(world, "Move them")
    assert world.plan() == {}
