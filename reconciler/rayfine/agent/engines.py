"""Where env.py runs: what every engine does, and the one with a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from abc import ABC, abstractmethod
from typing import Any

from . import faults, processes
from .codec import encode
from .faults import CANCELLED, GONE, LATE, OK, Answer
from .wire import Wire

GRACE = 2.0
"""Seconds that a method has to end once it is cancelled, before its process is ended."""

_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")
"""Variables that take effect only when an interpreter starts."""


class Request:
    """What is asked of env.py. `limit` is in seconds; 0 is no limit."""

    def __init__(self, operation: str, name: str = "", identity: str = "") -> None:
        self.operation = operation
        self.name = name
        self.identity = identity
        self.limit = 0.0
        self.body: Any = b""


class WorkerEndedError(Exception):
    """The process with env.py is gone; the text says why."""


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
    def setup(self, variables: dict[str, str], request: Request) -> Answer:
        """Load env.py in a fresh interpreter with these variables."""

    @abstractmethod
    def ask(self, request: Request, client: Wire | None) -> Answer | None:
        """Call or cancel. A long answer may go right to `client`: then the return is None."""

    @abstractmethod
    def stop(self) -> None:
        """End env.py and all that it has started."""


def answer_head(status: int, length: int) -> bytes:
    """The head of an HTTP answer."""
    return (
        "HTTP/1.1 %d .\r\nContent-Type: application/x-rayfine\r\nContent-Length: %d\r\n\r\n"
        % (status, length)
    ).encode()


class ProcessEngine(Engine):
    """A process of its own: whatever env.py does to it, the agent goes on answering."""

    def __init__(self, root: str) -> None:
        """`root` is the directory that holds this package."""
        self._root = root
        self._lock = threading.Lock()
        self._worker: processes.Worker | None = None
        self._idle: list[Wire] = []
        self._used = False

    def start(self) -> None:
        processes.adopt_orphans()
        self._children = processes.Children()
        worker = self._spawn({})
        self._idle.append(worker.connect(30.0))  # before anyone pauses the container
        self.state = "ready"

    def _spawn(self, variables: dict[str, str]) -> processes.Worker:
        path = os.path.join(tempfile.mkdtemp(prefix="rayfine-"), "worker")
        boot = "import sys; sys.path.insert(0, %r); from %s.worker import main; " % (
            self._root,
            __package__,
        )
        child = subprocess.Popen(  # noqa: S603 (our own interpreter)
            [sys.executable, "-c", boot + "del sys.path[:2]; main(%r)" % path],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **variables},
            start_new_session=True,
        )
        self._worker = processes.Worker(child.pid, path, self._children)
        child.returncode = 0  # it is reaped by `processes`
        self._idle = []
        self._used = False
        return self._worker

    def setup(self, variables: dict[str, str], request: Request) -> Answer:
        with self._lock:
            early = {k: v for k, v in variables.items() if k.startswith(_AT_START)}
            if self._used or early or self._worker is None or self._worker.ended:
                self.stop()
                self._spawn(early)
            self._used = True
            self.is_set_up = False
            self.state = "ready"
            answer = self.ask(request, None)
            assert answer is not None
            self.is_set_up = answer[0] == OK
            return answer

    def ask(self, request: Request, client: Wire | None) -> Answer | None:
        worker = self._worker
        if worker is None:
            return GONE, encode(faults.plain("ended", "there is no process with env.py"))
        try:
            return self._exchange(worker, request, client)
        except (WorkerEndedError, EOFError, ValueError, OSError) as error:
            if not worker.wait(0.5):
                worker.kill()
                return self._gone(
                    worker, "its process answered nonsense (%s) and was ended" % error
                )
            return self._gone(worker, worker.cause())

    def _gone(self, worker: processes.Worker, why: str) -> Answer:
        """Say so; of a worker that setup has replaced, only to whoever called it."""
        if worker is self._worker:
            self.state, self.fault, self.is_set_up = "ended", why, False
        return GONE, encode(faults.plain("ended", why))

    def _exchange(
        self, worker: processes.Worker, request: Request, client: Wire | None
    ) -> Answer | None:
        wire = self._connect(worker)
        wire.socket.settimeout(request.limit or None)
        try:
            head = {"operation": request.operation, "name": request.name, "id": request.identity}
            wire.send_head(head, [request.body])
            late = False
            try:
                found = wire.read_head()
            except socket.timeout:
                late = True
                found = self._end_late(worker, wire, request)
            if found is None:
                if late:
                    return self._overdue(worker, request)
                raise EOFError("it closed its connection")
            status = found["status"]
            if late and status == CANCELLED:
                status = LATE
            wire.socket.settimeout(None)
            if client is None or found["length"] < 1 << 16:
                answer = (status, [wire.read(found["length"])])
            else:
                client.socket.sendall(answer_head(status, found["length"]))
                wire.relay(found["length"], client.socket)
                answer = None
            if worker is self._worker:
                self._idle.append(wire)
                wire = None  # type: ignore[assignment]
            return answer
        finally:
            if wire is not None:
                wire.close()

    def _end_late(
        self, worker: processes.Worker, wire: Wire, request: Request
    ) -> dict[str, Any] | None:
        """Cancel what is over its limit; its answer, or None if it does not end."""
        stop = Request("cancel", identity=request.identity)
        stop.limit = GRACE
        with contextlib.suppress(OSError, EOFError, ValueError):
            other = worker.connect(GRACE)
            other.send_head({"operation": "cancel", "name": "", "id": request.identity}, [])
            wire.socket.settimeout(GRACE)
            try:
                return wire.read_head()
            finally:
                other.close()
        return None

    def _overdue(self, worker: processes.Worker, request: Request) -> Answer:
        worker.kill()
        why = (
            "a call went on after its time limit of %g s and was ended by force; "
            "what setup did is lost" % request.limit
        )
        self._gone(worker, why)
        return LATE, encode(faults.plain("late", why, ended=True))

    def _connect(self, worker: processes.Worker) -> Wire:
        try:
            return self._idle.pop()
        except IndexError:
            return worker.connect(30.0)

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None
