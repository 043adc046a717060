"""Reading the assets of one kind: the entries of lists and answers -> `LiveResource`."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.resource import LiveResource
from reconciler.providers.runai.api_errors import unexpected
from reconciler.providers.runai.asset_api import AssetApi
from reconciler.providers.runai.lister import Entry, Lister, by_uid
from reconciler.providers.runai.mapping import AssetMapping


class AssetReader:
    """Reads the assets of one kind. Every method raises `ProviderError`."""

    def __init__(self, api: AssetApi, mapping: AssetMapping, lister: Lister) -> None:
        self._api = api
        self._kind = api.kind
        self._mapping = mapping
        self._lister = lister
        self._lock = threading.Lock()
        self._by_mark: Mapping[str, Sequence[LiveResource]] | None = None

    def read_together(self) -> list[LiveResource]:
        """The same as `read`, from one list for all kinds that are in it."""
        return self._distinct(self._lister.read_together(self._kind))

    def read(self) -> list[LiveResource]:
        """Every asset that may concern us: no built-in ones, none of a scope we do not know.

        Entries of one id are one asset: the last of them.
        """
        return self._distinct(self._lister.read(self._kind))

    def forget_together(self) -> None:
        """Let `read_together` list anew, since something was written."""
        self._lister.forget()

    def _distinct(self, entries: Sequence[Entry]) -> list[LiveResource]:
        return list({item.uid: item for item in self._map(entries)}.values())

    def marked(self, id_hash: str) -> Sequence[LiveResource]:
        """Every asset with a mark of this id, from one list for all who ask before `forget`."""
        with self._lock:
            if self._by_mark is None:
                by_mark: dict[str, list[LiveResource]] = {}
                for item in self.read():
                    if item.mark is not None:
                        by_mark.setdefault(item.mark.id_hash, []).append(item)
                self._by_mark = by_mark
            return self._by_mark.get(id_hash, ())

    def forget(self) -> None:
        """Let `marked` list anew."""
        with self._lock:
            self._by_mark = None

    def find(self, name: str) -> list[LiveResource]:
        """Every asset of this name, in whatever scope."""
        entries = self._lister.find(self._kind, name)
        return [item for item in self._map(entries) if item.name == name]

    def get(self, uid: str) -> LiveResource | None:
        """One asset; None if it is not ours to see. Raises `NotFoundError`."""
        found = self._map([self._api.get(uid)])
        return found[0] if found else None

    def entries_by_uid(self, **options: Any) -> Mapping[str, Entry]:
        """The plain entries, all of them, by id."""
        return by_uid(self._lister.read(self._kind, **options), self._api.path)

    def _map(self, entries: Sequence[Entry]) -> list[LiveResource]:
        read = self._mapping.read
        found = []
        for entry in entries:
            try:
                asset = read(entry)
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
                raise unexpected(
                    self._api.path, f"assets of the documented form: {error}"
                ) from error
            if asset is not None:
                found.append(asset)
        return found
