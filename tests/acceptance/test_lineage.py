"""Whose writing a live object bears: checkouts that are behind, and repositories of one stack.

Real repositories against one control plane. The rule itself is in tests/core/test_lineage.py.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import assets, edit_live, named
from tests.acceptance.project import Project, environment

TRAIN, OTHER = "RunaiEnvironment.train", "RunaiEnvironment.other"


def second(world: Project, directory: Path) -> Project:
    """Another project on the same control plane, with the same stack."""
    return Project(directory, world.server, world.endpoint, world.capture)


def clone(world: Project, directory: Path, *words: str) -> Project:
    """A clone of the project as another machine has it."""
    git(
        world.directory.parent, "clone", "--quiet", *words, world.directory.as_uri(), str(directory)
    )
    return second(world, directory)


def names(world: Project) -> set[str]:
    return {entry["meta"]["name"] for entry in assets(world)}


def refusals(world: Project, *words: str) -> dict[str, str]:
    document = json.loads(world.reconcile("plan", "-o", "json", *words).out)
    return {
        item["address"]: f"{item['reconciler']['refusal']['reason']}; "
        f"{item['reconciler']['refusal']['fix']}"
        for item in document["resource_changes"]
        if item["reconciler"]["refusal"]
    }


@pytest.fixture
def ahead(world: Project, tmp_path: Path) -> tuple[Project, Project, str]:
    """A clone that is one commit behind what was applied, that clone's origin, and the commit."""
    world.write(environment(), environment("old"))
    start(world)
    world.apply()
    behind = clone(world, tmp_path / "behind")
    world.write(environment(image="busybox:2"), environment("old"), environment("other"))
    newer = commit(world, "Add another")
    world.apply()
    return behind, world, newer


def test_a_checkout_that_is_behind_changes_nothing_that_is_newer(
    ahead: tuple[Project, Project, str],
) -> None:
    behind, _, newer = ahead
    behind.write(environment(), environment("old", image="busybox:3"), environment("new"))
    ran = behind.reconcile("apply", "--apply", "--allow-destroy", OTHER, "--allow-deletes", "1")
    assert ran.code == 4, ran.out
    assert names(behind) == {"train", "old", "other", "new"}
    assert named(behind, "train")["spec"]["image"] == "busybox:2"
    assert named(behind, "old")["spec"]["image"] == "busybox:3", "what is not newer is applied"
    found = refusals(behind)
    assert set(found) == {TRAIN, OTHER}
    for text in found.values():
        assert f"written by {newer}" in text
        assert "not fetched" in text
    git(behind.directory, "stash", "--quiet")
    git(behind.directory, "fetch", "--quiet")
    assert all("HEAD is behind" in text for text in refusals(behind).values())
    git(behind.directory, "pull", "--quiet")
    assert not refusals(behind)


def test_what_is_newer_is_not_called_drift(ahead: tuple[Project, Project, str]) -> None:
    behind, _, newer = ahead
    git(behind.directory, "fetch", "--quiet")
    ran = behind.reconcile("plan", "--since", "HEAD")
    assert "0 changes from this branch, 0 drift, 2 written by newer commits" in ran.out
    assert ran.out.count(f"ahead: written by {newer}, which is not known to be in HEAD") == 2
    assert "# drift" not in ran.out
    saved = behind.reconcile("plan", "--since", "HEAD", "--out", str(behind.directory / "p.json"))
    assert saved.code == 4
    shown = behind.reconcile("show", str(behind.directory / "p.json"))
    assert shown.out.count(f"ahead: written by {newer}") == 2


