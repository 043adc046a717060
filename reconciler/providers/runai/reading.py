"""Reading every asset of one kind: one list, whatever the number of assets.

The list has no filter, so that objects of ours are seen in scopes that no manifest mentions any
more. Where a server refuses that, the tenant and each cluster with all that is below it are listed
instead; and scope by scope where that is refused, too, or where the server may be too old to know
`includeDescendants`: it would ignore it and show the cluster's own assets alone. A refusal there is
an error: what cannot be read is never taken for absent.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.resource import LiveResource
from reconciler.errors import AccessError
from reconciler.providers.runai.api_errors import RejectedError, unexpected
from reconciler.providers.runai.asset_api import AssetApi
from reconciler.providers.runai.mapping import SCOPE_IDS, AssetMapping, write_scope_id
from reconciler.providers.runai.organisation import Unit, UnitLists
from reconciler.providers.runai.server import Server

log = logging.getLogger(__name__)

Entry = Mapping[str, Any]


class AssetReader:
    """Lists the assets of one kind. Every method raises `ProviderError`."""

    def __init__(
        self, api: AssetApi, mapping: AssetMapping, units: UnitLists, server: Server
    ) -> None:
        self._api = api
        self._mapping = mapping
        self._units = units
        self._server = server
        self._lock = threading.Lock()
        self._by_mark: Mapping[str, Sequence[LiveResource]] | None = None

    def read(self) -> list[LiveResource]:
        """Every asset that may concern us: no built-in ones, none of a scope we do not know.

        Entries of one id are one asset: the last of them.
        """
        return list({item.uid: item for item in self._map(self.entries())}.values())

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
        try:
            entries = self._api.list(name=name)
        except (AccessError, RejectedError):
            entries = self.entries()
        return [item for item in self._map(entries) if item.name == name]

    def get(self, uid: str) -> LiveResource | None:
        """One asset; None if it is not ours to see. Raises `NotFoundError`."""
        found = self._map([self._api.get(uid)])
        return found[0] if found else None

    def entries_by_uid(self, **options: Any) -> Mapping[str, Entry]:
        """The plain entries, all of them, by id."""
        return self._by_uid(self.entries(**options))

    def entries(self, **options: Any) -> Sequence[Entry]:
        """The plain entries, all of them, in the server's order."""
        try:
            return self._api.list(**options)
        except (AccessError, RejectedError) as error:
            log.info("the list without a filter was refused, reading by scope: %s", error.what)
        found = list(self._api.list(scope="tenant", **options))
        for cluster in self._units.clusters():
            found += self._below(cluster, options)
        return list(self._by_uid(found).values())

    def _below(self, cluster: Unit, options: Mapping[str, Any]) -> list[Entry]:
        """The assets of a cluster, and of every department and project in it."""
        if self._server.has(self._api.kind.lists_below):
            try:
                filters: dict[str, Any] = {"clusterId": cluster.id, "includeDescendants": True}
                return list(self._api.list(**filters, **options))
            except RejectedError as error:
                log.info("a list with descendants was refused, reading each: %s", error.what)
        found: list[Entry] = []
        for scope in SCOPE_IDS:
            for unit in self._units.of_scope(scope):
                if unit.cluster_id == cluster.id:
                    filters = {SCOPE_IDS[scope]: write_scope_id(scope, unit.id)}
                    found += self._api.list(scope=scope, **filters, **options)
        return found

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

    def _by_uid(self, entries: Sequence[Entry]) -> Mapping[str, Entry]:
        try:
            return {str(entry["meta"]["id"]): entry for entry in entries}
        except (KeyError, TypeError) as error:
            raise unexpected(self._api.path, "the id of each asset") from error
