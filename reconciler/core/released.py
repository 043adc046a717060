"""What a base stated of a kind without marks, and no manifest states any more -> a list. Pure.

Nothing on such an object says that it was ours, so that a manifest which is gone deletes nothing.
Only Git knows that there was one: a plan that is compared with a base lists it, once.
"""

from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.plan import Unmanaged
from reconciler.core.resource import KindTraits, LiveResource, Resource


def find_released(
    base: Iterable[Resource],
    desired: Iterable[Resource],
    live: Sequence[LiveResource],
    kinds: Mapping[str, KindTraits],
) -> tuple[Unmanaged, ...]:
    """The live objects that the base stated, and the manifests do not; all sides resolved."""
    stated = {kinds[item.key.kind].identify(item.spec) for item in desired}
    there = {
        kinds[item.kind].identify(item.spec): item for item in live if not kinds[item.kind].marked
    }
    found = []
    for resource in base:
        identity = kinds[resource.key.kind].identify(resource.spec)
        item = there.get(identity)
        if item is not None and identity not in stated and not resource.absent:
            reason = (
                f"{resource.source} stated it as {resource.key.address}, and an object of this "
                "kind has no room for a mark: it stays as it is; to delete it, state it with "
                "metadata.ensure: absent"
            )
            found.append(Unmanaged(item.kind, item.name, item.uid, reason))
    return tuple(found)
