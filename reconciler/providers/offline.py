"""Providers of a target that is not to be reached: what is live was recorded, nothing is written.

Images are prepared from the disk as ever. Names of scopes and credentials are looked up among
those that were recorded; where the recorded object's own id has no name there, it is taken for the
one that the manifest names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from reconciler.config import Target
from reconciler.core.mark import hash_id
from reconciler.core.plan import Change
from reconciler.core.resource import (
    LiveResource,
    Named,
    Resource,
    Spec,
)
from reconciler.core.resource import Path as FieldPath
from reconciler.errors import ProviderError
from reconciler.kinds.base import Kind
from reconciler.kinds.field_paths import change_at, values_at
from reconciler.kinds.registry import KIND_NAMED, KINDS
from reconciler.providers.base import Progress, Provider, Providers
from reconciler.providers.runai.naming import CREDENTIAL, ids_in


@dataclass(frozen=True, slots=True)
class Recorded:
    """What counts as live. `has_ids`: read from a live system, not written in manifests."""

    live: tuple[LiveResource, ...] = ()
    has_ids: bool = True


class OfflineProvider(Provider):
    """The recorded objects of one kind."""

    system = "recorded state"

    def __init__(self, kind: Kind, recorded: "Recorded") -> None:
        self.traits = kind.traits
        self._kind = kind
        self._live = [item for item in recorded.live if item.kind == kind.traits.name]
        self._known = self._live if recorded.has_ids else []
        self._ids = _RecordedIds(recorded.live if recorded.has_ids else ())

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """The same resources, with recorded ids in place of names."""
        known = {item.mark.id_hash: item.spec for item in self._known if item.mark is not None}
        return [self._bind(item, known.get(hash_id(*item.key), {})) for item in resources]

    def _bind(self, resource: Resource, recorded: Spec) -> Resource:
        spec = dict(resource.spec)
        scope, wanted = str(spec.get("scope")), spec.get("scope_id")
        own = recorded.get("scope_id") if recorded.get("scope") == scope else None
        if found := self._ids.find(scope, wanted, own):
            spec["scope_id"] = found
        for pattern in self._kind.credentials:
            own_ids = dict(values_at(recorded, pattern))
            find = partial(self._find_credential, own_ids)
            spec = change_at(spec, pattern, find)
        return replace(resource, spec=spec)

    def _find_credential(
        self, own_ids: Mapping[FieldPath, str], path: FieldPath, wanted: str
    ) -> str | None:
        return self._ids.find(CREDENTIAL, wanted, own_ids.get(path))

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

    def settle(
        self,
        changes: Sequence[Change],  # noqa: ARG002
        uids: Mapping[str, str],  # noqa: ARG002
    ) -> Mapping[str, ProviderError]:
        """Nothing was written."""
        return {}


class OfflineImages(OfflineProvider):
    """Images: their content digests come from the disk."""

    def __init__(self, kind: Kind, recorded: "Recorded", target: Target, root: Path) -> None:
        super().__init__(kind, recorded)
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
def open_offline(
    target: Target, root: Path, recorded: Recorded = Recorded()
) -> Iterator[Providers]:
    """A provider for every kind, by kind in order of rank."""
    providers: dict[str, Provider] = {}
    for kind in sorted(KINDS, key=lambda kind: kind.traits.rank):
        providers[kind.traits.name] = (
            OfflineImages(kind, recorded, target, root)
            if kind.files
            else OfflineProvider(kind, recorded)
        )
    yield providers


class _RecordedIds:
    """The ids that stand in recorded specs, found by themselves or by their names."""

    def __init__(self, live: Iterable[LiveResource]) -> None:
        self._found: dict[tuple[str, str], set[str]] = {}
        found = (ids_in(item.spec, KIND_NAMED[item.kind]) for item in live)
        for sort, uid in chain.from_iterable(found):
            for word in {str(uid).lower(), uid.name if isinstance(uid, Named) else str(uid)}:
                self._found.setdefault((sort, word), set()).add(uid)

    def find(self, sort: str, wanted: str | None, own: str | None) -> str | None:
        """The id that a manifest means; what it wrote, if that was not recorded.

        `own` is the id that the recorded object has in this place.
        """
        if wanted is None:
            return own
        names = (wanted, wanted.lower(), wanted.rpartition("/")[2])
        found = {uid for name in names for uid in self._found.get((sort, name), ())}
        nameless = own is not None and not isinstance(own, Named)
        if own in found or (nameless and not found):
            return own
        return found.pop() if len(found) == 1 else wanted
