"""HTTP in a container: who may ask, what can be asked, and the lease that ends it all.

    GET  /health?wait=SECONDS   state, once it is no longer `starting`, or after so many seconds
    GET  /methods               of the file before setup, of the loaded module after it
    POST /setup                 {"variables": {...}}, at most 4 MiB; X-Limit: seconds
    POST /call/METHOD           [args, kwargs]; X-Call: id for cancel, X-Limit: seconds
    POST /cancel/ID
    POST /heartbeat             renews the lease; so does every other request
    POST /shutdown

Every request bears `Authorization: Bearer TOKEN`; bodies are messages of the codec. A method is
called once per request and never again: nothing is repeated here.
"""

from __future__ import annotations

import asyncio
import hmac
import math
import os
import socket
import sys
import threading
import time
import traceback
import uuid
from typing import Any, Callable
from urllib.parse import unquote

from . import codec, faults
from .codec import encode
from .engines import Answer, Engine, Incoming, Request
from .faults import CONFLICT, GONE, OK
from .outline import outline
from .strangers import Strangers
from .streams import Stream, listen
from .wire import size

LEASE_ENDED = 76
"""Exit code of an agent that nobody asked for too long."""

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
    """Answers requests about one engine, on an event loop of its own."""

    def __init__(self, engine: Engine, settings: dict[str, Any]) -> None:
        """`settings`: `token`, `file` (path of env.py) and `lease` (seconds)."""
        self._engine = engine
        self._expected = ("Bearer " + settings["token"]).encode()
        self._file = settings["file"]
        self._lease = Lease(settings["lease"])
        self._methods: list[Any] | None = None
        self._cancels: set[asyncio.Future[Answer]] = set()
        self._strangers = Strangers(Stream.close)

    def serve(self, listener: socket.socket) -> None:
        """Answer from now on."""
        threading.Thread(target=self._run, args=(listener,), name="agent", daemon=True).start()
        threading.Thread(target=self._lease.run, args=(self._expire,), daemon=True).start()

    def _run(self, listener: socket.socket) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(listen(listener, self._converse))
        self._look_at_strangers(loop)
        loop.run_forever()

    def _look_at_strangers(self, loop: asyncio.AbstractEventLoop) -> None:
        self._strangers.end_late()
        loop.call_later(1, self._look_at_strangers, loop)

    def _expire(self) -> None:
        sys.stderr.write("rayfine: nobody has asked for this environment any more; ending\n")
        self._engine.stop()
        os._exit(LEASE_ENDED)

    async def _converse(self, stream: Stream) -> None:
        self._strangers.add(stream)
        try:
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
            await stream.send(answer_head(401, 0, last=True), [])
            return False
        self._strangers.remove(stream)
        self._lease.renew()
        length = int(headers.get(b"content-length", b"0"))
        if not 0 <= length <= codec.MAX_BYTES:
            await stream.send(answer_head(faults.TOO_LARGE, 0, last=True), [])
            return False
        request = Request(verb.decode(), target.decode())
        request.identity = headers.get(b"x-call", b"").decode() or uuid.uuid4().hex
        request.limit = float(headers.get(b"x-limit", b"0"))
        if not 0 <= request.limit < math.inf:
            raise ValueError("a limit that is none")
        request.body = await stream.read(length)
        try:
            status, body = await self._dispatch(request, stream)
        except (EOFError, OSError):  # it went away
            raise
        except Exception as error:  # noqa: BLE001 (the caller has to hear of it)
            traceback.print_exc()
            status = 500
            body = encode(faults.plain("agent", "%s: %s" % (type(error).__name__, error)))
        self._lease.renew()
        await _send(stream, status, body)
        if request.operation == "shutdown":
            self._engine.stop()
            os._exit(0)
        return headers.get(b"connection", b"").lower() != b"close"

    async def _dispatch(self, request: Request, stream: Stream) -> Answer:
        path, _, query = request.name.partition("?")
        _, operation, name = (path + "//").split("/")[:3]
        request.operation, request.name = operation, unquote(name)
        if operation == "call":
            return await self._call(request, stream)
        if operation == "health":
            return OK, encode(await self._health(query))
        if operation == "setup":
            return await self._setup(request)
        if operation == "methods":
            return OK, self._methods or encode(outline(self._file))
        if operation == "cancel":
            request.identity = name
            return await self._engine.ask(request)
        if operation in ("heartbeat", "shutdown"):
            return OK, encode(None)
        return 404, encode(faults.plain("request", "there is nothing at this path"))

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


async def _send(stream: Stream, status: int, body: list[Any] | Incoming) -> None:
    if not isinstance(body, Incoming):
        await stream.send(answer_head(status, sum(map(size, body))), body)
        return
    try:
        await stream.send(answer_head(status, body.length), [])
        async for chunk in body.chunks():
            await stream.send(b"", [chunk])
    finally:
        body.close()


def answer_head(status: int, length: int, *, last: bool = False) -> bytes:
    """The head of an HTTP answer; `last` on its connection."""
    return (
        "HTTP/1.1 %d .\r\nContent-Type: application/x-rayfine\r\n%sContent-Length: %d\r\n\r\n"
        % (status, "Connection: close\r\n" if last else "", length)
    ).encode()
