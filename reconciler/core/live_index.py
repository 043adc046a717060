"""Live resources by mark and by identity: what a manifest may be paired with. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.core.mark import hash_id
from reconciler.core.plan import Change, Unmanaged
from reconciler.core.resource import (
    KindTraits,
    LiveResource,
    Resource,
    ResourceKey,
)


class LiveIndex:
    """Live resources by mark and by identity; remembers which of them were paired."""

    def __init__(
        self,
        desired: Sequence[Resource],
        live: Sequence[LiveResource],
        stack: str,
        kinds: Mapping[str, KindTraits],
    ) -> None:
        self.by_mark: dict[tuple[str, str], list[LiveResource]] = {}
        self.by_identity: dict[tuple[Any, ...], LiveResource] = {}
        self.deposed: dict[tuple[str, str, str], list[LiveResource]] = {}
        self.foreign: dict[tuple[Any, ...], LiveResource] = {}
        self.claimed = {(key.kind, hash_id(*key)) for key in _claims(desired)}
        self.paired: set[int] = set()
        self.owned_count = 0
        self._live, self._kinds = live, kinds
        self._detached: list[LiveResource] = []
        for item in sorted(live, key=lambda one: (one.kind, one.name, one.uid)):
            mark = item.mark
            if item.detached:
                self._detached.append(item)
            if mark is not None and mark.stack == stack and not item.detached:
                self.owned_count += 1
                if mark.deposed:
                    leftover = (item.kind, mark.id_hash, mark.deposed)
                    self.deposed.setdefault(leftover, []).append(item)
                else:
                    self.by_mark.setdefault((item.kind, mark.id_hash), []).append(item)
                    self.by_identity[kinds[item.kind].identify(item.spec)] = item
            else:
                self.foreign.setdefault(kinds[item.kind].identify(item.spec), item)

    def owned(self, key: ResourceKey) -> list[LiveResource]:
        """The live objects of this stack that bear the mark of this key."""
        found = self.by_mark.get((key.kind, hash_id(key.kind, key.id)), [])
        self.paired.update(id(item) for item in found)
        return found

    def predecessor_of(
        self, resource: Resource, kinds: Mapping[str, KindTraits]
    ) -> list[LiveResource]:
        """The object of ours that no manifest claims and that is what this resource describes.

        Somebody gave the resource another id and nothing else: the object is marked anew instead
        of being deleted, which its successor would have to wait for.
        """
        item = self.by_identity.get(kinds[resource.key.kind].identify(resource.spec))
        if item is None or item.mark is None or (item.kind, item.mark.id_hash) in self.claimed:
            return []
        self.paired.add(id(item))
        return [item]

    def unowned(self, changes: Sequence[Change]) -> int:
        """How many objects that could bear a mark bear none, and no change speaks of them."""
        return sum(
            item.mark is None and not item.detached and self._kinds[item.kind].marked
            for item in _unspoken_of(self._live, changes)
        )

    def detached(self, changes: Sequence[Change]) -> Iterable[Unmanaged]:
        """Detached objects that no change speaks of."""
        for item in _unspoken_of(self._detached, changes):
            yield Unmanaged(item.kind, item.name, item.uid, item.detached or "")


def _unspoken_of(live: Iterable[LiveResource], changes: Sequence[Change]) -> Iterable[LiveResource]:
    spoken_of = {id(change.live) for change in changes if change.live is not None}
    return (item for item in live if id(item) not in spoken_of)


def _claims(desired: Sequence[Resource]) -> Iterable[ResourceKey]:
    """The keys that manifests have, or say they had before."""
    for item in desired:
        yield item.key
        if item.moved_from:
            yield ResourceKey(item.key.kind, item.moved_from)
