"""The organisation of a control plane: clusters, departments, projects, and credential assets.

Each list is read at most once, when it is first needed. Projects and departments come in pages;
a `next` that does not advance is an error, not an endless loop.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from reconciler.providers.runai import sdk
from reconciler.providers.runai.faults import unexpected
from reconciler.providers.runai.lists import check_whole, whole_list

_PAGE = 500
_Value = TypeVar("_Value")


class Unit(NamedTuple):
    """A cluster, department or project. `cluster_id` is the cluster it is in (itself for one)."""

    id: str
    name: str
    cluster_id: str


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
        self.clusters = _Once(self._read_clusters)
        self.departments = _Once(lambda: self._read_pages("departments"))
        self.projects = _Once(lambda: self._read_pages("projects"))
        self.credentials = _Once(self._read_credentials)

    def of_scope(self, scope: str) -> Sequence[Unit]:
        """The units of a scope other than the tenant."""
        lists = {
            "cluster": self.clusters,
            "department": self.departments,
            "project": self.projects,
        }
        return lists[scope]()

    def _read_clusters(self) -> Sequence[Unit]:
        path = "/api/v1/clusters"
        data = sdk.load().ClustersApi(self._login()).get_clusters(verbosity="metadata").data
        if not isinstance(data, list):
            raise unexpected(path, "a list of clusters")
        return [_unit(item, "uuid", "uuid", path) for item in data]

    def _read_pages(self, word: str) -> Sequence[Unit]:
        path, units, offset = f"/api/v1/org-unit/{word}", list[Unit](), 0
        api = {"projects": "ProjectsApi", "departments": "DepartmentsApi"}[word]
        read = getattr(getattr(sdk.load(), api)(self._login()), f"get_{word}")
        while True:
            data = read(offset=offset, limit=_PAGE).data
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
        data = sdk.load().CredentialsApi(self._login()).list_credentials_assets().data
        return [_credential(entry, path) for entry in whole_list(data, path)]


class _Once(Generic[_Value]):
    """A function without arguments that is called until it succeeds once, by one thread."""

    def __init__(self, function: Callable[[], _Value]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._values: list[_Value] = []

    def __call__(self) -> _Value:
        with self._lock:
            if not self._values:
                self._values.append(self._function())
            return self._values[0]


def _unit(item: Any, id_name: str, cluster_name: str, path: str) -> Unit:
    if not isinstance(item, dict) or not item.get(id_name) or not item.get("name"):
        raise unexpected(path, f"the {id_name} and name of each entry")
    return Unit(str(item[id_name]), str(item["name"]), str(item.get(cluster_name) or ""))


def _credential(entry: Mapping[str, Any], path: str) -> CredentialAsset:
    meta = entry.get("meta") if isinstance(entry, dict) else None
    if not isinstance(meta, dict) or not meta.get("id") or not meta.get("name"):
        raise unexpected(path, "the id and name of each entry")
    scope = str(meta.get("scope") or "")
    scope_id = meta.get(f"{scope}Id")
    return CredentialAsset(
        str(meta["id"]), str(meta["name"]), scope, "" if scope_id is None else str(scope_id)
    )
