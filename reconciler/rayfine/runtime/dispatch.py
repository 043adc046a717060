"""Which replica takes the next call: of the least busy ones that are not lost, the longest idle."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from reconciler.rayfine.forks import anew_after_fork
from reconciler.rayfine.runtime.replica import Replica


class Seat:
    """A replica and how busy it is."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.busy = 0
        self.taken_as = 0
        self.lost = False


class Dispatcher:
    """The replicas of one environment."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.all = tuple(seats)
        self._lock = threading.Lock()
        self._calls = 0
        anew_after_fork(self)

    def after_fork(self) -> None:
        """The calls under way are the parent's."""
        self._lock = threading.Lock()
        for seat in self.all:
            seat.busy = 0

    @contextmanager
    def taken(self) -> Iterator[Seat]:
        """A replica for one call. Lost ones only if there are no others: they say what happened."""
        with self._lock:
            seat = min(self.all, key=lambda item: (item.lost, item.busy, item.taken_as))
            seat.busy += 1
            self._calls += 1
            seat.taken_as = self._calls
        try:
            yield seat
        finally:
            with self._lock:
                seat.busy -= 1
