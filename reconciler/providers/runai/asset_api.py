"""The asset endpoints of one kind: plain dicts in and out, every answer checked for its form.

SDK hazards 5 and 6: ids go into paths unquoted (and `_` becomes `-`), so that only a UUID is let
through; request bodies and answers are plain dicts, since the models drop what they do not know.
A list without `entries`, one that is cut short, or one with an entry that is no asset, is an error
and never "nothing there".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.errors import ProviderError
from reconciler.kinds.compute import COMPUTE
from reconciler.kinds.environment import ENVIRONMENT
from reconciler.providers.runai import sdk
from reconciler.providers.runai.faults import unexpected
from reconciler.providers.runai.fields import COMPUTE_FIELDS, ENVIRONMENT_FIELDS, Field
from reconciler.providers.runai.lists import whole_list
from reconciler.resource import KindTraits

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class AssetKind:
    """One kind of asset: `word` is its name in paths and in the SDK's methods."""

    traits: KindTraits
    word: str
    api_class: str
    fields: Sequence[Field]


KINDS = (
    AssetKind(COMPUTE, "compute", "ComputeApi", COMPUTE_FIELDS),
    AssetKind(ENVIRONMENT, "environment", "EnvironmentApi", ENVIRONMENT_FIELDS),
)


class AssetApi:
    """Assets of one kind. `login` gives the client; every call raises `ProviderError`."""

    def __init__(self, kind: AssetKind, login: Callable[[], Any]) -> None:
        self._kind = kind
        self._login = login
        self.path = f"/api/v1/asset/{kind.word}"

    def list(self, **filters: Any) -> Sequence[Mapping[str, Any]]:
        """The assets that the filters leave (`name` may match in part); all without filters."""
        data = self._call(f"list_{self._kind.word}_assets", **filters)
        return whole_list(data, self.path)

    def get(self, uid: str) -> Mapping[str, Any]:
        """One asset. Raises `NotFoundError`."""
        data = self._call(f"get_{self._kind.word}_asset_by_id", check_uid(uid))
        if not isinstance(data, dict) or not isinstance(data.get("meta"), dict):
            raise unexpected(f"{self.path}/{uid}", "an asset")
        return data

    def create(self, body: Mapping[str, Any]) -> str | None:
        """Create an asset; its id, or None if the answer does not say it."""
        data = self._call(f"create_{self._kind.word}_asset", body)
        meta = data.get("meta") if isinstance(data, dict) else None
        uid = meta.get("id") if isinstance(meta, dict) else None
        return uid if isinstance(uid, str) and _UUID.fullmatch(uid) else None

    def update(self, uid: str, body: Mapping[str, Any]) -> None:
        """Replace name, description and spec of an asset. Raises `NotFoundError`."""
        self._call(f"update_{self._kind.word}_asset_by_id", check_uid(uid), body)

    def delete(self, uid: str) -> None:
        """Delete an asset. Raises `NotFoundError`."""
        self._call(f"delete_{self._kind.word}_asset_by_id", check_uid(uid))

    def _call(self, method: str, *arguments: Any, **filters: Any) -> Any:
        client = self._login()
        api = getattr(sdk.load(), self._kind.api_class)(client)
        return getattr(api, method)(*arguments, **filters).data


def check_uid(uid: str) -> str:
    """The id, if it is a UUID and nothing else."""
    if not _UUID.fullmatch(uid):
        raise ProviderError(
            f"{uid!r} is not the id of an asset, which is a UUID",
            fix="this is a defect of the server or of reconcile: please report it",
        )
    return uid
