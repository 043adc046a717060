"""HTTP in a container: who may ask, what can be asked, and the lease that ends it all.

    GET  /health?wait=SECONDS   state, once it is no longer `starting`, or after so many seconds
    GET  /methods               of the file before setup, of the loaded module after it
    POST /setup                 {"variables": {...}}; X-Limit: seconds
    POST /call/METHOD           [args, kwargs]; X-Call: id for cancel, X-Limit: seconds
    POST /cancel/ID
    POST /heartbeat             renews the lease; so does every other request
    POST /shutdown

Every request bears `Authorization: Bearer TOKEN`; bodies are messages of the codec. A method is
called once per request and never again: nothing is repeated here.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import sys
import threading
import time
import traceback
from typing import Any, Callable
from urllib.parse import unquote

from . import codec, faults
from .codec import encode
from .engines import Engine, Request, answer_head
from .faults import CONFLICT, GONE, OK, Answer
from .outline import outline
from .wire import Wire, size

LEASE_ENDED = 76
"""Exit code of an agent that nobody asked for too long."""

_READY_THREADS = 8
_MOST_THREADS = 512
_LONGEST_WAIT = 30.0


class Lease:
    """Seconds left without a request, counted in ticks: a paused container does not age."""

    def __init__(self, seconds: float) -> None:
        """With 0 there is no lease."""
        self._seconds = seconds
        self._left = seconds

    def renew(self) -> None:
        """Start anew."""
        self._left = self._seconds

    def run(self, end: Callable[[], None]) -> None:
        """Wait, and call `end` when it is over."""
        while self._seconds:
            time.sleep(1)
            self._left -= 1
            if self._left <= 0:
                end()
                return


class Server:
    """Answers requests about one engine."""

    def __init__(self, engine: Engine, settings: dict[str, Any]) -> None:
        """`settings`: `token`, `file` (path of env.py) and `lease` (seconds)."""
        self._engine = engine
        self._expected = ("Bearer " + settings["token"]).encode()
        self._file = settings["file"]
        self._lease = Lease(settings["lease"])
        self._methods: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0

    def serve(self, listener: socket.socket) -> None:
        """Answer from now on. Threads are there before user code can use them up."""
        for _ in range(_READY_THREADS):
            self._add_thread(listener)
        threading.Thread(target=self._lease.run, args=(self._expire,), daemon=True).start()

    def _expire(self) -> None:
        sys.stderr.write("rayfine: nobody has asked for this environment any more; ending\n")
        self._engine.stop()
        os._exit(LEASE_ENDED)

    def _add_thread(self, listener: socket.socket) -> None:
        with contextlib.suppress(RuntimeError):  # no more threads: whoever connects has to wait
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            self._threads += 1

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                time.sleep(0.05)
                continue
            with self._lock:
                self._busy += 1
                if self._busy == self._threads < _MOST_THREADS:
                    self._add_thread(listener)
            try:
                self._converse(Wire(connection))
            finally:
                connection.close()
                with self._lock:
                    self._busy -= 1

    def _converse(self, wire: Wire) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError):
            while True:
                raw = wire.read_until(b"\r\n\r\n")
                if not raw or not self._answer(wire, raw):
                    return

    def _answer(self, wire: Wire, raw: bytes) -> bool:
        """Answer one request; whether the connection goes on."""
        first, *lines = raw.split(b"\r\n")
        verb, target, _ = first.split(b" ", 2)
        pairs = (line.partition(b":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            wire.send(answer_head(401, 0), [])
            return False
        self._lease.renew()
        length = int(headers.get(b"content-length", b"0"))
        if not 0 <= length <= codec.MAX_BYTES:
            wire.send(answer_head(faults.TOO_LARGE, 0), [])
            return False
        request = Request(verb.decode(), target.decode())
        request.identity = headers.get(b"x-call", b"").decode()
        request.limit = float(headers.get(b"x-limit", b"0"))
        request.body = wire.read(length)
        try:
            answer = self._dispatch(request, wire)
        except Exception as error:  # noqa: BLE001 (the caller has to hear of it)
            traceback.print_exc()
            answer = 500, encode(faults.plain("agent", "%s: %s" % (type(error).__name__, error)))
        self._lease.renew()
        if answer is not None:
            status, pieces = answer
            wire.send(answer_head(status, sum(map(size, pieces))), pieces)
        if request.operation == "shutdown":
            self._engine.stop()
            os._exit(0)
        return headers.get(b"connection", b"").lower() != b"close"

    def _dispatch(self, request: Request, wire: Wire) -> Answer | None:
        path, _, query = request.name.partition("?")
        _, operation, name = (path + "//").split("/")[:3]
        request.operation, request.name = operation, unquote(name)
        if operation == "call":
            return self._call(request, wire)
        if operation == "health":
            return OK, encode(self._health(query))
        if operation == "setup":
            return self._setup(request)
        if operation == "methods":
            return OK, encode(self._outline())
        if operation == "cancel":
            request.identity = name
            return self._engine.ask(request, None)
        if operation in ("heartbeat", "shutdown"):
            return OK, encode(None)
        return 404, encode(faults.plain("request", "there is nothing at this path"))

    def _health(self, query: str) -> dict[str, Any]:
        wait = float(query.partition("wait=")[2] or 0)
        deadline = time.monotonic() + min(wait, _LONGEST_WAIT)
        while self._engine.state == "starting" and time.monotonic() < deadline:
            time.sleep(0.01)
        return {
            "state": self._engine.state,
            "fault": self._engine.fault,
            "setup": self._engine.is_set_up,
            "python": sys.version.split()[0],
            "ray": self._engine.ray_version,
        }

    def _outline(self) -> dict[str, Any]:
        if self._methods is not None:
            return self._methods
        return outline(self._file)

    def _setup(self, request: Request) -> Answer:
        try:
            variables = codec.decode(request.body)["variables"]
        except (codec.CodecError, TypeError, KeyError) as error:
            return 400, encode(faults.plain("request", str(error)))
        request.body = b"".join(encode({"variables": variables, "file": self._file}))
        self._methods = None
        answer = self._engine.setup(variables, request)
        if answer[0] == OK:
            self._methods = codec.decode(b"".join(answer[1]))
        return answer

    def _call(self, request: Request, wire: Wire) -> Answer | None:
        if self._engine.state == "ended":
            return GONE, encode(faults.plain("ended", self._engine.fault))
        if not self._engine.is_set_up:
            return CONFLICT, encode(faults.plain("setup", "setup was not called"))
        return self._engine.ask(request, wire)