def test_going_back_on_purpose_is_shown_and_approved(ahead: tuple[Project, Project, str]) -> None:
    behind, _, _ = ahead
    git(behind.directory, "fetch", "--quiet")
    file = behind.directory / "plan.json"
    plain = behind.reconcile("plan", "-o", "digest").out.strip()
    ran = behind.reconcile("plan", "--rollback", "--out", str(file))
    assert ran.code == 0
    assert " · rollback" in ran.out.splitlines()[2] or " · rollback" in ran.out
    digest = json.loads(file.read_text())["reconciler"]["digest"]
    assert digest != plain
    assert behind.reconcile("apply", "--expect-digest", digest, "--apply").code == 3
    ran = behind.reconcile("apply", "--rollback", "--expect-digest", plain, "--apply")
    assert ran.code == 3
    assert names(behind) == {"train", "old", "other"}
    ran = behind.reconcile("apply", str(file), "--apply")
    assert ran.code == 0, ran.err
    assert "rollback" in ran.out
    assert names(behind) == {"train", "old"}
    assert named(behind, "train")["spec"]["image"] == "busybox:1"


def test_a_rewritten_history_is_named(ahead: tuple[Project, Project, str], tmp_path: Path) -> None:
    """A force push: in a fresh clone, the commit that wrote the objects is not there."""
    _, origin, newer = ahead
    git(origin.directory, "commit", "--quiet", "--amend", "-m", "Say it better")
    fresh = clone(origin, tmp_path / "fresh")
    fresh.write(environment(), environment("old"), environment("other"))
    commit(fresh, "Go on")
    assert f"--take-over {newer}" in refusals(fresh)[TRAIN]
    assert not refusals(fresh, "--take-over", newer)
    assert fresh.reconcile("plan", "--take-over", "main").code == 1
    ran = fresh.reconcile("apply", "--take-over", newer, "--apply")
    assert ran.code == 0, ran.out
    assert "2 changed" in ran.out, "the mark of the other one is renewed, too"
    assert f"take-over {newer}" in ran.out
    assert "No changes." in fresh.reconcile("plan").out


@pytest.mark.parametrize("depth", ["1", "2"])
def test_a_shallow_clone_says_how_to_deepen(world: Project, tmp_path: Path, depth: str) -> None:
    world.write(environment())
    start(world)
    world.apply()
    for number in range(int(depth)):
        world.write(environment(image=f"busybox:{number + 2}"))
        commit(world, "Go on")
    shallow = clone(world, tmp_path / "shallow", "--depth", depth)
    (text,) = refusals(shallow).values()
    assert "shallow clone cannot tell" in text
    assert "git fetch --unshallow" in text
    assert "fetch-depth: 0" in text
    git(shallow.directory, "fetch", "--quiet", "--unshallow")
    assert not refusals(shallow)


def repository(world: Project, origin: str, *, dirty: bool) -> None:
    git(world.directory, "init", "--quiet", "--initial-branch", "main")
    (world.directory / ".gitignore").write_text("*.json\n.reconcile/\n")
    commit(world, f"Begin {world.directory.name}")
    if origin:
        git(world.directory, "remote", "add", "origin", origin)
    if dirty:
        (world.directory / "manifests" / "note.yaml").write_text("# not committed\n")


@pytest.mark.parametrize("dirty", [False, True], ids=["clean", "dirty"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://github.com/acme/ml.git", "git@github.com:beta/ml.git"),
        ("https://github.com/acme/ml.git", "https://gitlab.com/acme/ml.git"),
        ("https://github.com/acme/ml.git", ""),
        ("", ""),
        ("", "ssh://git@host.example.com:2222/ml"),
    ],
)
def test_two_repositories_with_one_stack_leave_each_other_alone(
    world: Project, tmp_path: Path, ours: str, theirs: str, *, dirty: bool
) -> None:
    world.write(environment(), environment("mine"))
    repository(world, ours, dirty=dirty)
    world.apply()
    other = second(world, tmp_path / "copied")
    other.write(environment(image="busybox:9"), environment("theirs"))
    repository(other, theirs, dirty=dirty)
    ran = other.reconcile("apply", "--apply", "--allow-deletes", "2")
    assert ran.code == 4
    assert names(world) == {"train", "mine", "theirs"}
    assert named(world, "train")["spec"]["image"] == "busybox:1"
    assert "another repository with the same stack" in refusals(other)[TRAIN]
    assert 'RunaiEnvironment "mine"' in other.reconcile("plan").out, "listed"
    ran = world.reconcile("apply", "--apply")
    assert ran.code == 0
    assert names(world) == {"train", "mine", "theirs"}
    document = json.loads(other.reconcile("plan", "-o", "json").out)
    assert document["reconciler"]["owned"] == 1


