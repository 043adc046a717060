"""A kind with a provider of its own: notes in a JSON file, beside the database of a sandbox."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from reconciler.core.mark import Mark
from reconciler.core.ownership import desired_mark
from reconciler.core.plan import Action, Change
from reconciler.core.resource import (
    KindTraits,
    LiveResource,
    Resource,
    ResourceKey,
)
from reconciler.errors import ProviderError
from reconciler.kinds.base import Document, Kind, LoadContext, Strict
from reconciler.providers.base import Opening, Progress, Provider

NOTE = KindTraits("Note", immutable=frozenset(), identity=("name",), rank=30)


class NoteSpec(Strict):
    """What a note says."""

    text: str = Field(description="The text.", examples=["Hello"])


class Note(Kind):
    """Notes."""

    traits = NOTE
    model = NoteSpec
    system = "runai"
    words = "notes"
    opener = "notes_kind:open_notes"

    def expand(self, document: Document, context: LoadContext) -> Sequence[Resource]:
        """The note that a manifest states."""
        metadata, stated = document.metadata, document.spec
        key = ResourceKey(NOTE.name, metadata.id or metadata.name)
        return (Resource(key, {"name": metadata.name, "text": stated.text}, document.source),)


class Notes(Provider):
    """Notes in a file."""

    traits = NOTE
    system = "notes"

    def __init__(self, path: Path, stack: str) -> None:
        self._path = path
        self._stack = stack

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        return resources

    def read(self) -> Sequence[LiveResource]:
        return [
            LiveResource(
                kind=NOTE.name,
                uid=uid,
                name=note["name"],
                spec={"name": note["name"], "text": note["text"]},
                mark=Mark(note["stack"], note["id_hash"]),
            )
            for uid, note in self._notes().items()
        ]

    def usage(self, live: Sequence[LiveResource]) -> Mapping[str, tuple[str, ...]]:
        return {}

    def write(self, change: Change, progress: Progress) -> str:
        notes = self._notes()
        uid = change.live.uid if change.live else change.key.id
        if change.action is Action.DELETE:
            del notes[uid]
        else:
            assert change.desired is not None
            mark = desired_mark(change.desired, self._stack)
            notes[uid] = {**change.desired.spec, "stack": mark.stack, "id_hash": mark.id_hash}
        self._path.write_text(json.dumps(notes))
        return uid

    def settle(
        self, changes: Sequence[Change], uids: Mapping[str, str]
    ) -> Mapping[str, ProviderError]:
        return {}

    def _notes(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}
        return found


@contextmanager
def open_notes(opening: Opening) -> Iterator[Provider]:
    """The notes of a target."""
    yield Notes(opening.root / "notes.json", opening.target.stack)
