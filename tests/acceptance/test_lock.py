"""Base images pinned through the command line, against a real registry."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.project import Project
from tests.acceptance.test_images import docker, image, images, repository
from tests.providers.docker.conftest import running_registry

__all__ = ["images", "repository"]


@pytest.fixture
def base(tmp_path: Path, repository: str) -> Iterator[str]:
    """A base image in a registry on loopback; its reference."""
    place = tmp_path / "registry"
    place.mkdir()
    with running_registry(place) as host:
        reference = f"{host}/{repository}/base:v1"
        push_base(reference, "one")
        yield reference
        docker("rmi", "--force", reference)


def push_base(reference: str, text: str) -> None:
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", reference, "-"],
        input=f"FROM scratch\nLABEL made={text}\nWORKDIR /{text}\n",
        text=True,
        capture_output=True,
        check=True,
    )
    docker("push", "--quiet", reference)


@pytest.mark.docker
def test_a_base_is_pinned_checked_and_moved_on(images: Project, repository: str, base: str) -> None:
    world = images
    document = image(repository, base_image=base)
    del document["spec"]["dockerfile"]
    (world.directory / "environments" / "hello" / "Dockerfile").unlink()
    world.write(document)
    assert f"base image {base} is unpinned" in world.reconcile("plan").out

    locked = world.reconcile("lock")
    assert locked.code == 0, locked.err
    assert f"{base}: not locked -> sha256:" in locked.out
    assert "unpinned" not in world.reconcile("plan").out
    assert world.reconcile("lock", "--check").code == 0
    assert "Up to date: 1 base image." in world.reconcile("lock").out
    world.apply()
    assert world.plan() == {}

    push_base(base, "two")
    assert world.plan() == {}
    moved = world.reconcile("lock", "--check")
    assert moved.code == 2
    assert f"{base}: sha256:" in moved.out
    assert world.plan() == {}
    assert world.reconcile("lock").code == 0
    assert world.fields("RayfineImage.hello") == ["base"]
    world.apply()
    assert world.plan() == {}


@pytest.mark.docker
def test_a_base_that_is_in_no_registry(images: Project, repository: str, base: str) -> None:
    world = images
    world.write(image(repository, base_image=base.replace("base:v1", "other:v1"), dockerfile=None))
    (world.directory / "environments" / "hello" / "Dockerfile").unlink()
    ran = world.reconcile("lock")
    assert ran.code == 1
    assert "no digest" in ran.err
    assert '"local"' in ran.err


def test_a_target_without_an_engine_has_nothing_to_lock(images: Project) -> None:
    del images.target["docker"]
    images.configure()
    ran = images.reconcile("lock")
    assert ran.code == 1
    assert "has no `docker`" in ran.err
