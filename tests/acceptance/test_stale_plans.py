"""Everything that can move between a review and the apply: applied as designed, or refused (3).

Each refusal says per address what was approved, what is there now, and what moved.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.plan import digest_document
from tests.acceptance.live_side import assets, create_live, delete_live, edit_live, named
from tests.acceptance.project import Project, environment

TRAIN = "RunaiEnvironment.train"
OTHER = "RunaiEnvironment.other"
NEW = "sha256:" + "0" * 64


def image(name: str) -> Callable[[dict[str, Any]], None]:
    def edit(asset: dict[str, Any]) -> None:
        asset["spec"]["image"] = name

    return edit


@pytest.fixture
def file(world: Project) -> Path:
    """An approved plan: train is updated, other is created; stays is unchanged."""
    world.write(environment(), environment("stays"))
    world.apply()
    world.write(environment(image="busybox:2"), environment("stays"), environment("other"))
    path = world.directory / "plan.json"
    assert world.reconcile("plan", "--out", str(path)).code == 0
    return path


def refuse(world: Project, file: Path, *options: str) -> str:
    world.server.requests.clear()
    ran = world.reconcile("apply", str(file), "--apply", *options)
    assert ran.code == 3, ran.out + ran.err
    assert ran.out == ""
    assert not world.server.requests.writes()
    assert "nothing was changed" in ran.err
    return ran.err


def test_nothing_moved(world: Project, file: Path) -> None:
    ran = world.reconcile("apply", str(file), "--apply")
    assert ran.code == 0, ran.err
    assert named(world, "train")["spec"]["image"] == "busybox:2"
    assert len(assets(world)) == 3


def test_the_manifest_changed(world: Project, file: Path) -> None:
    world.write(environment(image="busybox:3"), environment("stays"), environment("other"))
    said = refuse(world, file)
    assert f"{TRAIN}: approved update, now update (the manifest changed)" in said
    assert 'manifest: image: approved "busybox:2", now "busybox:3"' in said
    assert OTHER not in said


def test_a_manifest_is_new_and_another_is_gone(world: Project, file: Path) -> None:
    world.write(environment(image="busybox:2"), environment("stays"), environment("third"))
    said = refuse(world, file)
    assert f"{OTHER}: approved create, now nothing (the manifest is gone)" in said
    assert "RunaiEnvironment.third: approved nothing, now create (the manifest is new)" in said


def test_the_live_object_changed(world: Project, file: Path) -> None:
    edit_live(world, TRAIN, image("busybox:9"))
    said = refuse(world, file)
    assert f"{TRAIN}: approved update, now update (the live object changed)" in said
    assert 'live object: image: approved "busybox:1", now "busybox:9"' in said


def test_a_live_object_that_needed_no_change_moved(world: Project, file: Path) -> None:
    edit_live(world, "RunaiEnvironment.stays", image("busybox:9"))
    said = refuse(world, file)
    assert "RunaiEnvironment.stays: approved unchanged, now update (the live object changed" in said


def test_the_object_is_gone(world: Project, file: Path) -> None:
    delete_live(world, "train")
    said = refuse(world, file)
    assert f"{TRAIN}: approved update, now create (the live object is gone)" in said


def test_an_object_appeared(world: Project, file: Path) -> None:
    cluster = named(world, "train")["meta"]["clusterId"]
    create_live(world, "other", {"image": "busybox:8"}, scope="cluster", clusterId=cluster)
    said = refuse(world, file)
    assert f"{OTHER}: approved create, now adopt (the live object appeared)" in said


def test_manifest_and_live_object_changed(world: Project, file: Path) -> None:
    edit_live(world, TRAIN, image("busybox:9"))
    world.write(environment(image="busybox:3"), environment("stays"), environment("other"))
    said = refuse(world, file)
    assert "(the manifest changed and the live object changed)" in said


def test_another_target(world: Project, file: Path) -> None:
    config = (world.directory / "reconciler.yaml").read_text()
    elsewhere = config.replace("live:\n", "second:\n").replace(": live\n", ": second\n")
    (world.directory / "reconciler.yaml").write_text(elsewhere)
    assert "approved live, now second (the target changed)" in refuse(
        world, file, "--target", "second"
    )


def test_the_same_target_that_leads_elsewhere(world: Project, file: Path, tmp_path: Path) -> None:
    config = (world.directory / "reconciler.yaml").read_text()
    elsewhere = config.replace("127.0.0.1", "localhost")
    assert elsewhere != config
    (world.directory / "reconciler.yaml").write_text(elsewhere)
    said = refuse(world, file)
    assert "target: approved live (Run:ai control plane http://127.0.0.1" in said
    assert "(the target changed)" in said


@pytest.mark.parametrize(
    ("version", "stale"), [("0.0.99", False), ("0.7.0", True), ("9.0.0", True)]
)
def test_another_version_of_the_tool(world: Project, file: Path, version: str, stale: bool) -> None:
    """A patch release means the same by a plan; a minor or major one may not."""
    document = json.loads(file.read_text())
    present = document["reconciler"]["version"]
    if not stale:
        version = ".".join([*present.split(".")[:2], "99"])
    document["reconciler"]["version"] = version
    document["reconciler"]["document_digest"] = digest_document(document)
    file.write_text(json.dumps(document))
    if stale:
        said = refuse(world, file)
        assert f"tool: approved with reconcile {version}, now {present} (the tool changed)" in said
    else:
        assert world.reconcile("apply", str(file), "--apply").code == 0


def test_a_plan_of_another_format(world: Project, file: Path) -> None:
    document = json.loads(file.read_text())
    document["format_version"] = "2.0"
    file.write_text(json.dumps(document))
    ran = world.reconcile("apply", str(file), "--apply")
    assert ran.code == 3
    assert "the plan has format '2.0'" in ran.err


def test_nothing_is_left_to_do(world: Project, file: Path) -> None:
    world.apply()
    said = refuse(world, file)
    assert "2 changes were approved, and there is nothing to do now" in said
    assert f"{TRAIN}: approved update, now unchanged (the live object changed)" in said
    assert f"{OTHER}: approved create, now unchanged (the live object appeared)" in said


def test_an_empty_plan_stays_empty(world: Project, file: Path) -> None:
    world.apply()
    assert world.reconcile("plan", "--out", str(file)).code == 0
    ran = world.reconcile("apply", str(file), "--apply")
    assert ran.code == 0, ran.err
    assert "No changes." in ran.out


class TestSubset:
    """Any part of what was approved, by `--only` and `--exclude`."""

    def test_one_of_two(self, world: Project, file: Path) -> None:
        ran = world.reconcile("apply", str(file), "--apply", "--only", OTHER)
        assert ran.code == 0, ran.err
        assert "1 added, 0 changed" in ran.last_line
        assert named(world, "train")["spec"]["image"] == "busybox:1"

    def test_all_but_one(self, world: Project, file: Path) -> None:
        ran = world.reconcile("apply", str(file), "--apply", "--exclude", OTHER)
        assert ran.code == 0, ran.err
        assert "0 added, 1 changed" in ran.last_line

    def test_what_moved_elsewhere_does_not_matter(self, world: Project, file: Path) -> None:
        edit_live(world, TRAIN, image("busybox:9"))
        assert world.reconcile("apply", str(file), "--apply", "--only", OTHER).code == 0

    def test_what_moved_in_it_does(self, world: Project, file: Path) -> None:
        edit_live(world, TRAIN, image("busybox:9"))
        assert "the live object changed" in refuse(world, file, "--only", TRAIN)

    def test_what_is_not_there_any_more(self, world: Project, file: Path) -> None:
        world.write(environment(image="busybox:2"), environment("stays"))
        said = refuse(world, file, "--only", OTHER)
        assert f"{OTHER}: approved create, now nothing (the manifest is gone)" in said
        assert "1 change was approved, and there is nothing to do now" in said

    def test_what_was_not_approved(self, world: Project, file: Path) -> None:
        world.write(environment("third"), file="third.yaml")
        ran = world.reconcile("apply", str(file), "--apply", "--only", "RunaiEnvironment.third")
        assert ran.code == 1
        assert "no address matches" in ran.err

    def test_what_it_needs_comes_with_it_as_reviewed(self, world: Project, file: Path) -> None:
        spec = {"compute": {"gpu": 1}}
        world.write(environment("other", **spec), environment(), environment("stays"))
        world.reconcile("plan", "--out", str(file))
        ran = world.reconcile("apply", str(file), "--apply", "--only", "*.other")
        assert ran.code == 0, ran.err
        assert "2 added" in ran.last_line

    def test_the_saved_selection_need_not_be_repeated(self, world: Project, file: Path) -> None:
        assert world.reconcile("plan", "--out", str(file), "--only", TRAIN).code == 0
        edit_live(world, "RunaiEnvironment.stays", image("busybox:9"))
        ran = world.reconcile("apply", str(file), "--apply")
        assert ran.code == 0, ran.err
        assert [item["meta"]["name"] for item in assets(world)].count("other") == 0

    def test_a_deletion_that_was_named(self, world: Project, file: Path) -> None:
        world.configure(guards={"max_deletes": 0})
        world.write(environment("stays"))
        assert world.reconcile("plan", "--out", str(file), "--only", TRAIN).code == 0
        assert world.reconcile("apply", str(file), "--apply").code == 0
        assert [item["meta"]["name"] for item in assets(world)] == ["stays"]

    def test_an_approval_clears_what_it_names_and_no_more(self, world: Project, file: Path) -> None:
        world.write(*[environment(f"e{n}") for n in range(5)], environment("stays"))
        world.apply()
        world.write(environment("stays"))
        assert world.reconcile("plan", "--out", str(file)).code == 4
        world.configure(guards={"max_delete_percent": 100})
        said = refuse(world, file, "--allow-destroy", "RunaiEnvironment.e0")
        assert "RunaiEnvironment.e1: approved as blocked, now it would be carried out" in said
        assert "RunaiEnvironment.e0:" not in said


class TestDigest:
    """`apply --expect-digest` in place of the file."""

    def digest(self, world: Project, *options: str) -> str:
        return world.reconcile("plan", "-o", "digest", *options).out.strip()

    def test_the_same_plan(self, world: Project, file: Path) -> None:
        digest = self.digest(world)
        assert json.loads(file.read_text())["reconciler"]["digest"] == digest
        ran = world.reconcile("apply", "--apply", "--expect-digest", digest)
        assert ran.code == 0, ran.err

    def test_another_plan(self, world: Project, file: Path) -> None:
        world.server.requests.clear()
        ran = world.reconcile("apply", "--apply", "--expect-digest", NEW)
        assert ran.code == 3
        assert f"approved {NEW}" in ran.err
        assert self.digest(world) in ran.err
        assert not world.server.requests.writes()

    def test_nothing_is_left_to_do(self, world: Project, file: Path) -> None:
        digest = self.digest(world)
        world.apply()
        ran = world.reconcile("apply", "--apply", "--expect-digest", digest)
        assert ran.code == 3
        assert "there is nothing to do now" in ran.err

    def test_a_part_of_the_plan(self, world: Project, file: Path) -> None:
        digest = self.digest(world)
        ran = world.reconcile("apply", "--apply", "--expect-digest", digest, "--only", OTHER)
        assert ran.code == 0, ran.err
        part = self.digest(world, "--only", TRAIN)
        ran = world.reconcile("apply", "--apply", "--expect-digest", part, "--only", TRAIN)
        assert ran.code == 0, ran.err

    def test_what_is_no_digest(self, world: Project, file: Path) -> None:
        ran = world.reconcile("apply", "--expect-digest", "sha256:12")
        assert ran.code == 1
        assert "reconcile plan -o digest" in ran.err


class TestReviewed:
    """`plan --reviewed`: what is new since the plan that was approved."""

    def test_the_same(self, world: Project, file: Path) -> None:
        ran = world.reconcile("plan", "--reviewed", str(file))
        assert ran.code == 0
        assert "2 changes as reviewed, 0 new since the review." in ran.out
        assert ran.out.count("# review: as reviewed") == 2

    def test_news(self, world: Project, file: Path) -> None:
        edit_live(world, "RunaiEnvironment.stays", image("busybox:9"))
        world.write(environment(image="busybox:3"), environment("stays"))
        ran = world.reconcile("plan", "--reviewed", str(file), "-o", "text", "-o", "json=new.json")
        assert "0 changes as reviewed, 2 new since the review." in ran.out
        assert "# review: new since the review (the live object changed" in ran.out
        assert "# review: reviewed as update, now update (the manifest changed)" in ran.out
        gone = f"  {OTHER}: reviewed as create, now nothing to do (the manifest is gone)"
        assert f"No longer to be done:\n{gone}\n" in ran.out
        review = json.loads((world.directory / "new.json").read_text())["reconciler"]["review"]
        assert sorted(review["news"]) == [OTHER, "RunaiEnvironment.stays", TRAIN]
        assert review["differs"] is True
        shown = world.reconcile("show", str(world.directory / "new.json")).out
        assert shown == ran.out

    def test_nothing_is_left(self, world: Project, file: Path) -> None:
        world.apply()
        ran = world.reconcile("plan", "--reviewed", str(file))
        assert ran.code == 3
        assert "changes were approved, and there is nothing to do now" in ran.err
        assert f"{TRAIN}: reviewed as update, now nothing to do" in ran.out

    def test_nothing_was_to_do(self, world: Project, file: Path) -> None:
        world.apply()
        world.reconcile("plan", "--out", str(file))
        edit_live(world, TRAIN, lambda asset: None)
        assert world.reconcile("plan", "--reviewed", str(file)).code == 0

    def test_a_digest(self, world: Project, file: Path) -> None:
        digest = json.loads(file.read_text())["reconciler"]["digest"]
        same = world.reconcile("plan", "--reviewed", digest).out
        assert "2 changes as reviewed, 0 new since the review." in same
        ran = world.reconcile("plan", "--reviewed", NEW)
        assert (ran.code, f"This is not the plan that was reviewed ({NEW})." in ran.out) == (
            0,
            True,
        )
        assert "# review" not in ran.out
        world.apply()
        assert world.reconcile("plan", "--reviewed", digest).code == 3

    def test_a_plan_of_another_stack(self, world: Project, file: Path) -> None:
        world.configure(stack="another")
        ran = world.reconcile("plan", "--reviewed", str(file))
        assert ran.code == 1
        assert "compare plans of one target and one stack" in ran.err
        ran = world.reconcile("plan", "--reviewed", str(file), "--if-comparable")
        assert ran.code == 4  # what is live is the other stack's
        assert "the reviewed plan is of target live, stack ml-platform" in ran.out

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda plan: plan["reconciler"].update(digest=NEW), "digest"),
            (lambda plan: plan.update(format_version="99.0"), "99.0"),
            (lambda plan: plan.update(format_version="9\x1b.0"), "9"),
            (lambda plan: plan.clear(), "plan"),
        ],
    )
    def test_a_plan_of_no_use_stops_nothing_where_it_is_asked_for(
        self, world: Project, file: Path, change: Any, words: str
    ) -> None:
        plan = json.loads(file.read_text())
        change(plan)
        bad, new = world.directory / "bad.json", world.directory / "new.json"
        bad.write_text(json.dumps(plan))
        assert world.reconcile("plan", "--reviewed", str(bad)).code in (1, 3)
        asked = ("--reviewed", str(bad), "--if-comparable", "--out", str(new))
        ran = world.reconcile("plan", *asked, "-o", "text", "-o", "markdown=new.md")
        assert ran.code == 0, ran.err
        assert "Warning: nothing was compared: " in ran.err
        notice = "Notice: nothing was compared with a reviewed plan: "
        (line,) = [line for line in ran.out.splitlines() if line.startswith(notice)]
        assert words in line
        assert "\x1b" not in ran.out + ran.err
        assert notice in (world.directory / "new.md").read_text()
        assert "# review" not in ran.out
        assert notice in world.reconcile("show", str(new)).out
        assert words in json.loads(new.read_text())["reconciler"]["review"]["uncompared"]
        assert world.reconcile("apply", str(new), "--apply").code == 0

    def test_what_one_of_several_reviews_has_shown_was_reviewed(self, world: Project) -> None:
        """Two pull requests that a merge queue has merged at once."""
        files = []
        for name in ("first", "second"):
            world.write(environment(), environment(name), file="all.yaml")
            files.append(str(world.directory / f"{name}.json"))
            assert world.reconcile("plan", "--out", files[-1]).code == 0
        both = [word for file in files for word in ("--reviewed", file)]
        world.write(environment(), environment("first"), environment("second"), file="all.yaml")
        ran = world.reconcile("plan", *both)
        assert "0 new since the review." in ran.out
        assert "No longer to be done" not in ran.out
        assert ", 1 new since the review." in world.reconcile("plan", *both[:2]).out
        world.write(environment(), environment("first"), environment("third"), file="all.yaml")
        ran = world.reconcile("plan", *both)
        assert ", 1 new since the review." in ran.out
        assert "  RunaiEnvironment.second: reviewed as create, now nothing to do" in ran.out
        world.apply()
        assert world.reconcile("plan", *both).code == 3
        ran = world.reconcile("plan", *both, "--reviewed", NEW)
        assert (ran.code, "are named by their files" in ran.err) == (1, True)

    def test_what_can_be_compared_is_compared(self, world: Project, file: Path) -> None:
        ran = world.reconcile("plan", "--reviewed", str(file), "--if-comparable")
        assert "2 changes as reviewed, 0 new since the review." in ran.out
        assert world.reconcile("plan", "--if-comparable").code == 1


def break_login(world: Project) -> None:
    """From now on the control plane cannot be read."""
    path = world.directory / "reconciler.yaml"
    secret = world.endpoint.client_secret.get_secret_value()
    path.write_text(path.read_text().replace(secret, "not-the-secret"))


@pytest.mark.parametrize("approved", ["file", "digest", "both"])
def test_what_cannot_be_read_has_not_moved(world: Project, file: Path, approved: str) -> None:
    digest = json.loads(file.read_text())["reconciler"]["digest"]
    words = {"file": [str(file)], "digest": ["--expect-digest", digest]}
    words["both"] = [*words["file"], *words["digest"]]
    break_login(world)
    for really in (["--apply"], []):
        ran = world.reconcile("apply", *words[approved], *really)
        assert ran.code == 1, ran.out + ran.err
        assert "the control plane refused the login" in ran.out + ran.err
        assert "gone" not in ran.out + ran.err
        assert "nothing to do now" not in ran.out + ran.err
    assert "nothing was applied, because the plan is incomplete" in (
        world.reconcile("apply", *words[approved], "--apply").err
    )


def test_what_cannot_be_read_is_not_compared_with_a_review(world: Project, file: Path) -> None:
    break_login(world)
    ran = world.reconcile("plan", "--reviewed", str(file))
    assert ran.code == 1
    assert "No longer to be done" not in ran.out
    assert "nothing was compared with a reviewed plan: this plan is incomplete" in ran.out
    assert "gone" not in ran.out
