"""Providers of a target that is not to be reached: what is live was recorded, nothing is written.

Images are prepared from the disk as ever. Names of scopes cannot be looked up: where the recorded
object has the manifest's scope, its scope id is taken for the one that the manifest names.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from reconciler.config import Target
from reconciler.errors import ProviderError
from reconciler.kinds.registry import KINDS
from reconciler.plan import Change
from reconciler.providers.base import Progress, Provider, Providers
from reconciler.resource import KindTraits, LiveResource, Resource, hash_id

_IMAGE = "RayfineImage"


class OfflineProvider(Provider):
    """The recorded objects of one kind."""

    system = "recorded state"

    def __init__(self, traits: KindTraits, live: Sequence[LiveResource]) -> None:
        self.traits = traits
        self._live = [item for item in live if item.kind == traits.name]

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """The same resources, with the scope ids of what is recorded of them."""
        known = {item.mark.id_hash: item for item in self._live if item.mark is not None}
        return [_with_scope(item, known.get(hash_id(*item.key))) for item in resources]

    def read(self) -> Sequence[LiveResource]:
        """What was recorded."""
        return self._live

    def usage(self, live: Sequence[LiveResource]) -> Mapping[str, tuple[str, ...]]:  # noqa: ARG002
        """Nothing is known of it."""
        return {}

    def write(self, change: Change, progress: Progress) -> str:  # noqa: ARG002
        """Never: raises `ProviderError`."""
        raise ProviderError(
            "an offline plan cannot be applied",
            where=change.address,
            fix="make a plan without --offline",
        )

    def settle(self, changes: Sequence[Change], uids: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing was written."""
        return {}


class OfflineImages(OfflineProvider):
    """Images: their content digests come from the disk."""

    def __init__(
        self, traits: KindTraits, live: Sequence[LiveResource], target: Target, root: Path
    ) -> None:
        super().__init__(traits, live)
        self._target = target
        self._root = root

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """Digests and specs from the disk. Raises `ManifestError`."""
        if not resources:
            return ()
        from reconciler.providers.docker import surroundings  # noqa: PLC0415  (heavy SDK)
        from reconciler.providers.docker.desired import resolve_images  # noqa: PLC0415

        found = resolve_images(resources, self._root, surroundings(self._target, self._root))
        return [item.resource for item in found.values()]


@contextmanager
def open_offline(target: Target, root: Path, live: Sequence[LiveResource]) -> Iterator[Providers]:
    """A provider for every kind, by kind in order of rank."""
    providers: dict[str, Provider] = {}
    for traits in sorted((kind.traits for kind in KINDS), key=lambda traits: traits.rank):
        if traits.name == _IMAGE:
            providers[_IMAGE] = OfflineImages(traits, live, target, root)
        else:
            providers[traits.name] = OfflineProvider(traits, live)
    yield providers


def _with_scope(resource: Resource, live: LiveResource | None) -> Resource:
    if live is None or live.spec.get("scope") != resource.spec.get("scope"):
        return resource
    if "scope_id" not in live.spec:
        return resource
    return replace(resource, spec={**resource.spec, "scope_id": live.spec["scope_id"]})
