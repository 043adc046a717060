"""The asset endpoints of one kind: plain dicts in and out, every answer checked for its form.

Requests go through `ApiClient.call_api` alone: the SDK's classes and models for each endpoint are
those of one version, and drop what they do not know (hazards 5 and 6). Only a UUID goes into a
path. A list without `entries`, one that is cut short, or one with an entry that is no asset, is an
error and never "nothing there". What the server keeps as deleted is not there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reconciler.errors import ProviderError
from reconciler.kinds.runai_asset import AssetKind
from reconciler.providers.runai.api_errors import NotFoundError, unexpected
from reconciler.providers.runai.lists import is_deleted, whole_list

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class AssetApi:
    """Assets of one kind. `login` gives the client; every call raises `ProviderError`."""

    def __init__(self, kind: AssetKind, login: Callable[[], Any]) -> None:
        self._login = login
        self.kind = kind
        self.path = kind.endpoint

    def list(self, **filters: Any) -> Sequence[Mapping[str, Any]]:
        """What the filters leave of the list that the kind is in (`name` may match in part)."""
        path = self.kind.listing.path
        data = self._call("GET", path, query=list(filters.items()))
        return [entry for entry in whole_list(data, path) if not is_deleted(entry)]

    def get(self, uid: str) -> Mapping[str, Any]:
        """One asset. Raises `NotFoundError`."""
        path = self._path_of(uid)
        data = self._call("GET", path)
        if not isinstance(data, dict) or not isinstance(data.get("meta"), dict):
            raise unexpected(path, "an asset")
        if is_deleted(data):
            raise NotFoundError(f"{path} is deleted", fix="run plan again")
        return data

    def create(self, body: Mapping[str, Any]) -> str | None:
        """Create an asset; its id, or None if the answer does not say it."""
        data = self._call("POST", self.path, body)
        meta = data.get("meta") if isinstance(data, dict) else None
        uid = meta.get("id") if isinstance(meta, dict) else None
        return uid if isinstance(uid, str) and _UUID.fullmatch(uid) else None

    def update(self, uid: str, body: Mapping[str, Any]) -> None:
        """Replace name, description and spec of an asset. Raises `NotFoundError`."""
        self._call("PUT", self._path_of(uid), body)

    def delete(self, uid: str) -> None:
        """Delete an asset. Raises `NotFoundError`."""
        self._call("DELETE", self._path_of(uid))

    def _path_of(self, uid: str) -> str:
        return f"{self.path}/{check_uid(uid)}"

    def _call(self, method: str, path: str, body: Any = None, query: Any = None) -> Any:
        return self._login().call_api(method, path, query, body=body).data


def check_uid(uid: str) -> str:
    """The id, if it is a UUID and nothing else."""
    if not _UUID.fullmatch(uid):
        raise ProviderError(
            f"{uid!r} is not the id of an asset, which is a UUID",
            fix="this is a defect of the server or of reconcile: please report it",
        )
    return uid
