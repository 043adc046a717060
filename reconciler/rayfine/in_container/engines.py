"""Where env.py runs: what every engine does, and the one with a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncIterator, Callable, List, Tuple, Union

from . import faults, processes
from .codec import encode
from .faults import BUSY, CANCELLED, GONE, LATE, OK
from .streams import Stream, connect

GRACE = 2.0
"""Seconds that a method has to end once it is cancelled, before its process is ended."""

_CONNECT_SECONDS = 30.0
_PAUSE = 0.05
_LAST_WORDS = 0.5
_THREADS = 4
_LONG = 1 << 16
_STATUSES = 600
_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")
"""Variables that take effect only when an interpreter starts."""


class Request:
    """What is asked of env.py. `limit` is in seconds; 0 is no limit."""

    def __init__(self, operation: str, name: str = "", identity: str = "") -> None:
        self.operation = operation
        self.name = name
        self.identity = identity
        self.query = ""
        self.limit = 0.0
        self.body: Any = b""


class Incoming(ABC):
    """A long message that comes from env.py, passed on as it comes."""

    length = 0

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytearray]:
        """All of it. Raises `EOFError` where its sender ended meanwhile."""

    @abstractmethod
    def close(self) -> None:
        """Take leave of it, however much of it was taken."""


Answer = Tuple[int, Union[List[Any], Incoming]]
"""A status, and a message in pieces or on its way."""


class Engine(ABC):
    """Runs env.py. `state` is `starting`, `ready`, `failed` or `ended`, `fault` says why."""

    state = "starting"
    fault = ""
    is_set_up = False
    ray_version = ""

    @abstractmethod
    def start(self) -> None:
        """Get everything ready that needs no variables. Sets `state`."""

    @abstractmethod
    async def setup(self, variables: dict[str, str], request: Request) -> Answer:
        """Load env.py in a fresh interpreter with these variables."""

    @abstractmethod
    async def ask(self, request: Request) -> Answer:
        """Call or cancel."""

    @abstractmethod
    def stop(self) -> None:
        """End env.py and all that it has started. Blocks."""


class Threads:
    """For what blocks. They are there before user code can use all threads up."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS)
        all_there = threading.Barrier(_THREADS)
        for work in [self._pool.submit(all_there.wait) for _ in range(_THREADS)]:
            work.result()

    async def run(self, function: Callable[..., Any], *given: Any) -> Any:
        """The result of a function."""
        return await asyncio.get_event_loop().run_in_executor(self._pool, function, *given)


