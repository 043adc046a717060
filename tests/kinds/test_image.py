"""RayfineImage on the manifest side."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler.core.resource import Resource, ResourceKey, Source
from reconciler.kinds.base import Document, FieldError, LoadContext, Metadata
from reconciler.kinds.image import RayfineImage, RayfineImageSpec, reference_form, split_reference

KIND = RayfineImage()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    context = tmp_path / "environments" / "affine"
    context.mkdir(parents=True)
    (context / "env.py").write_text("raise SystemExit('never run')")
    return tmp_path


def expand(root: Path, metadata: dict[str, Any] | None = None, **spec: Any) -> Resource:
    stated = RayfineImageSpec.model_validate(
        {"path": "environments/affine", "tag": "affine:latest", **spec}
    )
    document = Document(
        Metadata.model_validate(metadata or {"name": "affine"}), stated, Source("a.yaml", 3)
    )
    (resource,) = KIND.expand(document, LoadContext(root=root, stack="s"))
    return resource


def faults(root: Path, **spec: Any) -> list[tuple[tuple[str | int, ...], str, str]]:
    with pytest.raises(FieldError) as caught:
        expand(root, **spec)
    return list(caught.value.faults)


def test_the_least(root: Path) -> None:
    assert expand(root) == Resource(
        ResourceKey("RayfineImage", "affine"),
        {"path": "environments/affine", "tag": "affine:latest"},
        Source("a.yaml", 3),
    )


def test_everything(root: Path) -> None:
    (root / "environments/affine/docker").mkdir()
    (root / "environments/affine/docker/Dockerfile").touch()
    spec: dict[str, Any] = {
        "tag": "registry.example.com:5000/ml/affine:v1",
        "base_image": "python:3.11@sha256:" + "a" * 64,
        "dockerfile": "docker/Dockerfile",
        "build_args": {"VERSION": "1.10"},
        "platform": "linux/arm64/v8",
        "labels": {"team": "affine"},
        "push": True,
    }
    metadata = {"name": "x", "id": "y", "protect": True, "adopt": True, "moved_from": "z"}
    resource = expand(root, metadata, **spec)
    assert resource.spec == {"path": "environments/affine", **spec}
    assert resource.key.id == "y"
    assert (resource.protect, resource.adopt, resource.moved_from) == (True, True, "z")
    assert resource.name == "y"


def test_defaults_and_empties_are_left_out(root: Path) -> None:
    spec = expand(
        root, platform="linux/amd64", labels={}, build_args={}, push=False, base_image=None
    ).spec
    assert spec == expand(root).spec


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("affine", "affine:latest"),
        ("docker.io/library/affine", "affine:latest"),
        ("index.docker.io/library/affine:v1", "affine:v1"),
        ("docker.io/me/affine:v1", "me/affine:v1"),
        ("localhost:5000/affine", "localhost:5000/affine:latest"),
        ("[::1]:5000/affine:v1", "[::1]:5000/affine:v1"),
        ("ghcr.io/a/b/c__d--e.f:V_1.2-3", "ghcr.io/a/b/c__d--e.f:V_1.2-3"),
    ],
)
def test_tags_have_one_spelling(root: Path, written: str, tag: str) -> None:
    assert expand(root, tag=written).spec["tag"] == tag


@pytest.mark.parametrize(
    "tag",
    [
        *("", ":v1", "Affine", "a b", "a:", "a:-b", "a//b", "a:b:c", "/a", "a/", "é", "a\n"),
        *("a@sha256:00", "a@sha256:" + "a" * 64, "a:src-" + "0" * 24),
        *("a:" + "b" * 129, "a" * 600, "a/" * 200 + "a:" + "b" * 128),
    ],
)
def test_what_is_no_tag(root: Path, tag: str) -> None:
    with pytest.raises(ValidationError):
        expand(root, tag=tag)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("a", ("a", None, None)),
        ("a:b", ("a", "b", None)),
        ("a:b@sha256:" + "0" * 64, ("a", "b", "sha256:" + "0" * 64)),
        ("docker.io/a", ("a", None, None)),
        ("library/a", ("a", None, None)),
        ("host.example/library/a", ("host.example/library/a", None, None)),
        ("a" * 513, None),
        ("A", None),
    ],
)
def test_split_reference(reference: str, parts: tuple[str, str | None, str | None] | None) -> None:
    assert split_reference(reference) == parts


@given(st.text(alphabet="aA0._-:/@[]", max_size=40))
def test_splitting_decides_any_text(reference: str) -> None:
    parts = split_reference(reference)
    assert parts is None or parts[0]


def test_a_context_that_is_not_there(root: Path) -> None:
    assert faults(root, path="environments/affin") == [
        (
            ("spec", "path"),
            "there is no directory environments/affin",
            "the path is relative to reconciler.yaml",
        )
    ]
    ((at, what, _),) = faults(root, path="environments/affine/env.py")
    assert at == ("spec", "path")
    assert what.startswith("there is no directory")


def test_a_context_without_env_py_and_dockerfile(root: Path) -> None:
    (root / "empty").mkdir()
    assert [at for at, _, _ in faults(root, path="empty", dockerfile="Dockerfile")] == [
        ("spec", "path"),
        ("spec", "dockerfile"),
    ]


@pytest.mark.parametrize("path", ["/etc", "..", "a/../../b", "a\\b", "a\0b", ""])
def test_paths_that_lead_outwards_or_are_none(root: Path, path: str) -> None:
    with pytest.raises(ValidationError):
        expand(root, path=path)
    with pytest.raises(ValidationError):
        expand(root, dockerfile=path)


def test_links_that_lead_out(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "env.py").touch()
    (outside / "Dockerfile").touch()
    (root / "link").symlink_to(outside)
    ((_, what, _),) = faults(root, path="link")
    assert what == "the directory leads out of the one that reconciler.yaml is in"
    (root / "environments/affine/Dockerfile").symlink_to(outside / "Dockerfile")
    ((at, _, _),) = faults(root, dockerfile="Dockerfile")
    assert at == ("spec", "dockerfile")


def test_a_link_within_the_repository_is_fine(root: Path) -> None:
    (root / "link").symlink_to("environments/affine")
    assert expand(root, path="link").spec["path"] == "link"


def test_env_py_has_to_be_a_file(root: Path) -> None:
    (root / "odd").mkdir()
    os.mkfifo(root / "odd" / "env.py")
    ((_, what, _),) = faults(root, path="odd")
    assert what == "there is no env.py in odd"


@pytest.mark.parametrize(
    "spec",
    [
        {"base_image": "a b"},
        {"build_args": {"1A": "x"}},
        {"build_args": {"A": True}},
        {"platform": "linux"},
        {"labels": {"io.reconciler.stack": "x"}},
        {"labels": {"org.opencontainers.image.source": "x"}},
        {"labels": {"": "x"}},
        {"push": "yes"},
        {"pushed": True},
    ],
)
def test_what_is_refused(root: Path, spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        expand(root, **spec)


def test_a_path_that_the_system_refuses_is_a_fault(root: Path) -> None:
    ((at, what, _),) = faults(root, path="x" * 300)
    assert at == ("spec", "path")
    assert what == "the directory cannot be read: File name too long"
    (root / "circle").symlink_to("circle")
    ((_, what, _),) = faults(root, path="circle")
    assert "circle" in what or "Too many levels" in what


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("Busybox", "a repository is in lower case: busybox"),
        ("X.io/Y/Z:24.01-Py3", "a repository is in lower case: x.io/y/z:24.01-Py3"),
        (f"X:1@sha256:{'a' * 64}", f"a repository is in lower case: x:1@sha256:{'a' * 64}"),
        ("localhost:5000/A", "a repository is in lower case: localhost:5000/a"),
        ("A B", "write it as REPOSITORY:TAG in lower case"),
        ("https://x.example/A", "write it as REPOSITORY:TAG in lower case"),
    ],
)
def test_how_a_reference_is_written(written: str, fix: str) -> None:
    assert split_reference(written) is None
    assert reference_form(written).startswith(fix)
