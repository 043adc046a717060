"""A provider over a dictionary: what apply needs of a live system, and nothing more."""

from collections.abc import Mapping, Sequence

from reconciler.core.plan import Action, Change
from reconciler.core.resource import LiveResource, Resource
from reconciler.errors import NotConvergedError, ProviderError
from reconciler.providers.base import Progress, Provider
from tests.core.builders import KINDS


class MemoryProvider(Provider):
    """Keeps uid -> name; `broken` maps an address to the error its next write raises."""

    system = "memory"

    def __init__(self, kind: str = "RunaiEnvironment") -> None:
        self.traits = KINDS[kind]
        self.calls: list[str] = []
        self.broken: dict[str, Exception] = {}
        self.wrong: dict[str, str] = {}
        self.unsettled: BaseException | None = None
        self.unreadable: ProviderError | None = None
        self.objects: list[LiveResource] = []
        self.users: dict[str, tuple[str, ...]] = {}

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        return resources

    def read(self) -> Sequence[LiveResource]:
        if self.unreadable:
            raise self.unreadable
        return self.objects

    def usage(self, live: Sequence[LiveResource]) -> Mapping[str, tuple[str, ...]]:
        self.calls.append(f"usage of {len(live)}")
        return self.users

    def write(self, change: Change, progress: Progress) -> str:
        self.calls.append(f"{change.action.value} {change.address}")
        progress("working")
        error = self.broken.pop(f"{change.action.value} {change.address}", None)
        if error is not None:
            raise error
        return change.live.uid if change.live and change.action is Action.DELETE else "new-uid"

    def settle(
        self, changes: Sequence[Change], uids: Mapping[str, str]
    ) -> Mapping[str, ProviderError]:
        self.calls.append(f"settle {' '.join(sorted(uids))}")
        if self.unsettled:
            raise self.unsettled
        return {
            change.address: NotConvergedError(self.wrong[change.address])
            for change in changes
            if change.address in self.wrong
        }
