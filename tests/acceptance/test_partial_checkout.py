"""What HEAD has and the disk has not is no reason to delete anything."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import assets, named
from tests.acceptance.project import Project, environment

A, B = "manifests/team-a/a.yaml", "manifests/team-b/b.yaml"


def names(world: Project) -> set[str]:
    return {entry["meta"]["name"] for entry in assets(world)}


@pytest.fixture
def teams(world: Project) -> Project:
    """Two teams' manifests, committed and applied."""
    for team in ("a", "b"):
        (world.directory / f"manifests/team-{team}").mkdir()
        world.write(environment(team), file=f"team-{team}/{team}.yaml")
    start(world)
    world.apply()
    return world


def sparse_cone(world: Project) -> None:
    git(world.directory, "sparse-checkout", "set", "--cone", "manifests/team-a")


def sparse_index(world: Project) -> None:
    git(world.directory, "sparse-checkout", "set", "--cone", "--sparse-index", "manifests/team-a")


def sparse_patterns(world: Project) -> None:
    git(world.directory, "sparse-checkout", "set", "--no-cone", "/*", "!team-b")


def skip_worktree(world: Project) -> None:
    git(world.directory, "update-index", "--skip-worktree", B)
    (world.directory / B).unlink()


def assume_unchanged(world: Project) -> None:
    git(world.directory, "update-index", "--assume-unchanged", B)
    (world.directory / B).unlink()


def whole_directory(world: Project) -> None:
    (world.directory / "other").mkdir()
    (world.directory / "other/x").write_text("x")
    commit(world, "More")
    git(world.directory, "sparse-checkout", "set", "--cone", "other")


@pytest.mark.parametrize(
    "leave_out",
    [sparse_cone, sparse_index, sparse_patterns, skip_worktree, assume_unchanged, whole_directory],
)
@pytest.mark.parametrize("verb", [("plan",), ("apply", "--apply", "--allow-deletes", "1")])
def test_what_is_left_out_of_a_checkout_is_an_error(
    teams: Project, leave_out: Callable[[Project], None], verb: tuple[str, ...]
) -> None:
    leave_out(teams)
    ran = teams.reconcile(*verb)
    assert ran.code == 1
    assert f"HEAD has {A if leave_out is whole_directory else B} and this checkout" in ran.err
    assert "git sparse-checkout disable" in ran.err
    assert names(teams) == {"a", "b"}
    for command in ("validate", "graph"):
        assert teams.reconcile(command).code == 1
    git(teams.directory, "sparse-checkout", "disable")
    git(teams.directory, "update-index", "--no-skip-worktree", "--no-assume-unchanged", B)
    git(teams.directory, "checkout", "HEAD", "--", B)
    assert "No changes." in teams.reconcile("plan").out


def fold(world: Project, gone: str, kept: str) -> None:
    """What a checkout makes of both on a file system that knows no case: one file."""
    (world.directory / gone).unlink()
    if (world.directory / gone).parent != (world.directory / kept).parent:
        (world.directory / gone).parent.rmdir()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("manifests/train.yaml", "manifests/Train.yaml"),
        ("manifests/Team/train.yaml", "manifests/team/train.yaml"),
        ("manifests/stra\u00dfe.yaml", "manifests/STRASSE.yaml"),
        ("manifests/caf\u00e9.yaml", "manifests/cafe\u0301.yaml"),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_one_of_two_names_that_differ_in_case_only_is_not_lost(
    world: Project, one: str, other: str, *, swapped: bool
) -> None:
    for path, name in ((one, "a"), (other, "b")):
        (world.directory / path).parent.mkdir(exist_ok=True)
        world.write(environment(name), file=path.removeprefix("manifests/"))
    start(world)
    world.apply()
    gone, kept = (one, other) if swapped else (other, one)
    fold(world, gone, kept)
    for verb in (("validate",), ("plan",), ("apply", "--apply", "--allow-deletes", "1")):
        ran = world.reconcile(*verb)
        assert ran.code == 1
        assert f"HEAD has {gone} and a file whose name differs from that in case only" in ran.err
    assert names(world) == {"a", "b"}
    git(world.directory, "rm", "--quiet", "--cached", gone)
    assert world.reconcile("validate").code == 0, "it was removed on purpose"


