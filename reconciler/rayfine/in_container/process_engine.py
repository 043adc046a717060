"""env.py in a process of its own: whatever it does to that, the agent goes on answering."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from typing import Any, AsyncIterator

from . import faults, processes
from .codec import encode
from .engines import Answer, Engine, Incoming, Limit, Request, Threads
from .faults import BUSY, GONE, OK
from .streams import Stream, connect

_CONNECT_SECONDS = 30.0
_PAUSE = 0.05
_LAST_WORDS = 0.5
_LONG = 1 << 16
_STATUSES = 600
_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")
"""Variables that take effect only when an interpreter starts."""


class ProcessEngine(Engine):
    """A process of its own: whatever env.py does to it, the agent goes on answering."""

    def __init__(self, root: str, max_concurrency: int) -> None:
        """`root` is the directory that holds this package."""
        super().__init__()
        self._root = root
        self._max_concurrency = max_concurrency
        self._threads = Threads()
        self._processes = threading.Lock()
        self.current: processes.Worker | None = None
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
        self.current = processes.Worker(child.pid, path, self._children)
        child.returncode = 0  # it is reaped by `processes`
        self._idle = []
        self._used = False
        return self.current

    async def renew(self, variables: dict[str, str]) -> None:
        early = {k: v for k, v in variables.items() if k.startswith(_AT_START)}
        if self._used or early or self.current is None or self.current.end.done():
            await self._threads.run(self._replace, early)
        self._used = True

    async def ask(self, request: Request) -> Answer:
        worker = self.current
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
        if worker is self.current and self.state == "ended":
            return self.fault
        if await self._threads.run(worker.wait, 0.5):
            why = worker.cause()
        else:
            await self._threads.run(self._kill, worker)
            why = "its process answered nonsense (%s) and was ended" % error
        self.mark_ended(worker, why)
        return why

    async def _exchange(self, worker: processes.Worker, stream: Stream, request: Request) -> Answer:
        limit = Limit(self, worker, request)
        incoming: _FromWorker | None = None
        try:
            head = {"operation": request.operation, "name": request.name, "id": request.identity}
            await stream.send_head(head, [request.body])
            found = await stream.read_head()
            status = found.get("status")
            if type(status) is not int or not OK <= status < _STATUSES:
                raise ValueError("no status")
            incoming = _FromWorker(self, worker, stream, found["length"])
            body: list[Any] | Incoming = incoming
            if found["length"] < _LONG or request.operation != "call":
                body = [chunk async for chunk in incoming.chunks()]
                incoming.close()
        except (EOFError, OSError):
            if limit.forced:
                return await limit.answer()
            raise
        else:
            return limit.status(status), body
        finally:
            limit.end()
            if incoming is None:
                self._close(worker, stream)

    async def end(self, worker: processes.Worker, why: str) -> None:
        self.mark_ended(worker, why)
        await self._threads.run(self._kill, worker)

    async def _connect(self, worker: processes.Worker) -> Stream | None:
        """A connection; None where there can be no more of them for a while."""
        while self._idle and worker is self.current:
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
        if whole and worker is self.current:
            self._idle.append(stream)
        else:
            self._close(worker, stream)

    def _kill(self, worker: processes.Worker) -> None:
        """End a worker, unless setup has done so: another one is not to be hit."""
        with self._processes:
            if worker is self.current:
                worker.kill()

    def _replace(self, variables: dict[str, str]) -> None:
        with self._processes:
            if self.current is not None:
                self.current.kill()
            self._spawn(variables)

    def stop(self) -> None:
        with self._processes:
            if self.current is not None:
                self.current.kill()
                self.current = None


class _FromWorker(Incoming):
    """A message that a worker sends."""

    def __init__(
        self, engine: ProcessEngine, worker: processes.Worker, stream: Stream, length: int
    ) -> None:
        self.length = self._left = length
        self._engine = engine
        self.current = worker
        self._stream = stream

    async def chunks(self) -> AsyncIterator[bytearray]:
        while self._left:
            try:
                chunk = await self._stream.read_some(self._left)
            except (EOFError, OSError) as error:
                raise EOFError(await self._engine.lost(self.current, error)) from error
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        self._engine.give_back(self.current, self._stream, whole=not self._left)
