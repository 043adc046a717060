"""Changes -> waves of what may be written side by side, in the order of dependency. Pure."""

from collections.abc import Iterable, Sequence

from reconciler.core.plan import Change
from reconciler.core.resource import ResourceKey
from reconciler.errors import ReconcileError
from reconciler.providers.base import Providers


def write_waves(changes: Sequence[Change]) -> Iterable[list[Change]]:
    """Group changes so that each comes after what it depends on."""
    keys = {change.key for change in changes}
    level: dict[ResourceKey, int] = {}
    needs = {change.key: [key for key in change.waits_for if key in keys] for change in changes}
    waiting = list(changes)
    depth = 0
    while waiting:
        wave = [change for change in waiting if all(key in level for key in needs[change.key])]
        if not wave:  # a circle: manifests cannot state one, so this is a defect of ours
            addresses = ", ".join(change.address for change in waiting)
            raise ReconcileError(f"these changes depend on one another: {addresses}")
        for change in wave:
            level[change.key] = depth
        waiting = [change for change in waiting if change.key not in level]
        depth += 1
        yield wave


def delete_waves(changes: Sequence[Change], providers: Providers) -> Iterable[list[Change]]:
    """One wave per kind, the kinds that depend on others first."""
    ranks = {kind: provider.traits.rank for kind, provider in providers.items()}
    for kind in sorted({change.key.kind for change in changes}, key=lambda kind: -ranks[kind]):
        yield [change for change in changes if change.key.kind == kind]
