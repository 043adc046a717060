"""Which replica takes the next call: the least busy one that is not lost."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from reconciler.rayfine.runtime.replica import Replica


class Seat:
    """A replica and how busy it is."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.busy = 0
        self.calls = 0
        self.lost = False


class Dispatcher:
    """The replicas of one environment."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.all = tuple(seats)
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[Seat]:
        """A replica for one call. Lost ones only if there are no others: they say what happened."""
        with self._lock:
            seat = min(self.all, key=lambda item: (item.lost, item.busy, item.calls))
            seat.busy += 1
            seat.calls += 1
        try:
            yield seat
        finally:
            with self._lock:
                seat.busy -= 1
