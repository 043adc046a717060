"""The organisation of a control plane: clusters, departments, projects, and credential assets.

Each list is read at most once, when it is first needed. Projects and departments come in pages;
a `next` that does not advance is an error, not an endless loop.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from reconciler.errors import AccessError
from reconciler.providers.runai.api_errors import (
    NotFoundError,
    RejectedError,
    UnauthorizedError,
    unexpected,
)
from reconciler.providers.runai.lists import check_whole, is_deleted, whole_list

log = logging.getLogger(__name__)

_PAGE = 500
_Value = TypeVar("_Value")


class Unit(NamedTuple):
    """A cluster, department or project. `cluster_id` is the cluster it is in (itself for one).

    `version` is what a cluster says of itself, empty if it says nothing.
    """

    id: str
    name: str
    cluster_id: str
    version: str = ""


class CredentialAsset(NamedTuple):
    """A credential in Run:ai: its scope, and the id of the scope (empty for the tenant)."""

    id: str
    name: str
    scope: str
    scope_id: str


class UnitLists:
    """What a control plane is made of. `login` gives the client; calls raise `ProviderError`."""

    def __init__(self, login: Callable[[], Any]) -> None:
        self._login = login
        self.clusters = once(self._read_clusters)
        self.departments = once(lambda: self._read_pages("departments"))
        self.projects = once(lambda: self._read_pages("projects"))
        self.credentials = once(self._read_credentials)

    def of_scope(self, scope: str) -> Sequence[Unit]:
        """The units of a scope other than the tenant."""
        lists = {
            "cluster": self.clusters,
            "department": self.departments,
            "project": self.projects,
        }
        return lists[scope]()

    def _read_clusters(self) -> Sequence[Unit]:
        """The clusters, or as much of them as an account without a right on clusters may see.

        The second list is known since 2.24. The Department administrator of 2.25 and later may
        read no other.
        """
        try:
            return self._read_array("/api/v1/clusters")  # "metadata" may leave out the version
        except UnauthorizedError:
            raise
        except AccessError as refusal:
            try:
                return self._read_array("/api/v1/clusters/minimal", ("limit", _PAGE))
            except (AccessError, NotFoundError, RejectedError) as error:
                log.info("there is no short list of clusters: %s", error.what)
                raise refusal from None

    def _read_array(self, path: str, *query: tuple[str, Any]) -> Sequence[Unit]:
        data = self._get(path, *query)
        if not isinstance(data, list) or len(data) >= _PAGE:
            raise unexpected(path, "a list of clusters, all of them")
        return [_unit(item, "uuid", "uuid", path) for item in data if not is_deleted(item)]

    def _read_pages(self, word: str) -> Sequence[Unit]:
        path, units, offset = f"/api/v1/org-unit/{word}", list[Unit](), 0
        while True:
            data = self._get(path, ("offset", offset), ("limit", _PAGE))
            items = data.get(word) if isinstance(data, dict) else None
            if not isinstance(items, list):
                raise unexpected(path, f"a list of {word}")
            units += [_unit(item, "id", "clusterId", path) for item in items]
            following = data.get("next")
            if following in (None, "", 0):
                check_whole(data, len(units), path)
                return units
            if not isinstance(following, int) or following <= offset:
                raise unexpected(path, "a next page that comes after this one")
            offset = following

    def _read_credentials(self) -> Sequence[CredentialAsset]:
        path = "/api/v1/asset/credentials"
        entries = whole_list(self._get(path), path)
        return [_credential(entry, path) for entry in entries if not is_deleted(entry)]

    def _get(self, path: str, *query: tuple[str, Any]) -> Any:
        return self._login().call_api("GET", path, list(query)).data


def once(function: Callable[[], _Value]) -> Callable[[], _Value]:
    """The function, called until it succeeds once, by one thread at a time."""
    lock, values = threading.Lock(), list[_Value]()

    def call() -> _Value:
        with lock:
            if not values:
                values.append(function())
            return values[0]

    return call


def _unit(item: Any, id_name: str, cluster_name: str, path: str) -> Unit:
    if not isinstance(item, dict) or not item.get(id_name) or not item.get("name"):
        raise unexpected(path, f"the {id_name} and name of each entry")
    cluster_id, version = (str(item.get(name) or "") for name in (cluster_name, "version"))
    return Unit(str(item[id_name]), str(item["name"]), cluster_id, version)


def _credential(entry: Mapping[str, Any], path: str) -> CredentialAsset:
    meta = entry.get("meta") if isinstance(entry, dict) else None
    if not isinstance(meta, dict) or not meta.get("id") or not meta.get("name"):
        raise unexpected(path, "the id and name of each entry")
    scope = str(meta.get("scope") or "")
    scope_id = meta.get(f"{scope}Id")
    return CredentialAsset(
        str(meta["id"]), str(meta["name"]), scope, "" if scope_id is None else str(scope_id)
    )
