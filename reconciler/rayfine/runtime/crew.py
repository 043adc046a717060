"""Threads: a crew of them for work that waits, and several pieces of work at once.

Those of a crew are started as work comes, at most so many; the rest of it waits in turn. They are
daemons, and nobody waits for them at exit: a call may take an hour.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from reconciler.rayfine.forks import anew_after_fork

_IDLE_SECONDS = 10.0


class Crew:
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


MOST = 16


def all_errors(work: Sequence[Callable[[], object]]) -> list[BaseException]:
    """Do all of it, whatever fails; the errors, in the order of the work."""
    try:
        return _in_threads(work) if len(work) > 1 else _in_turn(work)
    except RuntimeError:  # no thread can be started: the interpreter exits
        return _in_turn(work)


def _in_threads(work: Sequence[Callable[[], object]]) -> list[BaseException]:
    with ThreadPoolExecutor(min(len(work), MOST)) as pool:
        futures = [pool.submit(item) for item in work]
    return [error for future in futures if (error := future.exception()) is not None]


def _in_turn(work: Sequence[Callable[[], object]]) -> list[BaseException]:
    errors: list[BaseException] = []
    for item in work:
        try:
            item()
        except Exception as error:  # noqa: BLE001 (collected)
            errors.append(error)
    return errors
