"""What was applied says from which commit, and a commit by itself changes nothing."""

import re

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import edit_live, named
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
