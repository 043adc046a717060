"""Manifests of images whose faults are found before any engine is called."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.resource import Resource, ResourceKey, Source
from reconciler.errors import ManifestError, UnreachableError
from reconciler.providers.docker.desired import Desired, resolve_images
from reconciler.providers.docker.lock import base_references, resolve_reference
from reconciler.providers.docker.registry import Registries
from reconciler.rayfine.image.build_input import Surroundings

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


def test_outputs_name_the_content(root: Path) -> None:
    (found,) = resolved(root, image(push=True)).values()
    assert found.resource.outputs["image"] == found.build.source_tag
    assert found.resource.outputs["digest"] == found.build.digest
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
    assert "kit/Dockerfile:2:1: this needs BuildKit" in text
    assert "RayfineImage.five has the tag five:v1 already" in text
    assert "m.yaml:7" in text


@pytest.mark.parametrize(
    ("file", "text", "place"),
    [
        ("Dockerfile", "ARG A\nFROM Python:3.11\n", ("env/Dockerfile", 2, 1)),
        ("Dockerfile", "FROM a\n\xff", ("env/Dockerfile", 2, 1)),
        ("Dockerfile", "# nothing\n", ("env/Dockerfile", 0, 0)),
        ("env.py", "\nx = (\n", ("env/env.py", 2, 1)),
        (".dockerignore", "a\n[\n", ("env/.dockerignore", 2, 1)),
        (".dockerignore", "a\n!\n", ("env/.dockerignore", 2, 1)),
        (".dockerignore", "a\n\xff\n", ("env/.dockerignore", 2, 1)),
    ],
)
@pytest.mark.parametrize("link", [False, True])
def test_a_fault_of_a_file_is_said_of_that_file(
    root: Path, file: str, text: str, place: tuple[str, int, int], link: bool
) -> None:
    (root / "env" / file).write_bytes(text.encode("latin-1"))
    if link:  # a directory above may be a link, as /tmp is on a Mac
        (root.parent / "through").symlink_to(root)
        root = root.parent / "through"
    with pytest.raises(ManifestError) as raised:
        resolved(root, image())
    (problem,) = raised.value.problems
    assert (problem.file, problem.line, problem.column) == place


def test_a_link_that_leads_out_is_named_itself_and_not_read(root: Path) -> None:
    (root.parent / "elsewhere.py").write_text("this is (no Python\n")
    (root / "env" / "env.py").unlink()
    (root / "env" / "env.py").symlink_to("../../elsewhere.py")
    with pytest.raises(ManifestError) as raised:
        resolved(root, image())
    (problem,) = raised.value.problems
    assert problem.file == "env/env.py"
    assert "leads out of the build context" in problem.message


@pytest.mark.parametrize("other", ["a", "a:latest", "docker.io/a", "docker.io/library/a:latest"])
def test_one_tag_in_two_spellings_is_one_error(root: Path, other: str) -> None:
    with pytest.raises(ManifestError) as raised:
        resolved(root, image("one", tag="a"), image("two", tag=other))
    (problem,) = raised.value.problems
    assert problem.message == "RayfineImage.one has the tag a:latest already"


def test_bases_that_can_be_locked(root: Path) -> None:
    found = base_references([image("one"), image("two", base_image="b:v1")], root, "d:v1")
    assert found == {"b:v1": ("RayfineImage.two",), "d:v1": ("RayfineImage.one",)}


def test_a_base_in_no_registry_is_told_how_to_be_stated() -> None:
    with pytest.raises(UnreachableError) as raised:
        resolve_reference("127.0.0.1:9/team/base:v1", Registries())
    assert "no digest for 127.0.0.1:9/team/base:v1" in raised.value.what
    assert 'reconciler.lock: "127.0.0.1:9/team/base:v1": "local"' in raised.value.fix
