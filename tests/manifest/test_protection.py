"""What metadata means for a kind: protection of what destroys more, and absence without a mark."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reconciler.core.resource import KindTraits, Replacement, Resource, ResourceKey
from reconciler.errors import ManifestError
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


class Pool(Volume):
    traits = KindTraits(
        "Pool", frozenset(), ("name",), 0, replacement=Replacement.NEVER, marked=False
    )


def load(kind: Kind, stated: str) -> Resource:
    text = f"apiVersion: reconciler/v1\nkind: {kind.traits.name}\nmetadata: {{name: a{stated}}}\n"
    file = ManifestFile("manifests/a.yaml", f"{text}spec: {{}}\n".encode())
    (resource,) = load_files([file], CONTEXT, [kind])
    return resource


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
    assert load(kind, stated).protect is protected


@pytest.mark.parametrize(("stated", "absent"), [("", False), (", ensure: absent", True)])
def test_a_kind_without_a_mark_may_state_that_there_is_none(stated: str, absent: bool) -> None:
    assert load(Pool(), stated).absent is absent


def test_what_bears_a_mark_is_deleted_by_removing_its_manifest() -> None:
    with pytest.raises(ManifestError) as caught:
        load(Note(), ", ensure: absent")
    (problem,) = caught.value.problems
    assert problem.message == "a Note is deleted by removing its manifest"
    assert problem.fix == "remove the manifest, or `ensure: absent`"