@pytest.mark.parametrize("file", ["environments/hello/data/part.txt", "reconciler.lock"])
def test_an_image_is_made_of_all_that_its_context_has(world: Project, file: str) -> None:
    world.target["docker"] = {}
    world.configure()
    source = world.directory / "environments/hello"
    (source / "data").mkdir(parents=True)
    (source / "data/part.txt").write_text("part\n")
    (source / "env.py").write_text("def hello(): ...\n")
    (source / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    (world.directory / "reconciler.lock").write_text('{"version": 1, "bases": {}}\n')
    spec = {"path": "environments/hello", "tag": "hello:latest", "dockerfile": "Dockerfile"}
    world.write({**environment("hello"), "kind": "RayfineImage", "spec": spec})
    start(world)
    whole = world.reconcile("plan", "--offline", "-o", "digest")
    git(world.directory, "update-index", "--skip-worktree", file)
    (world.directory / file).unlink()
    ran = world.reconcile("plan", "--offline")
    assert (whole.code, ran.code) == (0, 1), whole.err
    assert f"HEAD has {file}" in ran.err
    assert world.reconcile("lock", "--check").code == 1


def test_a_pointer_of_git_lfs_is_no_content(world: Project) -> None:
    world.target["docker"] = {}
    world.configure()
    source = world.directory / "environments/hello"
    source.mkdir(parents=True)
    (source / "env.py").write_text("def hello(): ...\n")
    (source / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
    (source / "model.bin").write_text(pointer)
    spec = {"path": "environments/hello", "tag": "hello:latest", "dockerfile": "Dockerfile"}
    world.write({**environment("hello"), "kind": "RayfineImage", "spec": spec})
    ran = world.reconcile("plan", "--offline")
    assert ran.code == 1
    assert "model.bin: this is a pointer of Git LFS" in ran.err
    assert "git lfs pull" in ran.err
    (source / ".dockerignore").write_text("model.bin\n")
    assert world.reconcile("plan", "--offline").code == 0


def test_a_sparse_checkout_that_has_all_manifests_is_whole(teams: Project) -> None:
    (teams.directory / "docs").mkdir()
    (teams.directory / "docs/x").write_text("x")
    commit(teams, "Document")
    git(teams.directory, "sparse-checkout", "set", "--cone", "manifests")
    assert not (teams.directory / "docs/x").exists()
    ran = teams.reconcile("plan")
    assert "No changes." in ran.out
    assert "uncommitted" not in ran.out


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
@pytest.mark.parametrize("file", [B, "overlays/live/b.yaml"])
def test_what_git_was_told_not_to_look_at_is_not_committed(
    teams: Project, flag: str, file: str
) -> None:
    patch = environment("b")
    patch["spec"] = {"image": "busybox:2"}
    (teams.directory / "overlays/live").mkdir(parents=True)
    teams.write(patch, file="../overlays/live/b.yaml")
    commit(teams, "Overlay")
    git(teams.directory, "update-index", flag, file)
    path = teams.directory / file
    path.write_text(path.read_text().replace("busybox:", "alpine:"))
    assert git(teams.directory, "status", "--porcelain") == ""
    assert "with uncommitted changes" in teams.reconcile("plan").out
    teams.apply()
    assert "." not in named(teams, "b")["meta"]["description"].partition("@")[2]


def test_overlays_of_the_target_count_and_those_of_others_do_not(teams: Project) -> None:
    patch = environment("b")
    patch["spec"] = {"image": "busybox:2"}
    for target in ("live", "staging"):
        (teams.directory / f"overlays/{target}").mkdir(parents=True)
        teams.write(patch, file=f"../overlays/{target}/b.yaml")
    section = {"runai": {"sandbox": ".reconcile/s.db"}}
    text = (teams.directory / "reconciler.yaml").read_text()
    teams.configure()
    (teams.directory / "reconciler.yaml").write_text(
        text.replace("targets:\n", f"targets:\n  staging: {section}\n")
    )
    commit(teams, "Overlays")
    teams.apply()
    cone = ("sparse-checkout", "set", "--cone", "manifests")
    git(teams.directory, *cone, "overlays/live")
    assert "No changes." in teams.reconcile("plan").out
    git(teams.directory, *cone, "overlays/staging")
    ran = teams.reconcile("plan")
    assert ran.code == 1
    assert "overlays/live/b.yaml" in ran.err


def test_a_submodule_without_its_content(world: Project, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    git(tmp_path, "init", "--quiet", "parts")
    world.write(environment("b"), file="../b.yaml")
    shutil.move(world.directory / "b.yaml", parts / "b.yaml")
    git(parts, "add", "--all")
    git(parts, "commit", "--quiet", "-m", "Parts")
    world.write(environment("a"))
    start(world)
    git(world.directory, "submodule", "--quiet", "add", parts.as_uri(), "manifests/parts")
    commit(world, "Use parts")
    world.apply()
    assert names(world) == {"a", "b"}
    cloned = Project(tmp_path / "cloned", world.server, world.endpoint, world.capture)
    shutil.rmtree(cloned.directory)
    git(tmp_path, "clone", "--quiet", world.directory.as_uri(), "cloned")
    ran = cloned.reconcile("apply", "--apply", "--allow-deletes", "1")
    assert ran.code == 1
    assert "git submodule update --init -- manifests/parts" in ran.err
    assert names(world) == {"a", "b"}
    git(cloned.directory, "submodule", "--quiet", "update", "--init")
    assert "No changes." in cloned.reconcile("plan").out
    git(cloned.directory / "manifests/parts", "update-index", "--skip-worktree", "b.yaml")
    (cloned.directory / "manifests/parts/b.yaml").unlink()
    ran = cloned.reconcile("plan")
    assert ran.code == 1
    assert "HEAD has b.yaml" in ran.err


def test_a_submodule_that_is_behind(world: Project, tmp_path: Path) -> None:
    """`git pull` alone leaves a submodule where it was."""
    git(tmp_path, "init", "--quiet", "parts")
    for name in ("b", "c"):
        world.write(environment(name), file=f"{name}.yaml")
        shutil.move(world.directory / f"manifests/{name}.yaml", tmp_path / "parts")
        git(tmp_path / "parts", "add", "--all")
        git(tmp_path / "parts", "commit", "--quiet", "-m", name)
    world.write(environment("a"))
    start(world)
    address = (tmp_path / "parts").as_uri()
    git(world.directory, "submodule", "--quiet", "add", address, "manifests/parts")
    commit(world, "Use parts")
    world.apply()
    assert names(world) == {"a", "b", "c"}
    inner = world.directory / "manifests/parts"
    git(inner, "checkout", "--quiet", "HEAD~1")
    ran = world.reconcile("apply", "--apply", "--allow-deletes", "1")
    assert ran.code == 4
    assert "manifests/parts is not on this disk as HEAD has it" in ran.out
    git(world.directory, "submodule", "--quiet", "update")
    (inner / "c.yaml").unlink()
    ran = world.reconcile("apply", "--apply", "--allow-deletes", "1")
    assert ran.code == 4
    assert "manifests/parts/c.yaml is not on this disk as HEAD has it" in ran.out
    assert names(world) == {"a", "b", "c"}
    git(inner, "commit", "--quiet", "--all", "-m", "Remove c")
    commit(world, "Use it")
    world.apply()
    assert names(world) == {"a", "b"}


@pytest.mark.parametrize("staged", [False, True])
def test_a_manifest_that_was_removed_and_not_committed(teams: Project, *, staged: bool) -> None:
    """It may be meant, or an accident: everything else is done, and a name approves it."""
    (teams.directory / B).unlink()
    teams.write(environment("a", image="busybox:2"), file="team-a/a.yaml")
    if staged:
        git(teams.directory, "add", "--all")
    ran = teams.reconcile("apply", "--apply", "--allow-deletes", "1")
    assert ran.code == 4
    assert f"{B} is not on this disk as HEAD has it" in ran.out
    assert "commit what is meant" in ran.out
    assert names(teams) == {"a", "b"}
    assert named(teams, "a")["spec"]["image"] == "busybox:2"
    assert teams.plan("--only", "RunaiEnvironment.b") == {"RunaiEnvironment.b": "delete"}
    commit(teams, "Remove b")
    assert teams.plan() == {"RunaiEnvironment.b": "delete"}


def test_a_manifest_that_only_moved_is_not_missed(teams: Project) -> None:
    git(teams.directory, "mv", B, "manifests/b.yaml")
    assert "No changes." in teams.reconcile("plan").out


def test_a_clone_without_a_checkout_deletes_nothing(teams: Project, tmp_path: Path) -> None:
    bare = Project(tmp_path / "bare", teams.server, teams.endpoint, teams.capture)
    shutil.rmtree(bare.directory)
    git(tmp_path, "clone", "--quiet", "--no-checkout", teams.directory.as_uri(), "bare")
    git(bare.directory, "checkout", "HEAD", "--", "reconciler.yaml", "manifests/team-a")
    ran = bare.reconcile("apply", "--apply", "--allow-deletes", "1")
    assert ran.code == 4
    assert names(teams) == {"a", "b"}


def test_in_another_work_tree_of_the_repository(teams: Project, tmp_path: Path) -> None:
    """There `.git` is a file, and the index lies elsewhere."""
    git(teams.directory, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    tree = Project(tmp_path / "tree", teams.server, teams.endpoint, teams.capture)
    git(tree.directory, "checkout", "--quiet", "--", ".")
    assert "No changes." in tree.reconcile("plan").out
    sparse_cone(tree)
    assert tree.reconcile("plan").code == 1
    assert "No changes." in teams.reconcile("plan").out
