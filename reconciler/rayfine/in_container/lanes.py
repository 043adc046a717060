"""Calls under way, and the threads that run synchronous ones."""

from __future__ import annotations

import asyncio
import concurrent.futures
import ctypes
import queue
import threading
from typing import Any, Callable, Tuple

from .codec import encode
from .faults import CANCELLED, Answer, plain


class Cancelled(BaseException):
    """Raised inside a synchronous method to end it."""


def cancelled(what: str = "the call") -> Answer:
    """What a cancelled call is answered."""
    return CANCELLED, encode(plain("cancelled", "%s was cancelled" % what))


class Call:
    """One call, from its arrival on. `future` is its answer; cancelled in a queue, it has none."""

    def __init__(self) -> None:
        self.cancelled = False
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.task: asyncio.Task[Any] | None = None


Job = Tuple[Call, Callable[[], Any]]
"""A call, and what runs it: it returns the answer and raises nothing but `Cancelled`."""


class Lane:
    """Runs synchronous calls one after the other in one thread; several may share their jobs."""

    def __init__(self, jobs: queue.SimpleQueue[Job]) -> None:
        self._jobs = jobs
        self._lock = threading.Lock()
        self._current: Call | None = None
        self._interrupted: Call | None = None
        self._thread = 0

    def run(self) -> None:
        """Work for ever, in the thread that calls this."""
        self._thread = threading.get_ident()
        while True:
            self._next(*self._jobs.get())

    def cancel(self, call: Call) -> None:
        """End a call that runs here, and no other."""
        with self._lock:
            if self._current is call and self._interrupted is not call:
                self._interrupted = call  # once
                self._interrupt()

    def _interrupt(self) -> None:
        """Have `Cancelled` raised in the thread, as soon as it runs Python code again."""
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread), ctypes.py_object(Cancelled)
        )

    def _next(self, call: Call, function: Callable[[], Any]) -> None:
        if not call.future.set_running_or_notify_cancel():
            return
        answer: Any = None
        while True:  # until no interrupt can come any more: it may arise in any line
            try:
                if answer is None:
                    answer = self._answer(call, function)
                with self._lock:
                    self._current = None
                for _ in range(2):  # an interrupt that came too late arises here
                    pass
                break
            except Cancelled:
                answer = answer or cancelled()
        call.future.set_result(answer)

    def _answer(self, call: Call, function: Callable[[], Any]) -> Any:
        with self._lock:
            self._current = call
            late = call.cancelled
        return cancelled() if late else function()


class MainLane(Lane):
    """The one of the main thread. A signal ends even a method that sleeps outside of Python."""

    def __init__(self, jobs: queue.SimpleQueue[Job], signal_thread: Callable[[], None]) -> None:
        """`signal_thread` sends the main thread a signal, whose handler calls `check`."""
        super().__init__(jobs)
        self._signal_thread = signal_thread

    def check(self) -> None:
        """Raise `Cancelled` if what runs here is to end."""
        if self._current is not None and self._current.cancelled:
            raise Cancelled

    def _interrupt(self) -> None:
        self._signal_thread()