def test_outside_of_git_nothing_of_a_repository_is_changed(world: Project, tmp_path: Path) -> None:
    world.write(environment())
    repository(world, "https://github.com/acme/ml", dirty=False)
    world.apply()
    copied = second(world, tmp_path / "copied")
    copied.write(environment("more"))
    assert copied.reconcile("apply", "--apply").code == 0
    assert names(world) == {"train", "more"}
    assert "in no Git repository" in copied.reconcile("plan").out


def test_a_directory_that_becomes_a_repository_goes_on(world: Project) -> None:
    world.write(environment())
    world.apply()
    repository(world, "", dirty=False)
    world.write(environment(image="busybox:2"))
    world.apply()
    world.write()
    commit(world, "Stop")
    world.write(environment("last"))
    world.apply("--allow-deletes", "1")
    assert names(world) == {"last"}


@pytest.mark.parametrize(
    "address",
    [
        "ssh://git@github.com:22/acme/ml.git",
        "git@GitHub.com:Acme/ML",
        "https://user:token@github.com/acme/ml/",
        "https://github.com:443/acme//ml.git",
    ],
)
def test_one_repository_by_every_address(world: Project, tmp_path: Path, address: str) -> None:
    """Even with nothing committed, so that no commit tells."""
    world.write(environment(), environment("gone"))
    repository(world, "https://github.com/acme/ml.git", dirty=True)
    world.apply()
    other = second(world, tmp_path / "again")
    other.write(environment(image="busybox:2"))
    repository(other, address, dirty=True)
    assert other.plan() == {TRAIN: "update", "RunaiEnvironment.gone": "delete"}
    assert "github.com/acme/ml]" in named(world, "train")["meta"]["description"]


@pytest.mark.parametrize("renamed", [False, True], ids=["copied", "renamed"])
def test_a_repository_copied_with_its_history_changes_nothing_until_told(
    world: Project, tmp_path: Path, *, renamed: bool
) -> None:
    """A renamed repository looks the same, and says so once."""
    world.write(environment(), environment("still"), environment("gone"))
    repository(world, "https://github.com/acme/ml", dirty=False)
    world.apply()
    other = world if renamed else clone(world, tmp_path / "copied")
    git(other.directory, "remote", "set-url", "origin", "https://github.com/acme/platform")
    assert "No changes." in other.reconcile("plan").out
    other.write(environment(image="busybox:2"), environment("still"), environment("new"))
    commit(other, "Go on")
    ran = other.reconcile("apply", "--apply", "--rollback", "--allow-deletes", "1")
    assert ran.code == 4, ran.out
    assert names(world) == {"train", "still", "gone", "new"}
    assert named(world, "train")["spec"]["image"] == "busybox:1"
    assert set(refusals(other)) == {TRAIN, "RunaiEnvironment.gone"}
    found = re.search(r"--take-over ([a-z2-7]{8})", refusals(other)[TRAIN])
    assert found is not None
    other.apply("--take-over", found[1])
    assert names(world) == {"train", "still", "new"}
    for name in names(world):
        assert "github.com/acme/platform]" in named(world, name)["meta"]["description"]
    assert "No changes." in other.reconcile("plan").out


def test_an_origin_that_is_added_later_changes_nothing(world: Project) -> None:
    world.write(environment(), environment("gone"))
    repository(world, "", dirty=False)
    world.apply()
    git(world.directory, "remote", "add", "origin", "https://github.com/acme/ml")
    world.write(environment(image="busybox:2"))
    commit(world, "Go on")
    world.apply()
    assert names(world) == {"train"}
    assert "github.com/acme/ml]" in named(world, "train")["meta"]["description"]


