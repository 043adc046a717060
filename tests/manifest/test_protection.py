"""Manifests of a kind that destroys more than its object protect it, unless they say otherwise."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.core.resource import KindTraits, Resource, ResourceKey
from reconciler.kinds.base import Document, Kind, LoadContext, Strict
from reconciler.manifest import ManifestFile, load_files

CONTEXT = LoadContext(root=Path("/nowhere"), stack="ml-platform", variables={})


class NoFields(Strict):
    """Nothing."""


class Volume(Kind):
    traits = KindTraits("Volume", frozenset(), ("name",), 0, destroys="the data on it")
    model = NoFields

    def expand(self, document: Document, context: LoadContext) -> Sequence[Resource]:
        metadata = document.metadata
        key = ResourceKey("Volume", metadata.name)
        return (Resource(key, {}, document.source, protect=metadata.protect),)


class Note(Volume):
    traits = KindTraits("Note", frozenset(), ("name",), 0)


@pytest.mark.parametrize(
    ("kind", "stated", "protected"),
    [
        (Volume(), "", True),
        (Volume(), ", protect: false", False),
        (Volume(), ", protect: true", True),
        (Note(), "", False),
        (Note(), ", protect: true", True),
    ],
)
def test_protection(kind: Kind, stated: str, protected: bool) -> None:
    text = f"apiVersion: reconciler/v1\nkind: {kind.traits.name}\nmetadata: {{name: a{stated}}}\n"
    file = ManifestFile("manifests/a.yaml", f"{text}spec: {{}}\n".encode())
    (resource,) = load_files([file], CONTEXT, [kind])
    assert resource.protect is protected
