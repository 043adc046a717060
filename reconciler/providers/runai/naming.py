"""Ids in specs -> the same ids with the names that people know them by: scopes and credentials.

Each list is read at most once, and only for an id that is there. A list that the account may not
read, or that fails, gives no names: a plan shows the ids then, since names decide nothing.
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.core.resource import Named, Spec
from reconciler.errors import ProviderError
from reconciler.providers.runai.organisation import UnitLists

log = logging.getLogger(__name__)

CREDENTIAL = "credential"
"""The sort of a credential's id; that of a scope's id is the scope."""


def ids_in(spec: Spec) -> Iterator[tuple[str, str]]:
    """The ids of other objects that a spec holds, each with its sort."""
    if "scope_id" in spec:
        yield str(spec["scope"]), spec["scope_id"]
    for item in spec.get("environment_variables", {}).values():
        source = item.get("credential") if isinstance(item, dict) else None
        if isinstance(source, dict) and "asset_id" in source:
            yield CREDENTIAL, source["asset_id"]


class NameBook:
    """The names of a control plane's ids, by the sort of what they stand for."""

    def __init__(self, units: UnitLists) -> None:
        self._units = units
        self._known: dict[str, Mapping[str, str]] = {}

    def add_to(self, spec: dict[str, Any]) -> None:
        """Put the name of its scope and of each credential beside the id in a spec."""
        if "scope_id" in spec:
            spec["scope_id"] = self._of(str(spec["scope"]), spec["scope_id"])
        if variables := spec.get("environment_variables"):
            spec["environment_variables"] = {
                name: self._variable(item) for name, item in variables.items()
            }

    def _variable(self, item: Any) -> Any:
        source = item.get("credential") if isinstance(item, dict) else None
        if not isinstance(source, dict) or "asset_id" not in source:
            return item
        uid = self._of(CREDENTIAL, source["asset_id"])
        return {**item, "credential": {**source, "asset_id": uid}}

    def _of(self, sort: str, uid: str) -> str:
        if sort not in self._known:
            self._known[sort] = self._read(sort)
        name = self._known[sort].get(uid)
        return Named(uid, name) if name else uid

    def _read(self, sort: str) -> Mapping[str, str]:
        try:
            if sort == CREDENTIAL:
                return {item.id: item.name for item in self._units.credentials()}
            return {unit.id: unit.name for unit in self._units.of_scope(sort)}
        except ProviderError as error:
            log.info("names of %ss could not be read, ids are shown: %s", sort, error.what)
            return {}
