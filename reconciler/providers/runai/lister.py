"""One list of the API, whole: whatever the number of assets, and of the kinds that are in it.

The list has no filter, so that objects of ours are seen in scopes that no manifest mentions any
more. Where a server refuses that, the tenant and each cluster with all that is below it are listed
instead; and scope by scope where that is refused, too, or where the server may be too old to know
`includeDescendants`: it would ignore it and show the cluster's own assets alone. A refusal there is
an error: what cannot be read is never taken for absent.
"""

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from reconciler.errors import AccessError, ReconcileError
from reconciler.kinds.runai_asset import AssetKind
from reconciler.providers.runai.api_errors import RejectedError, unexpected
from reconciler.providers.runai.asset_api import AssetApi
from reconciler.providers.runai.mapping import SCOPE_IDS, write_scope_id
from reconciler.providers.runai.organisation import Unit, UnitLists
from reconciler.providers.runai.server import Server

log = logging.getLogger(__name__)

Entry = Mapping[str, Any]


class Lister:
    """Lists the assets of the kinds that share a list; `api` is that of any of them.

    Every method raises `ProviderError`.
    """

    def __init__(
        self,
        api: AssetApi,
        kinds: Collection[str],
        units: UnitLists,
        server: Server,
    ) -> None:
        self._list = api.list
        self._listing = api.kind.listing
        self._kinds = kinds
        self._units = units
        self._server = server
        self._lock = threading.Lock()
        self._answer: Sequence[Entry] | ReconcileError = ()
        self._due: set[str] = set()
        """The kinds that have not had this answer."""

    def read_together(self, kind: AssetKind) -> Sequence[Entry]:
        """The assets of a kind, from one answer for all who ask: each has the same one once.

        A plan reads all kinds at the same time. What is read for a write is never shared.
        """
        name = kind.traits.name
        with self._lock:
            if name not in self._due:
                self._due = set()  # until there is another answer
                try:
                    self._answer = self._all({})
                except ReconcileError as error:
                    self._answer = error
                self._due = set(self._kinds)
            self._due.discard(name)
            answer = self._answer
        if isinstance(answer, ReconcileError):
            raise answer
        return self._of(kind, answer)

    def forget(self) -> None:
        """Something was written: an answer from before is nobody's any more."""
        with self._lock:
            self._due.clear()

    def read(self, kind: AssetKind, **options: Any) -> Sequence[Entry]:
        """The assets of a kind as they are now, in the server's order."""
        return self._of(kind, self._all(options))

    def find(self, kind: AssetKind, name: str) -> Sequence[Entry]:
        """The assets of a kind that have this name, and perhaps more."""
        try:
            return self._of(kind, self._list(name=name))
        except (AccessError, RejectedError):
            return self.read(kind)

    def _of(self, kind: AssetKind, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Those of a kind, with its spec for that of the list."""
        if self._listing.path == kind.endpoint:
            return entries
        name = kind.nested or kind.api_kind
        try:
            return [
                {**entry, "spec": entry["spec"][name]}
                for entry in entries
                if _is_of(entry, kind.api_kind, name)
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            wanted = f"the kind of each entry, and its spec under {name}"
            raise unexpected(self._listing.path, wanted) from error

    def _all(self, options: Mapping[str, Any]) -> Sequence[Entry]:
        try:
            return self._list(**options)
        except (AccessError, RejectedError) as error:
            log.info("the list without a filter was refused, reading by scope: %s", error.what)
        found = list(self._list(scope="tenant", **options))
        for cluster in self._units.clusters():
            found += self._below(cluster, options)
        return list(by_uid(found, self._listing.path).values())

    def _below(self, cluster: Unit, options: Mapping[str, Any]) -> Sequence[Entry]:
        """The assets of a cluster, and of every department and project in it."""
        if self._server.has(self._listing.below_since):
            try:
                filters: dict[str, Any] = {"clusterId": cluster.id, "includeDescendants": True}
                return self._list(**filters, **options)
            except RejectedError as error:
                log.info("a list with descendants was refused, reading each: %s", error.what)
        found: list[Entry] = []
        for scope in SCOPE_IDS:
            for unit in self._units.of_scope(scope):
                if unit.cluster_id == cluster.id:
                    filters = {SCOPE_IDS[scope]: write_scope_id(scope, unit.id)}
                    found += self._list(scope=scope, **filters, **options)
        return found


def _is_of(entry: Entry, kind: str, name: str) -> bool:
    """Whether an entry is of a kind, whose spec is under a name; raises where these disagree."""
    stated, spec = entry["meta"]["kind"], entry["spec"]
    if not isinstance(stated, str) or (stated != kind and spec.get(name)):
        raise ValueError(stated)
    return stated == kind


def by_uid(entries: Sequence[Entry], path: str) -> Mapping[str, Entry]:
    """Entries by id: those of one id are one asset, the last of them."""
    try:
        return {str(entry["meta"]["id"]): entry for entry in entries}
    except (KeyError, TypeError) as error:
        raise unexpected(path, "the id of each asset") from error
