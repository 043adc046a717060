"""Manifests of images whose faults are found before any engine is called."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ManifestError, UnreachableError
from reconciler.providers.docker.desired import Desired, resolve_images
from reconciler.providers.docker.lock import base_references, resolve_reference
from reconciler.providers.docker.registry import Registries
from reconciler.rayfine.image.inputs import Surroundings
from reconciler.resource import Resource, ResourceKey, Source

OUTSIDE = "leads out"


def image(name: str = "env", **spec: Any) -> Resource:
    return Resource(
        ResourceKey("RayfineImage", name),
        {"path": "env", "tag": f"{name}:v1", **spec},
        Source("m.yaml", 7),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "env").mkdir(parents=True)
    (root / "env" / "env.py").write_text("def f(): ...\n")
    return root


def resolved(root: Path, *images: Resource) -> Mapping[ResourceKey, Desired]:
    return resolve_images(images, root, Surroundings())


def test_exports_name_the_content(root: Path) -> None:
    (found,) = resolved(root, image(push=True)).values()
    assert found.resource.exports["image"] == found.build.source_tag
    assert found.resource.exports["digest"] == found.build.digest
    assert found.resource.spec["push"] is True
    assert found.resource.warnings


def test_all_faults_come_together_with_file_and_line(root: Path) -> None:
    (root / "out").symlink_to("/etc")
    (root / "kit").mkdir()
    (root / "kit" / "env.py").write_text("")
    (root / "kit" / "Dockerfile").write_text("FROM a\nRUN --mount=type=cache,target=/x y\n")
    with pytest.raises(ManifestError) as raised:
        resolved(
            root,
            image("one", path="../.."),
            image("two", path="out"),
            image("three", path="none"),
            image("four", path="kit"),
            image("five"),
            image("six", tag="five:v1"),
        )
    text = str(raised.value)
    assert len(raised.value.problems) == 6 - 1
    assert text.count(OUTSIDE) == 2
    assert "kit/Dockerfile:2: this needs BuildKit" in text
    assert "RayfineImage.five has the tag five:v1 already" in text
    assert "m.yaml:7" in text


def test_bases_that_can_be_locked(root: Path) -> None:
    found = base_references([image("one"), image("two", base_image="b:v1")], root, "d:v1")
    assert found == {"b:v1": ("RayfineImage.two",), "d:v1": ("RayfineImage.one",)}


def test_a_base_in_no_registry_is_told_how_to_be_stated() -> None:
    with pytest.raises(UnreachableError) as raised:
        resolve_reference("127.0.0.1:9/team/base:v1", Registries())
    assert "no digest for 127.0.0.1:9/team/base:v1" in raised.value.what
    assert 'reconciler.lock: "127.0.0.1:9/team/base:v1": "local"' in raised.value.fix
