"""Images on a real engine, and environments that are pinned to them, through the command line."""

import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.git_project import commit, git, start
from tests.acceptance.live_side import assets, named
from tests.acceptance.project import Project, environment, project


@pytest.fixture
def repository() -> Iterator[str]:
    """A name for images that nobody else uses; all of them are removed afterwards."""
    name = f"rectest-{uuid.uuid4().hex[:8]}"
    yield name
    found = docker("images", "--quiet", "--filter", f"reference={name}*").split()
    if found:
        docker("rmi", "--force", *sorted(set(found)))


@pytest.fixture
def images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], repository: str
) -> Iterator[Project]:
    """A project with one image directory, against a sandbox and the machine's engine."""
    with project(tmp_path, capsys, Behaviour()) as world:
        sandbox = {"sandbox": str(tmp_path / "sandbox.db")}
        world.target = {"runai": sandbox, "docker": {}}
        world.configure()
        source = world.directory / "environments" / "hello"
        source.mkdir(parents=True)
        (source / "env.py").write_text("def hello(name='World'):\n    return f'Hello, {name}!'\n")
        (source / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
        world.write(image(repository), environment("user", image={"from": "RayfineImage.hello"}))
        yield world


def test_a_broken_sandbox_does_not_hide_the_images(images: Project, tmp_path: Path) -> None:
    """The Docker half of the plan shows; the other one is named, with its addresses."""
    broken = tmp_path / "broken.db"
    with closing(sqlite3.connect(broken)) as connection:
        connection.execute("PRAGMA user_version = 99")
    images.target["runai"] = {"sandbox": str(broken)}
    images.configure()
    ran = images.reconcile("plan")
    assert ran.code == 1
    assert "RayfineImage.hello will be created" in ran.out
    assert "RunaiEnvironment.user" in ran.out
    assert f"{broken}: the sandbox database has layout 99" in ran.out
    assert "Name another file" in ran.out
    ran = images.reconcile("doctor")
    assert ran.code == 1
    assert f"{broken}: the sandbox database has layout 99" in ran.out
    assert "ok    Docker engine" in ran.out


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout


def image(repository: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "reconciler/v1",
        "kind": "RayfineImage",
        "metadata": {"name": "hello"},
        "spec": {
            "path": "environments/hello",
            "tag": f"{repository}:latest",
            "dockerfile": "Dockerfile",
            **spec,
        },
    }


@pytest.mark.docker
def test_an_environment_is_pinned_to_its_image_and_follows_it(
    images: Project, repository: str
) -> None:
    world = images
    ran = world.reconcile("plan", "--detailed-exitcode")
    assert ran.code == 2, ran.err
    assert f'image    = "{repository}:src-' in ran.out
    assert docker("images", "--quiet", repository) == ""
    applied = world.apply()
    assert applied.last_line == "Apply complete! Resources: 2 added, 0 changed, 0 destroyed."
    assert applied.err.index("RayfineImage.hello: Creation complete") < applied.err.index(
        "RunaiEnvironment.user: Creating..."
    )
    first = named(world, "user")["spec"]["image"]
    assert first in docker("images", "--format", "{{.Repository}}:{{.Tag}}", repository).split()
    assert world.plan() == {}

    env = world.directory / "environments" / "hello" / "env.py"
    env.touch()
    assert world.plan() == {}
    env.write_text(env.read_text() + "\n")
    assert world.plan() == {"RayfineImage.hello": "update", "RunaiEnvironment.user": "update"}
    assert world.fields("RayfineImage.hello") == ["context.env.py"]
    assert world.fields("RunaiEnvironment.user") == ["image"]
    world.apply()
    assert named(world, "user")["spec"]["image"] != first
    assert world.plan() == {}


@pytest.mark.docker
def test_an_image_of_the_whole_project_converges_beside_the_sandboxs_database(
    images: Project, repository: str
) -> None:
    world = images
    database = world.directory / ".reconcile" / "sandbox.db"
    world.target["runai"] = {"sandbox": str(database)}
    world.configure()
    for name in ("env.py", "Dockerfile"):
        source = world.directory / "environments" / "hello" / name
        source.rename(world.directory / name)
    world.write(
        image(repository, path="."), environment("user", image={"from": "RayfineImage.hello"})
    )
    world.apply()
    assert database.exists()
    assert world.plan() == {}
    world.write(environment("more"), file="../.reconcile/noise.yaml")
    assert world.plan() == {}


@pytest.mark.docker
def test_a_build_that_fails_leaves_the_environment_alone(images: Project) -> None:
    world = images
    world.apply()
    before = named(world, "user")
    broken = world.directory / "environments" / "hello" / "Dockerfile"
    broken.write_text("FROM scratch\nCOPY no-such-file /app/\n")
    ran = world.reconcile("apply", "--apply")
    assert ran.code == 1
    assert "RayfineImage.hello: failed:" in ran.out
    assert "RunaiEnvironment.user: skipped_dependency" in ran.out
    assert "no-such-file" in ran.out
    assert named(world, "user") == before


@pytest.mark.docker
def test_a_removed_image_is_deleted_after_its_user(images: Project, repository: str) -> None:
    world = images
    world.write(environment("stays"), file="other.yaml")
    world.apply()
    world.write(file="all.yaml")
    assert world.plan() == {"RayfineImage.hello": "delete", "RunaiEnvironment.user": "delete"}
    applied = world.apply()
    assert applied.err.index("RunaiEnvironment.user: Destruction complete") < applied.err.index(
        "RayfineImage.hello: Destroying..."
    )
    assert docker("images", "--quiet", repository) == ""
    assert world.plan() == {}


def test_without_an_engine_the_other_plan_still_shows(images: Project) -> None:
    world = images
    world.target["docker"] = {"host": "unix:///nowhere/docker.sock"}
    world.configure()
    world.write(environment("alone"), file="other.yaml")
    ran = world.reconcile("plan", "-o", "text")
    assert ran.code == 1
    assert "# RunaiEnvironment.alone will be created" in ran.out
    assert "cannot read the Docker engine" in ran.out
    assert "/nowhere/docker.sock" in ran.out
    assert "    RayfineImage.hello" in ran.out
    assert "# RunaiEnvironment.user blocked: would be created" in ran.out
    applied = world.reconcile("apply", "--apply")
    assert applied.code == 1
    assert "the plan is incomplete" in applied.err
    assert assets(world) == []


def test_a_target_without_docker_reads_no_engine(images: Project) -> None:
    world = images
    del world.target["docker"]
    world.configure()
    ran = world.reconcile("plan")
    assert ran.code == 1
    assert "target 'live' has no `docker`" in ran.err
    assert "manifests/all.yaml:1" in ran.err
    world.write(environment("alone"))
    assert world.plan() == {"RunaiEnvironment.alone": "create"}


def test_an_image_that_is_not_pushed_is_refused_outside_a_sandbox(
    images: Project, repository: str
) -> None:
    world = images
    del world.target["runai"]
    world.configure()
    ran = world.reconcile("plan")
    assert ran.code == 1
    assert "RunaiEnvironment.user uses RayfineImage.hello" in ran.err
    assert "push: true" in ran.err
    world.write(
        image(repository, push=True), environment("user", image={"from": "RayfineImage.hello"})
    )
    assert "uses RayfineImage.hello" not in world.reconcile("plan").err


@pytest.mark.docker
def test_an_image_says_which_commit_it_was_built_from(images: Project, repository: str) -> None:
    world = images
    for words in (
        ["init", "-q"],
        ["remote", "add", "origin", "https://joe:canary@git.example/team/repo.git"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=world.directory, check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=world.directory,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert f"commit {commit[:7]}" in world.reconcile("plan").out
    world.apply()
    found = docker("inspect", "--format", "{{json .Config.Labels}}", f"{repository}:latest")
    assert commit in found
    assert "https://git.example/team/repo.git" in found
    assert "canary" not in found


@pytest.mark.docker
def test_whose_change_an_image_is(images: Project, repository: str) -> None:
    """An edit in the context is the image's and its user's; a rebuilt tag tells its time."""
    world = images
    world.apply()
    start(world)
    env = world.directory / "environments" / "hello" / "env.py"
    (env.parent / "notes.txt").write_text("first")
    commit(world, "Add notes")
    env.write_text(env.read_text() + "\n\ndef bye():\n    return 'Bye'\n")
    made = commit(world, "Say good-bye")
    (env.parent / "notes.txt").write_text("second")
    newest = commit(world, "More notes")
    ran = world.reconcile("plan", "--since", "main")
    assert ran.out.count(f'# branch: {newest} Ada Lovelace "More notes"') == 2, ran.out + ran.err
    assert "(environments/hello/notes.txt)" in ran.out
    assert "2 changes from this branch, 0 drift" in ran.out
    (env.parent / "notes.txt").unlink()
    commit(world, "No notes after all")
    docker("rmi", f"{repository}:latest")
    ran = world.reconcile("plan", "--since", "main")
    assert f'# branch: {made} Ada Lovelace "Say good-bye" (environments/hello/env.py)' in ran.out
    assert "# drift: changed at 20" in ran.out
    assert "1 change from this branch, 0 drift, 1 both" in ran.out


@pytest.mark.docker
def test_two_repositories_with_one_stack_share_an_engine(
    images: Project, repository: str, tmp_path: Path
) -> None:
    """The same manifest in both, under two tags and then under one."""
    git(images.directory, "init", "--quiet", "--initial-branch", "main")
    git(images.directory, "remote", "add", "origin", "https://github.com/acme/ml")
    images.write(image(repository))
    commit(images, "Begin")
    images.apply()
    other = Project(
        tmp_path / "other", images.server, images.endpoint, images.capture, target=images.target
    )
    source = other.directory / "environments/hello"
    source.mkdir(parents=True)
    (source / "env.py").write_text("def other(): ...\n")
    (source / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
    other.write(image(repository, tag=f"{repository}:theirs"))
    git(other.directory, "init", "--quiet", "--initial-branch", "main")
    git(other.directory, "remote", "add", "origin", "https://github.com/beta/ml")
    commit(other, "Begin")
    tags = docker("images", "--format", "{{.Tag}}", repository).split()
    other.apply()
    assert images.plan() == {}, "what the others made is no leftover of ours"
    other.write(image(repository))  # and now under the very tag
    assert "conflict adopt" in other.plan().values()
    other.write()
    commit(other, "Stop")
    assert other.reconcile("apply", "--apply", "--only", "RayfineImage.hello").code == 0
    assert set(docker("images", "--format", "{{.Tag}}", repository).split()) == set(tags)
    assert images.plan() == {}


@pytest.mark.docker
def test_line_ends_of_a_checkout_are_no_change_of_the_branch(
    images: Project, repository: str
) -> None:
    """Git stores `\\n`, the work tree has `\\r\\n`: the base is what a checkout of it would be."""
    script = images.directory / "environments/hello/run.bat"
    script.write_bytes(b"one\ntwo\n")
    (images.directory / ".gitattributes").write_text("*.bat text eol=crlf\n")
    images.write(image(repository))
    start(images)
    script.unlink()
    git(images.directory, "checkout", "--", "environments")
    assert script.read_bytes() == b"one\r\ntwo\r\n"
    images.apply()
    (images.directory / "README.md").write_text("Nothing that matters\n")
    commit(images, "Document")
    docker("rmi", f"{repository}:latest")
    ran = images.reconcile("plan", "--since", "main")
    assert "0 changes from this branch, 1 drift (since main)." in ran.out


@pytest.mark.docker
def test_a_checkout_that_is_behind_retags_nothing(
    images: Project, repository: str, tmp_path: Path
) -> None:
    """Content that goes back to what an older commit had built is a newer commit's all the same."""
    images.write(image(repository))
    start(images)
    images.apply()
    script = images.directory / "environments/hello/env.py"
    first = script.read_text()
    script.write_text("def second(): ...\n")
    commit(images, "Second")
    images.apply()
    git(tmp_path, "clone", "--quiet", str(images.directory), "behind")
    behind = Project(
        tmp_path / "behind", images.server, images.endpoint, images.capture, target=images.target
    )
    script.write_text(first)
    third = commit(images, "Go back")
    images.apply()
    ran = behind.reconcile("apply", "--apply")
    assert ran.code == 4
    assert f"written by {third}" in ran.out
    assert images.plan() == {}
