"""env.py itself: loaded once, its methods listed, called and cancelled. Runs in a worker.

Ray's rule for actors: synchronous methods run one after the other in one thread, asynchronous ones
side by side on one event loop, which lives as long as the worker, so that clients bound to a loop
go on working. With `max_concurrency` N, up to N of either kind run side by side, the rest in turn.
Every answer is a status and a message: whatever user code raises or returns ends up in one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import ctypes
import importlib.util
import inspect
import os
import queue
import sys
import threading
import time
from functools import partial
from typing import Any, Callable, Tuple, cast

from . import faults  # relative: see the package
from .codec import CodecError, decode, encode
from .faults import CANCELLED, CONFLICT, FAILED, NOT_FOUND, OK, Answer

MODULE = "env"
ASYNCHRONOUS = 1000
"""Calls of asynchronous methods side by side where nothing else is asked for; as in Ray."""

_REMEMBERED = 10_000
"""Cancels whose call has not come yet, or has ended already."""


class Cancelled(BaseException):
    """Raised inside a synchronous method to end it."""


def cancelled(what: str = "the call") -> Answer:
    """What a cancelled call is answered."""
    return CANCELLED, encode(faults.plain("cancelled", "%s was cancelled" % what))


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


class Runner:
    """Holds one env.py. `handle` belongs to one event loop, which is not that of user code."""

    def __init__(self, lane: Lane, jobs: queue.SimpleQueue[Job], max_concurrency: int) -> None:
        """`lane` runs synchronous methods from `jobs`; a `max_concurrency` of 0 is Ray's own."""
        self._lanes = [lane]
        self._jobs = jobs
        self._most = max_concurrency or 1
        self._free = max_concurrency or ASYNCHRONOUS
        self._waiting: dict[Call, asyncio.Future[bool]] = {}
        self._loop = asyncio.new_event_loop()
        self._calls: dict[str, Call] = {}
        self._early: dict[str, None] = {}
        self._methods: dict[str, Callable[..., Any]] = {}
        self._redact = faults.Redactor({})
        self._file = ""
        threading.Thread(target=self._run_loop, name="event-loop", daemon=True).start()

    def _run_loop(self) -> None:
        """For good: a task of user code may stop it, or raise SystemExit out of it."""
        while not self._loop.is_closed():
            with contextlib.suppress(BaseException):
                self._loop.run_forever()

    async def handle(self, operation: str, name: str, identity: str, body: Any) -> Answer:
        """Do one thing and answer. Never raises."""
        if operation == "cancel":
            return self._cancel(identity)
        if identity in self._early:
            del self._early[identity]
            return cancelled()
        call = self._calls[identity] = Call()
        try:
            if operation == "call":
                return await self._call(call, name, body)
            return await self._setup(call, decode(body))
        except BaseException as error:  # noqa: BLE001
            return self._failed(call, error)
        finally:
            self._calls.pop(identity, None)  # two may have been given one

    async def _setup(self, call: Call, stated: dict[str, Any]) -> Answer:
        variables, self._file = stated["variables"], stated["file"]
        if not os.path.isfile(self._file):  # noqa: ASYNC240 (nothing else is asked before setup)
            return FAILED, encode(faults.plain("missing", self._file))
        self._redact = faults.Redactor(variables)
        os.environ.update(variables)
        if hasattr(time, "tzset"):
            time.tzset()
        answer: Answer = await self._in_lane(call, self._load)
        if answer[0] == OK:
            self._add_lanes()
        return answer

    def _add_lanes(self) -> None:
        """Only now: env.py itself is loaded in the first one, which may be the main thread."""
        while len(self._lanes) < self._most:
            lane = Lane(self._jobs)
            try:
                threading.Thread(target=lane.run, name="methods", daemon=True).start()
            except RuntimeError:  # no more threads: those that there are do it
                return
            self._lanes.append(lane)

    def _load(self) -> Answer:
        """Import env.py, make its Actor and find their methods."""
        asyncio.set_event_loop(self._loop)
        directory = os.path.dirname(self._file)
        os.chdir(directory)
        if directory not in sys.path:
            sys.path.insert(0, directory)
        spec = importlib.util.spec_from_file_location(MODULE, self._file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[MODULE] = module
        spec.loader.exec_module(module)
        found: dict[str, Callable[..., Any]] = {
            name: value
            for name, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == MODULE and name[:1] != "_"
        }
        actor_class = vars(module).get("Actor")
        if inspect.isclass(actor_class) and actor_class.__module__ == MODULE:
            actor = actor_class()
            for base in reversed(actor_class.__mro__):
                if base.__module__ == MODULE:
                    found.update(
                        (name, getattr(actor, name))
                        for name, value in vars(base).items()
                        if name[:1] != "_" and _is_method(value)
                    )
        self._methods = dict(sorted(found.items()))
        return OK, encode({name: _outline(found) for name, found in self._methods.items()})

    async def _call(self, call: Call, name: str, body: Any) -> Answer:
        method = self._methods.get(name)
        if method is None:
            code = NOT_FOUND if self._methods else CONFLICT
            return code, encode(faults.plain("method", "there is no method %r" % name))
        if inspect.iscoroutinefunction(method):
            return await self._in_turn(call, lambda: _called(method, body))
        found = await self._in_lane(call, lambda: _answer(_called(method, body)))
        if not inspect.isawaitable(found):
            return cast("Answer", found)
        try:
            call.future = concurrent.futures.Future()
            return await self._in_turn(call, lambda: found)
        finally:
            if inspect.iscoroutine(found):
                found.close()  # where it was cancelled before it began

    async def _in_lane(self, call: Call, function: Callable[[], Any]) -> Any:
        """The answer of a synchronous function, or what it returned to be awaited."""
        self._jobs.put((call, partial(self._guarded, call, function)))
        return await _ended(call)

    def _guarded(self, call: Call, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except BaseException as error:  # noqa: BLE001 (SystemExit of user code as well)
            return self._failed(call, error)

    async def _in_turn(self, call: Call, start: Callable[[], Any]) -> Answer:
        """The answer of an awaitable, once there is room for it on the loop of user code."""
        if self._free:
            self._free -= 1
        else:
            turn = self._waiting[call] = asyncio.get_event_loop().create_future()
            if not await turn:
                return cancelled()
        try:
            self._loop.call_soon_threadsafe(self._begin, call, start)
            return cast("Answer", await _ended(call))
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """Give a turn to who waits longest."""
        if self._waiting:
            self._waiting.pop(next(iter(self._waiting))).set_result(True)
        else:
            self._free += 1

    def _begin(self, call: Call, start: Callable[[], Any]) -> None:
        """On the loop of user code."""
        call.task = self._loop.create_task(self._await(call, start))

    async def _await(self, call: Call, start: Callable[[], Any]) -> None:
        """Wait for its real end: a cancelled one that goes on blocks the loop for all others."""
        if not call.future.set_running_or_notify_cancel():
            return
        try:
            awaitable = start()
            if call.cancelled and inspect.iscoroutine(awaitable):
                awaitable.close()
            answer = cancelled() if call.cancelled else (OK, encode(await awaitable))
        except BaseException as error:  # noqa: BLE001 (SystemExit would end the loop)
            answer = self._failed(call, error)
        call.future.set_result(answer)

    def _failed(self, call: Call, error: BaseException) -> Answer:
        if isinstance(error, CodecError):
            return FAILED, encode(faults.plain("codec", self._redact(str(error))))
        if call.cancelled and isinstance(error, (Cancelled, asyncio.CancelledError)):
            return cancelled()
        return FAILED, encode(faults.describe(error, self._redact, self._file))

    def _cancel(self, identity: str) -> Answer:
        call = self._calls.get(identity)
        if call is None:
            self._early[identity] = None
            if len(self._early) > _REMEMBERED:
                del self._early[next(iter(self._early))]
            return OK, encode(False)
        call.cancelled = True
        turn = self._waiting.pop(call, None)
        if turn is not None:
            turn.set_result(False)
        elif call.future.cancel():
            return OK, encode(True)  # it waited: its answer needs nobody's turn
        elif call.task is not None:
            self._loop.call_soon_threadsafe(call.task.cancel)
        else:
            for lane in self._lanes:
                lane.cancel(call)
        return OK, encode(True)


async def _ended(call: Call) -> Any:
    try:
        return await asyncio.wrap_future(call.future)
    except asyncio.CancelledError:
        return cancelled()


def _called(method: Callable[..., Any], body: Any) -> Any:
    arguments, keywords = decode(body)
    return method(*arguments, **keywords)


def _answer(value: Any) -> Any:
    """The answer with a value; what is to be awaited stays as it is."""
    return value if inspect.isawaitable(value) else (OK, encode(value))


def _is_method(value: Any) -> bool:
    return inspect.isfunction(value) or isinstance(value, (staticmethod, classmethod))


def _outline(method: Callable[..., Any]) -> dict[str, str]:
    try:
        signature = str(inspect.signature(method))[:400]
    except (TypeError, ValueError):
        signature = "(...)"
    kind = "async " if inspect.iscoroutinefunction(method) else ""
    return {"signature": kind + signature, "doc": (inspect.getdoc(method) or "")[:2000]}
