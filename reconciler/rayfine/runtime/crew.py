"""Threads for work that waits, started as it comes, at most so many; the rest of it waits in turn.

They are daemons, and nobody waits for them at exit: a call may take an hour.
"""

import threading
from collections import deque
from collections.abc import Callable

from reconciler.rayfine.forks import anew_after_fork

_IDLE_SECONDS = 10.0


class Crew:
    """Up to `most` threads."""

    def __init__(self, most: int, name: str) -> None:
        """None is started yet."""
        self._most = most
        self._name = name
        self.after_fork()
        anew_after_fork(self)

    def after_fork(self) -> None:
        """Threads and their work are the parent's."""
        self._changed = threading.Condition()
        self._work: deque[Callable[[], object]] = deque()
        self._threads = self._idle = 0

    def submit(self, work: Callable[[], object]) -> None:
        """Have it done; it raises nothing. Raises `RuntimeError` where there can be no thread."""
        with self._changed:
            self._work.append(work)
            if self._idle >= len(self._work):
                self._changed.notify()
                return
            if self._threads == self._most:
                return
            self._threads += 1
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:
            with self._changed:
                self._threads -= 1
                if self._threads or work not in self._work:  # others do it, only later
                    return
                self._work.remove(work)
            raise

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
                work = self._work.popleft()
            work()