def test_two_directories_of_one_repository(world: Project, tmp_path: Path) -> None:
    """They share every commit; only a directory that moved is still the same one."""
    top = tmp_path / "mono"
    first = second(world, top / "first")
    first.write(environment(), environment("mine"))
    copied = second(world, top / "second")
    copied.write(environment("theirs"))
    git(top, "init", "--quiet", "--initial-branch", "main")
    git(top, "remote", "add", "origin", "https://github.com/acme/mono")
    commit(second(world, top), "Begin")
    shutil.rmtree(top / "manifests")
    (top / "reconciler.yaml").unlink()
    git(top, "commit", "--quiet", "--all", "-m", "Only the two")
    first.apply()
    copied.apply()
    assert first.plan() == copied.plan() == {}
    assert names(world) == {"train", "mine", "theirs"}
    git(top, "remote", "set-url", "origin", "https://github.com/acme/renamed")
    assert copied.plan() == {}, "a rename of the repository lets them fall together as little"
    git(top, "remote", "set-url", "origin", "https://github.com/acme/mono")
    git(top, "mv", "first", "moved")
    git(top, "commit", "--quiet", "-m", "Move it")
    moved = second(world, top / "moved")
    moved.write(environment(image="busybox:2"))
    changes = {TRAIN: "update", "RunaiEnvironment.mine": "delete"}
    assert moved.plan() == {address: f"blocked {done}" for address, done in changes.items()}
    copied.write(environment(image="busybox:3"))
    assert copied.plan() == {
        TRAIN: "blocked update",
        "RunaiEnvironment.mine": "blocked delete",
        "RunaiEnvironment.theirs": "delete",
    }, "it does not become the heir of the one that moved"
    git(top, "rm", "--quiet", "-r", "--force", "second")
    git(top, "commit", "--quiet", "-m", "Only one is left")
    assert moved.plan().items() >= changes.items(), "there is no other that it could be"


def test_taking_over_from_a_former_repository(world: Project, tmp_path: Path) -> None:
    world.write(environment(), environment("gone"))
    repository(world, "https://github.com/acme/old", dirty=False)
    world.apply()
    new = second(world, tmp_path / "new")
    new.write(environment())
    repository(new, "https://github.com/acme/new", dirty=False)
    found = re.search(r"--take-over ([a-z2-7]{8})", refusals(new)[TRAIN])
    assert found is not None
    plan = new.reconcile("plan", "--take-over", found[1])
    assert f"take-over {found[1]}" in plan.out.splitlines()[0]
    assert new.plan("--take-over", found[1]) == {TRAIN: "update", "RunaiEnvironment.gone": "delete"}
    new.apply("--take-over", found[1])
    assert names(world) == {"train"}
    assert "github.com/acme/new]" in named(world, "train")["meta"]["description"]
    assert "No changes." in new.reconcile("plan").out
    assert refusals(world) == {TRAIN: refusals(world)[TRAIN]}


def test_who_wrote_it_is_explained(ahead: tuple[Project, Project, str]) -> None:
    behind, origin, newer = ahead
    text = origin.reconcile("explain", TRAIN).out
    assert re.search(r'last written by "[^"]+" at 20', text)
    assert re.search(rf'commit {newer}\w+ \("Ada Lovelace", 2026.*\): "Add another"', text)
    text = behind.reconcile("explain", TRAIN).out
    assert re.search(rf"names commit {newer}\w+, which this checkout does not have", text)


def test_a_saved_plan_of_what_was_written_again_is_stale(world: Project) -> None:
    world.write(environment())
    start(world)
    world.apply()
    world.write(environment(image="busybox:2"))
    file = str(world.directory / "plan.json")
    assert world.reconcile("plan", "--out", file).code == 0
    edit_live(world, TRAIN, lambda body: body["meta"].update(description="gone"))
    assert world.reconcile("apply", file, "--apply").code == 3
