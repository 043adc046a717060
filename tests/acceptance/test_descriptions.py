"""What people write around a mark in the web interface, and what they do to it."""

from typing import Any

import pytest

from tests.acceptance.git_project import commit, start
from tests.acceptance.live_side import assets, create_live, edit_live, named
from tests.acceptance.project import Project, environment

TRAIN = "RunaiEnvironment.train"


def description(world: Project, name: str = "train") -> str:
    return str(named(world, name)["meta"]["description"])


def rewrite(world: Project, text: str) -> None:
    """Set the description; `MARK` stands for what it is now, `WORDS` for its text."""
    now = description(world)
    words, _, mark = now.rpartition("[reconcile:")
    text = text.replace("MARK", f"[reconcile:{mark}").replace("WORDS", words.strip())
    edit_live(world, TRAIN, lambda body: body["meta"].update(description=text))


@pytest.fixture
def marked(world: Project) -> Project:
    world.write(environment(description="ML training"))
    start(world)
    world.apply()
    return world


@pytest.mark.parametrize(
    "text",
    [
        "WORDS MARK, ask Ada before use",
        "WORDS MARK.",
        "Deprecated! WORDS MARK",
        "MARK WORDS, and more",
        "first line\nWORDS\nMARK\nlast line",
        "MARK",
    ],
)
def test_text_around_a_mark_is_drift_and_is_put_back(marked: Project, text: str) -> None:
    before = description(marked)
    rewrite(marked, text)
    assert marked.plan() == {TRAIN: "update"}
    assert marked.fields(TRAIN) == ["description"]
    marked.apply()
    assert description(marked) == before


def test_blanks_and_breaks_around_a_mark_are_no_difference(marked: Project) -> None:
    for text in ("WORDS\nMARK", "  WORDS MARK\n\n", "WORDS\tMARK"):
        rewrite(marked, text)
        assert "No changes." in marked.reconcile("plan").out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("WORDS MARK MARK", "more than one ownership mark"),
        ("WORDS MARK [reconcile:other", "more than one ownership mark"),
        ("WORDS [RECONCILE:ml-platform:afe7aryjkegu:edyfzqik]", "damaged"),
        ("WORDS [reconcile:ml-platform:afe7ary", "damaged"),
        ("WORDS afe7aryjkegu:edyfzqik]", "damaged"),
    ],
)
def test_two_marks_and_damaged_ones_are_said_and_never_ours(
    marked: Project, text: str, why: str
) -> None:
    rewrite(marked, text)
    assert marked.plan() == {TRAIN: "conflict adopt"}
    marked.write(environment("another"))
    assert why in marked.reconcile("apply", "--apply", "--allow-deletes", "1").out
    assert {entry["meta"]["name"] for entry in assets(marked)} == {"train", "another"}


@pytest.mark.parametrize("length", [190, 249, 250])
def test_a_filled_description_stands_in_no_way_of_a_replacement(
    marked: Project, length: int
) -> None:
    mark = description(marked).rpartition("[")[2]
    filled = "x" * (length - len(mark) - 2)
    rewrite(marked, f"{filled} MARK")
    assert len(description(marked)) == length
    marked.write(environment(scope="project", scope_id="team-a", description="ML training"))
    commit(marked, "Move it")  # so that the mark of what is left over is longer than that before
    ran = marked.reconcile("apply", "--apply", "--allow-destroy", TRAIN)
    assert ran.code == 0, ran.out + ran.err
    (entry,) = assets(marked)
    assert entry["meta"]["scope"] == "project"
    assert ("cutting its description" in ran.err) == (length > 240)


def test_a_manifest_may_fill_what_there_is_room_for(world: Project) -> None:
    world.write(environment(description="x" * 250))
    start(world)
    error = world.reconcile("validate").err
    limit = int(error.partition("characters; ")[2].split(" ")[0])
    world.write(environment(description="x" * limit))
    world.apply()
    assert "No changes." in world.reconcile("plan").out
    world.write(environment(scope="tenant", description="x" * limit))
    world.apply("--allow-destroy", TRAIN)
    assert "x" * limit + " [reconcile:" in description(world)


def test_a_filled_description_of_nobodys_is_adopted(world: Project) -> None:
    create_live(world, "train", {"image": "busybox:1"}, description="x" * 250)
    adopted: dict[str, Any] = environment(scope="tenant", metadata={"adopt": True})
    world.write(adopted)
    start(world)
    world.apply()
    assert description(world).startswith("[reconcile:")
