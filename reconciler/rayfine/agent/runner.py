"""env.py itself: loaded once, its methods listed, called and cancelled. Runs in a worker.

Synchronous methods run one after the other in one thread (`Lane`), asynchronous ones side by side
on one event loop that lives as long as the worker, so that clients bound to a loop go on working.
Every answer is a status and a message: whatever user code raises or returns ends up in one.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib.util
import inspect
import os
import queue
import sys
import threading
import time
from typing import Any, Callable, NoReturn

from . import faults  # relative: see the package
from .codec import CodecError, decode, encode
from .faults import CANCELLED, CONFLICT, FAILED, NOT_FOUND, OK, Answer

MODULE = "env"


class Cancelled(BaseException):
    """Raised inside a synchronous method to end it."""


class Call:
    """One call under way, of either kind."""

    def __init__(self) -> None:
        self.cancelled = False
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.task: asyncio.Task[Any] | None = None


class Lane:
    """Runs synchronous calls one after the other, in the thread that calls `run`."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        """`interrupt` makes the thread call `check` soon, or raises `Cancelled` in it."""
        self._queue: queue.SimpleQueue[tuple[Call, Callable[[], Any]]] = queue.SimpleQueue()
        self._current: Call | None = None
        self._interrupt = interrupt

    def run(self) -> NoReturn:
        """Work for ever."""
        while True:
            with contextlib.suppress(Cancelled):
                self._next(*self._queue.get())

    def submit(self, call: Call, function: Callable[[], Any]) -> None:
        """Run a function when its turn comes."""
        self._queue.put((call, function))

    def cancel(self, call: Call) -> None:
        """End a call: one that runs by force, one that waits when its turn comes."""
        if self._current is call:
            self._interrupt()

    def check(self) -> None:
        """Raise `Cancelled` if what runs here is to end."""
        if self._current is not None and self._current.cancelled:
            raise Cancelled

    def _next(self, call: Call, function: Callable[[], Any]) -> None:
        error: BaseException = Cancelled()
        try:
            self._current = call
            self.check()
            value = function()
            self._current = None
            call.future.set_result(value)
        except BaseException as raised:  # noqa: BLE001 (SystemExit of user code as well)
            error = raised
        finally:
            self._current = None
            if not call.future.done():
                call.future.set_exception(error)


class Runner:
    """Holds one env.py. `handle` may be called from many threads."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._loop = asyncio.new_event_loop()
        self._calls: dict[str, Call] = {}
        self._methods: dict[str, Callable[..., Any]] = {}
        self._redact = faults.Redactor({})
        self._file = ""
        threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True).start()

    def handle(self, operation: str, name: str, identity: str, body: Any) -> Answer:
        """Do one thing and answer. Never raises."""
        try:
            if operation == "call":
                return self._call(name, identity, body)
            if operation == "cancel":
                return self._cancel(identity)
            return self._setup(decode(body))
        except CodecError as error:
            return FAILED, encode(faults.plain("codec", self._redact(str(error))))
        except BaseException as error:  # noqa: BLE001
            return FAILED, encode(faults.describe(error, self._redact, self._file))

    def _setup(self, stated: dict[str, Any]) -> Answer:
        variables, self._file = stated["variables"], stated["file"]
        if not os.path.isfile(self._file):
            return FAILED, encode(faults.plain("missing", self._file))
        self._redact = faults.Redactor(variables)
        os.environ.update(variables)
        if hasattr(time, "tzset"):
            time.tzset()
        call = Call()
        self._calls["setup"] = call
        self._lane.submit(call, self._load)
        try:
            self._methods = call.future.result()
        except Cancelled:
            return CANCELLED, encode(faults.plain("cancelled", "setup was cancelled"))
        except BaseException as error:  # noqa: BLE001
            return FAILED, encode(faults.describe(error, self._redact, self._file))
        return OK, encode({name: _outline(found) for name, found in self._methods.items()})

    def _load(self) -> dict[str, Callable[..., Any]]:
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
        return dict(sorted(found.items()))

    def _call(self, name: str, identity: str, body: Any) -> Answer:
        method = self._methods.get(name)
        if method is None:
            code = NOT_FOUND if self._methods else CONFLICT
            return code, encode(faults.plain("method", "there is no method %r" % name))
        arguments, keywords = decode(body)
        call = Call()
        self._calls[identity] = call
        try:
            return OK, encode(self._value(call, method, arguments, keywords))
        except (Cancelled, asyncio.CancelledError, concurrent.futures.CancelledError) as error:
            if call.cancelled:
                return CANCELLED, encode(faults.plain("cancelled", "the call was cancelled"))
            return FAILED, encode(faults.describe(error, self._redact, self._file))
        finally:
            self._calls.pop(identity, None)

    def _value(self, call: Call, method: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
        if inspect.iscoroutinefunction(method):
            return self._await(call, method(*arguments, **keywords))
        self._lane.submit(call, lambda: method(*arguments, **keywords))
        value = call.future.result()
        return self._await(call, value) if inspect.isawaitable(value) else value

    def _await(self, call: Call, awaitable: Any) -> Any:
        """Wait for its real end: a cancelled one that goes on blocks the loop for all others."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()

        async def finish() -> None:
            call.task = asyncio.current_task()
            try:
                if call.cancelled:
                    if inspect.iscoroutine(awaitable):
                        awaitable.close()
                    raise asyncio.CancelledError  # noqa: TRY301 (it ends as one cancelled later does)
                future.set_result(await awaitable)
            except BaseException as error:  # noqa: BLE001 (SystemExit would end the loop)
                future.set_exception(error)

        asyncio.run_coroutine_threadsafe(finish(), self._loop)
        return future.result()

    def _cancel(self, identity: str) -> Answer:
        call = self._calls.get(identity)
        if call is not None:
            call.cancelled = True
            if call.task is not None:
                self._loop.call_soon_threadsafe(call.task.cancel)
            else:
                self._lane.cancel(call)
        return OK, encode(call is not None)


def _is_method(value: Any) -> bool:
    return inspect.isfunction(value) or isinstance(value, (staticmethod, classmethod))


def _outline(method: Callable[..., Any]) -> dict[str, str]:
    try:
        signature = str(inspect.signature(method))[:400]
    except (TypeError, ValueError):
        signature = "(...)"
    kind = "async " if inspect.iscoroutinefunction(method) else ""
    return {"signature": kind + signature, "doc": (inspect.getdoc(method) or "")[:2000]}
