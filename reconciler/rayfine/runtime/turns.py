"""A bound on how many calls are under way at once; the rest wait, in the order of their arrival."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class WaitedTooLongError(Exception):
    """The time limit of a call passed before its turn came: it was not sent."""


class GivenUpError(Exception):
    """A call was cancelled before its turn came: it was not sent."""


class _Waiter:
    def __init__(self) -> None:
        self.woken = threading.Event()
        self.has_turn = False


class Turns:
    """So many at once."""

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._free = most
        self._waiting: dict[str, _Waiter] = {}

    @contextmanager
    def taken(self, identity: str, limit: float) -> Iterator[float]:
        """A turn for one call; what is left of its limit in seconds, 0 for none.

        Raises `WaitedTooLongError` or `GivenUpError`.
        """
        waited = self._take(identity, limit)
        try:
            yield max(limit - waited, 0.001) if limit else 0.0
        finally:
            self._pass_on()

    def give_up(self, identity: str) -> bool:
        """Wake a call that waits, to end; whether there was one."""
        with self._lock:
            waiter = self._waiting.pop(identity, None)
        if waiter is not None:
            waiter.woken.set()
        return waiter is not None

    def _take(self, identity: str, limit: float) -> float:
        """Take a turn; how many seconds that took."""
        waiter = _Waiter()
        with self._lock:
            if self._free:
                self._free -= 1
                return 0.0
            self._waiting[identity] = waiter
        start = time.monotonic()
        try:
            woken = waiter.woken.wait(min(limit, threading.TIMEOUT_MAX) or None)
        except BaseException:  # an interrupt
            self._leave(identity, waiter)
            raise
        if not woken and not self._leave(identity, waiter, keep=True):
            raise WaitedTooLongError
        if not waiter.has_turn:
            raise GivenUpError
        return time.monotonic() - start

    def _leave(self, identity: str, waiter: _Waiter, *, keep: bool = False) -> bool:
        """Wait no more; whether the turn had come meanwhile, which is passed on unless kept."""
        with self._lock:
            self._waiting.pop(identity, None)
            had = waiter.has_turn
        if had and not keep:
            self._pass_on()
        return had

    def _pass_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            waiter = self._waiting.pop(next(iter(self._waiting)))
            waiter.has_turn = True
        waiter.woken.set()
