"""Ids in specs -> the same ids with the names that people know them by: scopes and credentials.

Each list is read at most once, and only for an id that is there. A list that the account may not
read, or that fails, gives no names: a plan shows the ids then, since names decide nothing.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.core.resource import Named, Spec
from reconciler.errors import ProviderError
from reconciler.kinds.base import Kind
from reconciler.kinds.field_paths import change_at, values_at
from reconciler.providers.runai.organisation import UnitLists

log = logging.getLogger(__name__)

CREDENTIAL = "credential"
"""The sort of a credential's id; that of a scope's id is the scope."""


def ids_in(spec: Spec, kind: Kind) -> Iterator[tuple[str, str]]:
    """The ids of other objects that a spec holds, each with its sort."""
    if "scope_id" in spec:
        yield str(spec["scope"]), spec["scope_id"]
    for pattern in kind.credentials:
        for _, uid in values_at(spec, pattern):
            yield CREDENTIAL, uid


class NameBook:
    """The names of a control plane's ids, by the sort of what they stand for."""

    def __init__(self, units: UnitLists) -> None:
        self._units = units
        self._known: dict[str, Mapping[str, str]] = {}

    def add_to(self, spec: dict[str, Any], credentials: Sequence[str]) -> None:
        """Put names beside the ids in a spec: of its scope, and of credentials at these places."""
        if "scope_id" in spec:
            spec["scope_id"] = self._of(str(spec["scope"]), spec["scope_id"])
        for pattern in credentials:
            spec.update(change_at(spec, pattern, lambda _, uid: self._of(CREDENTIAL, uid)))

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
