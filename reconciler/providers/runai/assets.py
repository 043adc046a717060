"""The provider of assets: one class, one instance for each kind."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.core.plan import Change
from reconciler.core.resource import LiveResource, Resource
from reconciler.errors import ProviderError
from reconciler.providers.base import Progress, Provider
from reconciler.providers.runai.api_errors import unexpected
from reconciler.providers.runai.confirm import DoubledError, Rules, settle
from reconciler.providers.runai.mapping import AssetMapping
from reconciler.providers.runai.reading import AssetReader
from reconciler.providers.runai.scopes import ScopeDirectory
from reconciler.providers.runai.writing import AssetWriter

_USERS = (
    ("workspaces", "workspace"),
    ("trainings", "training"),
    ("distributed", "distributed training"),
    ("inferences", "inference"),
    ("templates", "template"),
)
_ENDED = ("Completed", "Failed")
"""Phases of a workload that uses nothing any more."""


class AssetProvider(Provider):
    """Assets of one kind on one control plane."""

    system = "Run:ai control plane"

    def __init__(
        self,
        reader: AssetReader,
        writer: AssetWriter,
        mapping: AssetMapping,
        directory: ScopeDirectory,
        rules: Rules,
    ) -> None:
        self.traits = rules.traits
        self._kind = rules.kind
        self._reader = reader
        self._writer = writer
        self._mapping = mapping
        self._directory = directory
        self._rules = rules

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """Ids in place of names; what equals a default of this server is left out.

        A field that this server does not have is an error of the manifest.
        """
        if not resources:
            return ()
        bound = self._directory.bind(resources, self._kind)
        if not self._mapping.defaults:
            return bound
        return [self._without_defaults(resource) for resource in bound]

    def _without_defaults(self, resource: Resource) -> Resource:
        spec = dict(resource.spec)
        self._mapping.drop_defaults(spec)
        return replace(resource, spec=spec)

    def read(self) -> Sequence[LiveResource]:
        """Every asset that the account may read, built-in ones aside."""
        return self._reader.read_together()

    def usage(self, live: Sequence[LiveResource]) -> Mapping[str, tuple[str, ...]]:
        """What uses these assets, from one list with usage information."""
        wanted = {item.uid for item in live}
        found = self._reader.entries_by_uid(usageInfo=True)
        try:
            return {
                uid: tuple(_users(entry.get("usedBy") or {}))
                for uid, entry in found.items()
                if uid in wanted
            }
        except (TypeError, AttributeError) as error:
            raise unexpected(f"usage of {self.traits.name}", "what uses each asset") from error

    def write(self, change: Change, progress: Progress) -> str:
        """Carry out one change; see `AssetWriter`."""
        try:
            return self._writer.write(change, progress)
        finally:
            self._reader.forget_together()

    def settle(
        self, changes: Sequence[Change], uids: Mapping[str, str]
    ) -> Mapping[str, ProviderError]:
        """Wait until the changes show; see `confirm`. What came second is taken back."""
        self._reader.forget()  # the next creates are preceded by a list of their own
        wrong = dict(settle(changes, uids, self._reader.read, self._rules))
        for change in changes:
            fault = wrong.get(change.address)
            if isinstance(fault, DoubledError):
                uid = uids[change.address]
                wrong[change.address] = self._writer.take_back(change, uid, fault)
        return wrong


def _users(used_by: Mapping[str, Any]) -> list[str]:
    """`workspace train-7 (Running)`, sorted within each sort; not what has ended."""
    users: list[str] = []
    for name, word in _USERS:
        found = [
            f"{word} {item.get('name', '?')}"
            + (f" ({item['status']})" if item.get("status") else "")
            for item in used_by.get(name) or ()
            if item.get("status") not in _ENDED
        ]
        users += sorted(found)
    return users
