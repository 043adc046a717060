"""What was applied says from which commit, and a commit by itself changes nothing."""

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import edit_live, named
from tests.acceptance.project import Project, environment


def description(world: Project, name: str = "train") -> str:
    return str(named(world, name)["meta"]["description"])


def test_an_asset_names_the_commit_that_wrote_it(world: Project) -> None:
    world.write(environment(), environment("other"))
    start(world)
    made = git(world.directory, "rev-parse", "HEAD")[:7]
    world.apply()
    assert description(world).endswith(f"@{made}]")
    second = commit(world, "Nothing that matters")
    world.server.requests.clear()
    assert "No changes." in world.apply().out
    assert not world.server.requests.writes()
    world.write(environment(image="busybox:2"), environment("other"))
    third = commit(world, "Use the second")
    world.apply()
    assert description(world).endswith(f"@{third}]")
    assert description(world, "other").endswith(f"@{made}]")
    assert second not in description(world) + description(world, "other")


def test_what_is_not_committed_has_no_commit(world: Project) -> None:
    world.write(environment())
    start(world)
    world.write(environment(image="busybox:2"))
    world.apply()
    assert "@" not in description(world)


def test_outside_of_a_repository(world: Project) -> None:
    world.write(environment())
    world.apply()
    assert "@" not in description(world)


@pytest.mark.parametrize("suffix", ["", "@0000000", "@fffffff"])
def test_another_commit_in_the_mark_is_no_difference(world: Project, suffix: str) -> None:
    world.write(environment())
    start(world)
    world.apply()
    made = git(world.directory, "rev-parse", "HEAD")[:7]

    def edit(asset: dict[str, dict[str, str]]) -> None:
        text = asset["meta"]["description"]
        asset["meta"]["description"] = text.replace(f"@{made}", suffix)

    edit_live(world, "RunaiEnvironment.train", edit)
    ran = world.reconcile("plan")
    assert "No changes." in ran.out
    assert "Detached" not in ran.out
