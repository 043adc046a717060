"""HTTP in a container: who may ask, what can be asked, and the lease that ends it all.

    GET  /health?wait=SECONDS   state, once it is no longer `starting`, or after so many seconds
    GET  /methods               of the file before setup, of the loaded module after it
    POST /setup                 {"variables": {...}}, at most 4 MiB; X-Limit: seconds
    POST /call/METHOD           [args, kwargs]; X-Call: id for cancel, X-Limit: seconds
    POST /cancel/ID
    POST /heartbeat             renews the lease; so does every other request

Every request bears `Authorization: Bearer TOKEN`; bodies are messages of the codec. A method is
called once per request and never again: nothing is repeated here.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import os
import re
import resource
import socket
import sys
import threading
import time
import traceback
import uuid
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Callable
from urllib.parse import unquote

from . import codec, faults
from .codec import encode
from .engines import Answer, Engine, Incoming, Request
from .faults import CONFLICT, GONE, LEASE_ENDED, OK
from .outline import outline
from .streams import SECONDS, Strangers, Stream, listen, size

_LONGEST_WAIT = 30.0
_DESCRIPTORS = 8192
_MOST_DIGITS = 12
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{0,64}")


class Lease:
    """Seconds left without a request, counted in ticks: a paused container does not age."""

    def __init__(self, seconds: float) -> None:
        """With 0 there is no lease."""
        self._seconds = seconds
        self._left = seconds

    def renew(self) -> None:
        self._left = self._seconds

    def run(self, end: Callable[[], None]) -> None:
        """Wait, and call `end` when it is over."""
        while self._seconds:
            time.sleep(1)
            self._left -= 1
            if self._left <= 0:
                end()
                return


class HttpServer(ABC):
    """Answers requests that bear a token, on the event loop that runs it."""

    def __init__(self, token: str, tls: Any = None) -> None:
        """`tls`: an `SSLContext`."""
        self._tls = tls
        self._expected = ("Bearer " + token).encode()
        self._strangers = Strangers(Stream.close)

    async def run(self, listener: socket.socket) -> None:
        """Answer until it is cancelled."""
        server = await listen(listener, self._converse)
        try:
            while True:
                self._strangers.end_late()
                await asyncio.sleep(1)
        finally:
            server.close()

    @abstractmethod
    async def answer(self, request: Request, stream: Stream) -> Answer:
        """Do what is asked. Raises `EOFError` or `OSError` where the caller went away."""

    async def _converse(self, stream: Stream) -> None:
        self._strangers.add(stream)
        try:
            if self._tls is not None:
                await stream.begin_tls(self._tls, SECONDS)
            while await self._answer(stream, await stream.read_until(b"\r\n\r\n")):
                pass
        finally:
            self._strangers.remove(stream)

    async def _answer(self, stream: Stream, raw: bytes) -> bool:
        """Answer one request; whether the connection goes on."""
        first, *lines = raw.split(b"\r\n")
        verb, target, _ = first.split(b" ", 2)
        pairs = (line.partition(b":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._expected):
            return await _refuse(stream, 401)
        self._strangers.remove(stream)
        if verb not in (b"GET", b"POST"):
            return await _refuse(stream, 501)
        length = headers.get(b"content-length", b"0")
        if b"transfer-encoding" in headers or not length.isdigit():
            return await _refuse(stream, 411)
        if len(length) > _MOST_DIGITS or int(length) > codec.MAX_BYTES:
            return await _refuse(stream, faults.TOO_LARGE)
        limit = _seconds(headers.get(b"x-limit", b"0"))
        identity = headers.get(b"x-call", b"").decode("latin-1")
        if limit is None or not _IDENTITY.fullmatch(identity):
            return await _refuse(stream, 400)
        path, _, query = target.decode().partition("?")
        _, operation, name = (path + "//").split("/")[:3]
        request = Request(operation, unquote(name), identity or uuid.uuid4().hex)
        request.query, request.limit = query, limit
        request.body = await stream.read(int(length))
        try:
            status, body = await self.answer(request, stream)
        except (EOFError, OSError):  # it went away
            raise
        except Exception as error:  # noqa: BLE001 (the caller has to hear of it)
            traceback.print_exc()
            status = 500
            body = encode(faults.plain("agent", "%s: %s" % (type(error).__name__, error)))
        await _send(stream, status, body)
        return headers.get(b"connection", b"").lower() != b"close"


class Server(HttpServer):
    """Answers requests about one engine."""

    def __init__(self, engine: Engine, settings: dict[str, Any]) -> None:
        """`settings`: `token`, `file` (path of env.py) and `lease` (seconds)."""
        super().__init__(settings["token"])
        self._engine = engine
        self._file = settings["file"]
        self._lease = Lease(settings["lease"])
        self._methods: list[Any] | None = None
        self._cancels: set[asyncio.Future[Answer]] = set()

    def serve(self, listener: socket.socket) -> None:
        serve = partial(asyncio.run, self.run(listener))
        threading.Thread(target=serve, name="agent", daemon=True).start()
        threading.Thread(target=self._lease.run, args=(self._expire,), daemon=True).start()

    def _expire(self) -> None:
        sys.stderr.write("rayfine: nobody has asked for this environment any more; ending\n")
        self._engine.stop()
        os._exit(LEASE_ENDED)

    async def answer(self, request: Request, stream: Stream) -> Answer:
        self._lease.renew()
        if request.operation == "call":
            return await self._call(request, stream)
        if request.operation == "health":
            return OK, encode(await self._health(request.query))
        if request.operation == "setup":
            return await self._setup(request)
        if request.operation == "methods":
            return OK, self._methods or encode(outline(self._file))
        if request.operation == "cancel":
            return await self._engine.ask(Request("cancel", identity=request.name))
        if request.operation == "heartbeat":
            return OK, encode(None)
        return nothing_there()

    async def _health(self, query: str) -> dict[str, Any]:
        wait = float(query.partition("wait=")[2] or 0)
        deadline = time.monotonic() + min(wait, _LONGEST_WAIT)
        while (  # noqa: ASYNC110 (the state is set in another thread)
            self._engine.state == "starting" and time.monotonic() < deadline
        ):
            await asyncio.sleep(0.01)
        return {
            "state": self._engine.state,
            "fault": self._engine.fault,
            "setup": self._engine.is_set_up,
            "python": sys.version.split()[0],
            "ray": self._engine.ray_version,
        }

    async def _setup(self, request: Request) -> Answer:
        try:
            variables = read_variables(request.body)
        except codec.CodecError as error:
            return 400, encode(faults.plain("request", str(error)))
        request.body = b"".join(encode({"variables": variables, "file": self._file}))
        self._methods = None
        status, body = await self._engine.setup(variables, request)
        if status == OK and isinstance(body, list):
            self._methods = body  # passed on as they are: env.py may have said anything
        return status, body

    async def _call(self, request: Request, stream: Stream) -> Answer:
        if self._engine.state == "ended":
            return GONE, encode(faults.plain("ended", self._engine.fault))
        if not self._engine.is_set_up:
            return CONFLICT, encode(faults.plain("setup", "setup was not called"))

        def cancel() -> None:
            task = asyncio.ensure_future(self._engine.ask(Request("cancel", "", request.identity)))
            self._cancels.add(task)
            task.add_done_callback(self._cancels.discard)

        stream.on_gone = cancel
        try:
            return await self._engine.ask(request)
        finally:
            stream.on_gone = None


def read_variables(body: Any) -> dict[str, str]:
    """The variables in the body of a setup. Raises `CodecError`."""
    if len(body) > codec.MAX_SETUP:
        raise codec.CodecError(
            "the variables are too large: %d MiB are taken" % (codec.MAX_SETUP >> 20)
        )
    found = codec.decode(body)
    variables = found.get("variables") if isinstance(found, dict) else None
    if not isinstance(variables, dict):
        raise codec.CodecError("there are no variables in it")
    return {str(name): str(value) for name, value in variables.items()}


def allow_connections() -> None:
    """Many callers at once need many descriptors, here and in the process for env.py."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _DESCRIPTORS:
        most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def nothing_there() -> Answer:
    """What a request that nobody knows is answered."""
    return 404, encode(faults.plain("request", "there is nothing at this path"))


async def _refuse(stream: Stream, status: int) -> bool:
    """Answer in short, and end the connection."""
    await stream.send(_head(status, 0, last=True), [])
    return False


def _seconds(text: bytes) -> float | None:
    """A limit; None for what is none."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found < math.inf else None


async def _send(stream: Stream, status: int, body: list[Any] | Incoming) -> None:
    if not isinstance(body, Incoming):
        await stream.send(_head(status, sum(map(size, body))), body)
        return
    try:
        await stream.send(_head(status, body.length), [])
        async for chunk in body.chunks():
            await stream.send(b"", [chunk])
    finally:
        body.close()


def _head(status: int, length: int, *, last: bool = False) -> bytes:
    return (
        "HTTP/1.1 %d .\r\nContent-Type: application/x-rayfine\r\n%sContent-Length: %d\r\n\r\n"
        % (status, "Connection: close\r\n" if last else "", length)
    ).encode()
