"""Threads for work that waits, started as it comes, at most so many; the rest of it waits in turn.

They are daemons, and nobody waits for them at exit: a call may take an hour.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from reconciler.rayfine.forks import anew_after_fork

_IDLE_SECONDS = 10.0


class Crew:
    """Up to `most` threads."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self.after_fork()
        anew_after_fork(self)

    def after_fork(self) -> None:
        """Threads and their work are the parent's."""
        self._changed = threading.Condition()
        self._work: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads = self._idle = 0

    def submit(self, work: Callable[[], Any]) -> Future[Any]:
        """Have it done. Raises `RuntimeError` where there can be no thread."""
        future: Future[Any] = Future()
        job = (future, work)
        with self._changed:
            self._work.append(job)
            if self._idle >= len(self._work):
                self._changed.notify()
                return future
            if self._threads == self._most:
                return future
            self._threads += 1
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:
            with self._changed:
                self._threads -= 1
                if self._threads or job not in self._work:  # others do it, only later
                    return future
                self._work.remove(job)
            raise
        return future

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._work:
                    self._idle += 1
                    woken = self._changed.wait(_IDLE_SECONDS)
                    self._idle -= 1
                    if not woken and not self._work:
                        self._threads -= 1
                        return
                future, work = self._work.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 (it goes to whoever waits)
                    future.set_exception(error)
            del future, work
