"""`plan --since`: every change is the branch's, drift, or both; with commit, author and line."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import delete_live, edit_live
from tests.acceptance.project import Project, Ran, environment

TRAIN = "RunaiEnvironment.train"


@pytest.fixture
def branch(world: Project) -> Project:
    """`main` is applied; `work` is checked out."""
    world.write(environment(), environment("stays"))
    world.apply()
    start(world)
    return world


def plan(world: Project, *options: str, since: str = "main") -> Ran:
    ran = world.reconcile("plan", "--since", since, *options)
    assert ran.code in (0, 4), ran.err
    return ran


def causes(world: Project, since: str = "main") -> dict[str, Any]:
    document = json.loads(plan(world, "-o", "json", since=since).out)
    return {
        item["address"]: item["reconciler"]["cause"]
        for item in document["resource_changes"]
        if item["reconciler"]["cause"]
    }


def image(name: str) -> Callable[[dict[str, Any]], None]:
    def edit(asset: dict[str, Any]) -> None:
        asset["spec"]["image"] = name

    return edit


def test_a_change_of_the_branch(branch: Project) -> None:
    branch.write(environment(image="busybox:2"), environment("stays"))
    made = commit(branch, "Use the second")
    said = plan(branch).out
    assert f'  # branch: {made} Ada Lovelace "Use the second" (manifests/all.yaml:7)\n' in said
    assert "1 change from this branch, 0 drift (since main).\n" in said
    lines = (branch.directory / "manifests" / "all.yaml").read_text().splitlines()
    assert lines[6] == "  image: busybox:2"


def test_drift(branch: Project) -> None:
    edit_live(branch, TRAIN, image("busybox:9"))
    commit(branch, "Nothing that matters")
    said = plan(branch).out
    assert "  # drift: changed by " in said
    assert ", outside this branch\n" in said
    assert "0 changes from this branch, 1 drift (since main).\n" in said
    cause = causes(branch)[TRAIN]
    assert (cause["origin"], cause["edit"]) == ("drift", None)
    assert cause["changed_by"]
    assert cause["changed_at"].startswith("20")


def test_an_object_that_somebody_deleted(branch: Project) -> None:
    delete_live(branch, "train")
    assert "# drift: not in the live system, outside this branch" in plan(branch).out


def test_both(branch: Project) -> None:
    edit_live(branch, TRAIN, image("busybox:9"))
    branch.write(environment(image="busybox:2"), environment("stays"))
    made = commit(branch, "Use the second")
    said = plan(branch).out
    assert f"# branch: {made} " in said
    assert "# drift: changed by " in said
    assert "0 changes from this branch, 0 drift, 1 both (since main).\n" in said


def test_one_of_each(branch: Project) -> None:
    edit_live(branch, "RunaiEnvironment.stays", image("busybox:9"))
    branch.write(environment(image="busybox:2"), environment("stays"))
    branch.write(environment("new"), file="new.yaml")
    commit(branch, "Two changes")
    assert "2 changes from this branch, 1 drift (since main).\n" in plan(branch).out


def test_a_revert(branch: Project) -> None:
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "Use the second")
    git(branch.directory, "revert", "--no-edit", "HEAD")
    assert causes(branch) == {}
    edit_live(branch, TRAIN, image("busybox:9"))
    assert causes(branch)[TRAIN]["origin"] == "drift"


def test_the_newest_edit_counts(branch: Project) -> None:
    for tag in ("2", "3"):
        branch.write(environment(image=f"busybox:{tag}"), environment("stays"))
        last = commit(branch, f"Use {tag}")
    path = branch.directory / "manifests" / "all.yaml"
    path.write_text("# a comment\n\n" + path.read_text())
    commit(branch, "Say something")
    assert causes(branch)[TRAIN]["edit"]["commit"].startswith(last)


def test_a_renamed_file_and_a_moved_manifest(branch: Project) -> None:
    manifests = branch.directory / "manifests"
    (manifests / "deep").mkdir()
    git(branch.directory, "mv", "manifests/all.yaml", "manifests/deep/renamed.yaml")
    commit(branch, "Rename the file")
    assert causes(branch) == {}
    branch.write(environment("stays"), file="deep/renamed.yaml")
    branch.write(environment(), file="train.yaml")
    commit(branch, "Move a manifest")
    assert causes(branch) == {}
    edit_live(branch, TRAIN, image("busybox:9"))
    assert causes(branch)[TRAIN]["origin"] == "drift"


def test_an_edit_before_a_move_is_the_edit(branch: Project) -> None:
    branch.write(environment(image="busybox:2"), environment("stays"))
    made = commit(branch, "Use the second")
    git(branch.directory, "mv", "manifests/all.yaml", "manifests/renamed.yaml")
    commit(branch, "Rename the file")
    edit = causes(branch)[TRAIN]["edit"]
    assert edit["commit"].startswith(made)
    assert edit["file"] == "manifests/all.yaml"


def test_a_deleted_manifest(branch: Project) -> None:
    branch.write(environment("stays"))
    made = commit(branch, "Drop train")
    cause = causes(branch)[TRAIN]
    assert cause["origin"] == "branch"
    assert cause["edit"]["commit"].startswith(made)
    assert (cause["edit"]["file"], cause["edit"]["line"]) == ("manifests/all.yaml", 1)


def test_another_id_for_the_same_object(branch: Project) -> None:
    branch.write(environment(metadata={"id": "trainer"}), environment("stays"))
    made = commit(branch, "Give it an id")
    (cause,) = causes(branch).values()
    assert cause["origin"] == "branch"
    assert cause["edit"]["commit"].startswith(made)


def test_compute_and_environment_have_their_own_edits(branch: Project) -> None:
    branch.write(environment(compute={"gpu": 1}), environment("stays"))
    first = commit(branch, "Ask for a GPU")
    branch.write(environment(image="busybox:2", compute={"gpu": 1}), environment("stays"))
    second = commit(branch, "Use the second")
    edits = {name: cause["edit"]["commit"][:7] for name, cause in causes(branch).items()}
    assert edits == {"RunaiCompute.train": first, TRAIN: second}


def test_a_rebased_branch(branch: Project) -> None:
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "Use the second")
    git(branch.directory, "checkout", "--quiet", "main")
    branch.write(environment("later"), file="later.yaml")
    commit(branch, "Somebody else's")
    branch.apply("--only", "RunaiEnvironment.later")
    git(branch.directory, "checkout", "--quiet", "work")
    git(branch.directory, "rebase", "--quiet", "main")
    made = git(branch.directory, "rev-parse", "HEAD")[:7]
    found = causes(branch)
    assert list(found) == [TRAIN]
    assert found[TRAIN]["edit"]["commit"].startswith(made)


def test_what_the_base_merged_and_nobody_applied_is_not_the_branchs(branch: Project) -> None:
    git(branch.directory, "checkout", "--quiet", "main")
    branch.write(environment("later"), file="later.yaml")
    commit(branch, "Somebody else's")
    git(branch.directory, "checkout", "--quiet", "work")
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "Use the second")
    git(branch.directory, "merge", "--quiet", "--no-edit", "main")
    origins = {name: cause["origin"] for name, cause in causes(branch).items()}
    assert origins == {TRAIN: "branch", "RunaiEnvironment.later": "drift"}


def test_a_change_that_only_a_merge_made(branch: Project) -> None:
    git(branch.directory, "checkout", "--quiet", "main")
    branch.write(environment("later"), file="later.yaml")
    commit(branch, "Somebody else's")
    git(branch.directory, "checkout", "--quiet", "work")
    branch.write(environment("own"), file="own.yaml")
    commit(branch, "My own")
    git(branch.directory, "merge", "--quiet", "--no-commit", "main")
    branch.write(environment(image="busybox:2"), environment("stays"))
    made = commit(branch, "Merge, and more")
    assert causes(branch)[TRAIN]["edit"]["commit"].startswith(made)


def test_a_work_tree_that_is_not_committed(branch: Project) -> None:
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "Use the second")
    branch.write(environment(image="busybox:3"), environment("stays"))
    branch.write(environment("new"), file="new.yaml")
    ran = plan(branch)
    assert ran.out.count("# branch: not committed yet") == 2
    assert ran.out.splitlines()[0].endswith(" · with uncommitted changes")
    assert "# branch: not committed yet (manifests/all.yaml:7)" in ran.out
    edit = causes(branch)[TRAIN]["edit"]
    assert (edit["commit"], edit["file"], edit["line"]) == ("", "manifests/all.yaml", 7)


def overlay(world: Project, text: str) -> None:
    place = world.directory / "overlays" / "live"
    place.mkdir(parents=True, exist_ok=True)
    (place / "train.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: RunaiEnvironment\nmetadata: {name: train}\n"
        f"spec: {{image: '{text}'}}\n"
    )


def test_an_overlay_is_the_branchs_like_a_manifest(branch: Project) -> None:
    overlay(branch, "busybox:2")
    ran = plan(branch)
    assert "# branch: not committed yet (overlays/live/train.yaml:1)" in ran.out
    assert ran.out.splitlines()[0].endswith(" · with uncommitted changes")
    made = commit(branch, "Use the second here")
    ran = plan(branch)
    line = f'# branch: {made} Ada Lovelace "Use the second here" (overlays/live/train.yaml:1)'
    assert line in ran.out
    assert "uncommitted" not in ran.out
    overlay(branch, "busybox:3")
    made = commit(branch, "Use the third here")
    line = f'# branch: {made} Ada Lovelace "Use the third here" (overlays/live/train.yaml:4)'
    assert line in plan(branch).out


def test_what_is_ignored_is_not_committed(branch: Project) -> None:
    (branch.directory / ".gitignore").write_text("generated.yaml\n")
    commit(branch, "Ignore what is generated")
    branch.write(environment("made"), file="generated.yaml")
    ran = plan(branch)
    assert "# branch: Git knows nothing of it: its file is ignored, or in a submodule" in ran.out
    assert ran.out.splitlines()[0].endswith(" · with uncommitted changes")


def test_what_is_ignored_is_not_of_the_commit_that_changed_the_settings(branch: Project) -> None:
    (branch.directory / ".gitignore").write_text("generated.yaml\n")
    branch.configure(guards={"max_deletes": 5})
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "Change the settings")
    branch.write(environment("made"), file="generated.yaml")
    found = causes(branch)
    assert found["RunaiEnvironment.made"]["edit"] is None
    assert found[TRAIN]["edit"]["subject"] == "Change the settings"


def test_a_delete_of_the_base_that_nobody_applied(branch: Project) -> None:
    git(branch.directory, "checkout", "--quiet", "main")
    branch.write(environment("stays"))
    commit(branch, "Remove it")
    git(branch.directory, "checkout", "--quiet", "-B", "work")
    assert "# drift: still in the live system, outside this branch; last changed by " in (
        plan(branch).out
    )


def test_a_clean_work_tree_and_one_with_other_files(branch: Project) -> None:
    (branch.directory / "notes.txt").write_text("not part of a plan")
    assert "uncommitted" not in branch.reconcile("plan").out
    branch.write(environment("new"), file="new.yaml")
    assert "with uncommitted changes" in branch.reconcile("plan").out


def test_a_shallow_clone_says_how_to_deepen_it(branch: Project) -> None:
    branch.write(environment(image="busybox:2"), environment("stays"))
    for number in range(3):
        commit(branch, f"Commit {number}")
    url = branch.directory.as_uri()
    clone = branch.directory.parent / "clone"
    words = ("clone", "--quiet", "--depth", "1", "--no-single-branch", "--branch", "work")
    git(branch.directory.parent, *words, url, str(clone))
    ran = branch.reconcile("-C", str(clone), "plan", "--since", "origin/main")
    assert ran.code == 1
    assert "this is a shallow clone" in ran.err
    assert "git fetch --deepen=100 origin main" in ran.err
    assert "git fetch --unshallow" in ran.err
    git(clone, "fetch", "--quiet", "--unshallow")
    ran = branch.reconcile("-C", str(clone), "plan", "--since", "origin/main")
    assert "1 change from this branch" in ran.out
    shutil.rmtree(clone)


@pytest.mark.parametrize(
    "ref", ["nowhere", "--upload-pack=touch x", "-x", "main..work", "a b", "", "HEAD:manifests"]
)
def test_what_is_no_ref(branch: Project, ref: str) -> None:
    ran = branch.reconcile("plan", f"--since={ref}")
    assert ran.code == 1
    assert f"there is no commit {ref!r}" in ran.err


def test_a_repository_of_somebody_else(
    branch: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in the container of a job, whose user is not the one that checked out."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    ran = branch.reconcile("plan")
    assert " · commit " not in ran.out
    assert caplog.text.count("it belongs to another user") == 1
    assert "safe.directory" in caplog.text
    ran = branch.reconcile("plan", "--since=main")
    assert ran.code == 1
    assert "it belongs to another user" in ran.err
    assert f"git config --global --add safe.directory {branch.directory}" in ran.err


def test_outside_of_a_repository(world: Project) -> None:
    world.write(environment())
    ran = world.reconcile("plan", "--since", "main")
    assert ran.code == 1
    assert "this is no Git repository" in ran.err


def test_a_base_with_errors_is_said(branch: Project) -> None:
    git(branch.directory, "checkout", "--quiet", "main")
    (branch.directory / "manifests" / "bad.yaml").write_text("kind: [\n")
    commit(branch, "Break it")
    git(branch.directory, "checkout", "--quiet", "-b", "mend")
    (branch.directory / "manifests" / "bad.yaml").unlink()
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "Mend it")
    said = plan(branch).out
    assert "Notice: changes are not attributed, because " in said
    assert "manifests/bad.yaml" in said
    assert "from this branch" not in said


def test_a_base_without_the_project(world: Project) -> None:
    config = (world.directory / "reconciler.yaml").read_text()
    (world.directory / "reconciler.yaml").unlink()
    git(world.directory, "init", "--quiet", "--initial-branch", "main")
    commit(world, "Begin")
    git(world.directory, "checkout", "--quiet", "-b", "work")
    (world.directory / "reconciler.yaml").write_text(config)
    world.write(environment())
    commit(world, "Add the project")
    assert "1 change from this branch, 0 drift" in plan(world).out


def test_the_stack_or_the_manifests_directory_is_another(branch: Project) -> None:
    git(branch.directory, "mv", "manifests", "desired")
    branch.configure(manifests="desired")
    commit(branch, "Move all manifests")
    assert causes(branch) == {}
    branch.configure(manifests="desired", stack="another")
    made = commit(branch, "Another stack")
    for cause in causes(branch).values():
        assert cause["origin"] == "branch"
        assert cause["edit"]["commit"].startswith(made)
        assert cause["edit"]["file"] == "reconciler.yaml"


def test_a_project_in_a_subdirectory(branch: Project) -> None:
    inner = branch.directory / "infra"
    inner.mkdir()
    git(branch.directory, "mv", "reconciler.yaml", "manifests", "infra")
    commit(branch, "Move the project")
    git(branch.directory, "branch", "--force", "main")
    branch.directory = inner
    branch.write(environment(image="busybox:2"), environment("stays"))
    made = commit(branch, "Use the second")
    edit = causes(branch)[TRAIN]["edit"]
    assert (edit["commit"][:7], edit["file"]) == (made, "manifests/all.yaml")


def test_nothing_is_written_to_the_repository(branch: Project) -> None:
    before = git(branch.directory, "for-each-ref"), git(branch.directory, "status", "--porcelain")
    index = (branch.directory / ".git" / "index").read_bytes()
    plan(branch)
    assert (branch.directory / ".git" / "index").read_bytes() == index
    after = git(branch.directory, "for-each-ref"), git(branch.directory, "status", "--porcelain")
    assert before == after


def test_the_reads_do_not_grow(branch: Project) -> None:
    branch.server.requests.clear()
    branch.reconcile("plan")
    plain = len(branch.server.requests)
    branch.server.requests.clear()
    plan(branch)
    assert len(branch.server.requests) == plain


def test_a_saved_plan_shows_the_same(branch: Project) -> None:
    edit_live(branch, "RunaiEnvironment.stays", image("busybox:9"))
    branch.write(environment(image="busybox:2"), environment("stays"))
    commit(branch, "Use the second")
    file = str(branch.directory / "plan.json")
    ran = plan(branch, "--out", file)
    assert branch.reconcile("show", file).out == ran.out
    assert branch.reconcile("apply", file, "--apply").code == 0


@pytest.fixture
def marked(world: Project) -> Project:
    """`main` is applied from a commit, which the marks name."""
    world.write(environment(), environment("stays"))
    start(world)
    git(world.directory, "checkout", "--quiet", "main")
    world.apply()
    return world


def words(world: Project) -> dict[str, tuple[str, str | None]]:
    """By address, whose change it is, and the subject of the commit that is named."""
    found = causes(world, since="HEAD")
    return {a: (c["origin"], c["edit"] and c["edit"]["subject"]) for a, c in found.items()}


def test_what_was_merged_and_not_applied_is_no_drift(marked: Project) -> None:
    """An update, a delete and a create; and beside them what somebody really changed."""
    marked.write(environment(image="busybox:2"), environment("new"))
    made = commit(marked, "Use the second")
    assert words(marked) == {
        TRAIN: ("pending", "Use the second"),
        "RunaiEnvironment.new": ("pending", "Use the second"),
        "RunaiEnvironment.stays": ("pending", "Use the second"),
    }
    said = plan(marked, since="HEAD").out
    line = (
        f'  # merged: {made} Ada Lovelace "Use the second" (manifests/all.yaml:7), not applied yet'
    )
    assert f"{line}\n" in said
    counted = "0 changes from this branch, 0 drift, 3 merged and not applied yet (since HEAD).\n"
    assert counted in said


def test_drift_beside_what_was_merged(marked: Project) -> None:
    edit_live(marked, "RunaiEnvironment.stays", image("busybox:9"))
    marked.write(environment(image="busybox:2"), environment("stays"))
    commit(marked, "Use the second")
    assert words(marked) == {
        TRAIN: ("pending", "Use the second"),
        "RunaiEnvironment.stays": ("drift", None),
    }


def test_an_edit_that_was_reverted_does_not_hide_drift(marked: Project) -> None:
    marked.write(environment(image="busybox:2"), environment("stays"))
    commit(marked, "Use the second")
    marked.write(environment(), environment("stays"))
    commit(marked, "Go back")
    edit_live(marked, TRAIN, image("busybox:9"))
    assert words(marked) == {TRAIN: ("drift", None)}


def test_a_change_of_the_settings_alone_hides_no_drift(marked: Project) -> None:
    edit_live(marked, TRAIN, image("busybox:9"))
    path = marked.directory / "reconciler.yaml"
    path.write_text(path.read_text() + "# a remark\n")
    commit(marked, "Remark")
    assert words(marked) == {TRAIN: ("drift", None)}


def test_what_somebody_deleted_is_drift_where_the_newest_apply_stated_it(marked: Project) -> None:
    marked.write(environment(), environment("stays", image="busybox:2"))
    commit(marked, "Use the second")
    marked.apply()
    delete_live(marked, "train")
    assert words(marked) == {TRAIN: ("drift", None)}


def test_a_stack_of_which_nothing_is_live(world: Project) -> None:
    world.write(environment())
    start(world)
    assert words(world) == {TRAIN: ("pending", None)}
    said = plan(world, since="HEAD").out
    assert "  # merged: not applied yet; nothing of this stack is live\n" in said