class ProcessEngine(Engine):
    """A process of its own: whatever env.py does to it, the agent goes on answering."""

    def __init__(self, root: str, max_concurrency: int) -> None:
        """`root` is the directory that holds this package."""
        self._root = root
        self._max_concurrency = max_concurrency
        self._threads = Threads()
        self._processes = threading.Lock()
        self._setting_up: asyncio.Lock | None = None
        self._worker: processes.Worker | None = None
        self._idle: list[Stream] = []
        self._used = False

    def start(self) -> None:
        processes.adopt_orphans()
        self._children = processes.Children()
        self._spawn({}).wait_listening(_CONNECT_SECONDS)  # before anyone pauses the container
        self.state = "ready"

    def _spawn(self, variables: dict[str, str]) -> processes.Worker:
        path = os.path.join(tempfile.mkdtemp(prefix="rayfine-"), "worker")
        boot = "import sys; sys.path.insert(0, %r); from %s.worker import main; " % (
            self._root,
            __package__,
        )
        serve = "del sys.path[:2]; main(%r, %d)" % (path, self._max_concurrency)
        child = subprocess.Popen(  # noqa: S603 (our own interpreter)
            [sys.executable, "-c", boot + serve],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **variables},
            start_new_session=True,
        )
        self._worker = processes.Worker(child.pid, path, self._children)
        child.returncode = 0  # it is reaped by `processes`
        self._idle = []
        self._used = False
        return self._worker

    async def setup(self, variables: dict[str, str], request: Request) -> Answer:
        self._setting_up = self._setting_up or asyncio.Lock()  # in the loop that uses it
        async with self._setting_up:
            early = {k: v for k, v in variables.items() if k.startswith(_AT_START)}
            if self._used or early or self._worker is None or self._worker.end.done():
                try:
                    await self._threads.run(self._replace, early)
                except (OSError, ValueError) as error:
                    why = "its process could not start: %s" % error
                    self.state, self.fault, self.is_set_up = "ended", why, False
                    return GONE, encode(faults.plain("ended", why))
            self._used = True
            self.is_set_up = False
            self.state = "ready"
            answer = await self.ask(request)
            self.is_set_up = answer[0] == OK
            return answer

    async def ask(self, request: Request) -> Answer:
        worker = self._worker
        if worker is None:
            return GONE, encode(faults.plain("ended", "there is no process with env.py"))
        try:
            stream = await self._connect(worker)
            if stream is None:
                return BUSY, encode(faults.plain("busy", "there are too many calls at once"))
            return await self._exchange(worker, stream, request)
        except (EOFError, ValueError, OSError) as error:
            return GONE, encode(faults.plain("ended", await self.lost(worker, error)))

    async def lost(self, worker: processes.Worker, error: Exception) -> str:
        """Why a worker cannot be asked any more; one that only talks nonsense is ended."""
        if worker is self._worker and self.state == "ended":
            return self.fault
        if await self._threads.run(worker.wait, 0.5):
            why = worker.cause()
        else:
            await self._threads.run(self._kill, worker)
            why = "its process answered nonsense (%s) and was ended" % error
        self._mark_ended(worker, why)
        return why

    def _mark_ended(self, worker: processes.Worker, why: str) -> None:
        """Of a worker that setup has replaced, only its callers hear."""
        if worker is self._worker and self.state != "ended":
            self.state, self.fault, self.is_set_up = "ended", why, False

    async def _exchange(self, worker: processes.Worker, stream: Stream, request: Request) -> Answer:
        limit = _Limit(self, worker, request)
        incoming: _FromWorker | None = None
        try:
            head = {"operation": request.operation, "name": request.name, "id": request.identity}
            await stream.send_head(head, [request.body])
            found = await stream.read_head()
            status = found.get("status")
            if type(status) is not int or not OK <= status < _STATUSES:
                raise ValueError("no status")
            if limit.passed and status == CANCELLED:
                status = LATE
            incoming = _FromWorker(self, worker, stream, found["length"])
            body: list[Any] | Incoming = incoming
            if found["length"] < _LONG or request.operation != "call":
                body = [chunk async for chunk in incoming.chunks()]
                incoming.close()
        except (EOFError, OSError):
            if limit.forced:
                await limit.forced_end()
                return LATE, encode(faults.plain("late", limit.forced, ended=True))
            raise
        else:
            return status, body
        finally:
            limit.end()
            if incoming is None:
                self._close(worker, stream)

    async def end(self, worker: processes.Worker, why: str) -> None:
        """End a worker by force."""
        self._mark_ended(worker, why)
        await self._threads.run(self._kill, worker)

    async def _connect(self, worker: processes.Worker) -> Stream | None:
        """A connection; None where there can be no more of them for a while."""
        while self._idle and worker is self._worker:
            stream = self._idle.pop()
            if not stream.gone:
                return stream
            self._close(worker, stream)
        for _ in range(int(_CONNECT_SECONDS / _PAUSE)):
            if worker.end.done():
                raise EOFError("it has ended")
            with contextlib.suppress(OSError):
                stream = await connect(worker.path)
                self._watch(worker)
                worker.streams.add(stream)
                return stream
            await asyncio.sleep(_PAUSE)
        return None

    def _watch(self, worker: processes.Worker) -> None:
        """Close its connections when it has ended: what env.py has started may hold them, too."""
        if worker.watched:
            return
        worker.watched = True
        loop = asyncio.get_event_loop()

        def close(_end: object) -> None:
            loop.call_later(_LAST_WORDS, worker.disconnect)

        asyncio.wrap_future(worker.end).add_done_callback(close)

    def _close(self, worker: processes.Worker, stream: Stream) -> None:
        worker.streams.discard(stream)
        stream.close()

    def give_back(self, worker: processes.Worker, stream: Stream, *, whole: bool) -> None:
        """Keep a connection for the next request, if nothing is left in it."""
        if whole and worker is self._worker:
            self._idle.append(stream)
        else:
            self._close(worker, stream)

    def _kill(self, worker: processes.Worker) -> None:
        """End a worker, unless setup has done so: another one is not to be hit."""
        with self._processes:
            if worker is self._worker:
                worker.kill()

    def _replace(self, variables: dict[str, str]) -> None:
        with self._processes:
            if self._worker is not None:
                self._worker.kill()
            self._spawn(variables)

    def stop(self) -> None:
        with self._processes:
            if self._worker is not None:
                self._worker.kill()
                self._worker = None


class _Limit:
    """The time limit of a request: when it passes, it is cancelled; at last its worker is ended."""

    def __init__(self, engine: ProcessEngine, worker: processes.Worker, request: Request) -> None:
        self.passed = False
        self.forced = ""
        self._given = engine, worker, request
        self._loop = asyncio.get_event_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Future[Any] | None = None
        if request.limit:
            self._timer = self._loop.call_later(request.limit, self._pass)

    def end(self) -> None:
        """It does not count any more."""
        if self._timer is not None:
            self._timer.cancel()

    async def forced_end(self) -> None:
        """Wait until the worker and all that it started are gone."""
        assert self._task is not None
        await self._task

    def _pass(self) -> None:
        engine, _, request = self._given
        self.passed = True
        self._task = asyncio.ensure_future(engine.ask(Request("cancel", "", request.identity)))
        self._timer = self._loop.call_later(GRACE, self._force)

    def _force(self) -> None:
        engine, worker, request = self._given
        self.forced = (
            "a call went on after its time limit of %g s and was ended by force; "
            "what setup did is lost" % request.limit
        )
        self._task = asyncio.ensure_future(engine.end(worker, self.forced))


class _FromWorker(Incoming):
    """A message that a worker sends."""

    def __init__(
        self, engine: ProcessEngine, worker: processes.Worker, stream: Stream, length: int
    ) -> None:
        self.length = self._left = length
        self._engine = engine
        self._worker = worker
        self._stream = stream

    async def chunks(self) -> AsyncIterator[bytearray]:
        while self._left:
            try:
                chunk = await self._stream.read_some(self._left)
            except (EOFError, OSError) as error:
                raise EOFError(await self._engine.lost(self._worker, error)) from error
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        self._engine.give_back(self._worker, self._stream, whole=not self._left)
