"""Connections of the agent and its worker, on an event loop: no thread waits for any of them.

So neither many callers nor an env.py that uses up all threads keeps a request from being read.
asyncio's own streams do the same, at two times the cost for a small call.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from typing import Any, Awaitable, Callable, Set

from . import codec

LONGEST_LINE = 1 << 16
CHUNK = 1 << 18
_BACKLOG = 1024


class Stream(asyncio.Protocol):
    """One connection, both directions, for one task at a time.

    `on_gone` is called when the other side has closed it, whether or not anyone reads.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_event_loop()
        self._transport: Any = None
        self._buffer = bytearray()
        self._most = 2 * CHUNK
        self._waiting: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self.gone = False
        self.on_gone: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > self._most:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._end()
        return not self._transport.get_extra_info("ssl_object")  # what is still to be written is

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (its signature)
        self._end()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable = self._writable or self._loop.create_future()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        _settle(writable)

    def _end(self) -> None:
        told, self.gone = self.gone, True
        self._wake()
        if not told and self.on_gone is not None:
            self.on_gone()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        _settle(waiting)

    async def begin_tls(self, context: Any, seconds: float) -> None:
        """Shake hands as the server, within so many seconds. Raises `OSError`."""
        self._transport = await self._loop.start_tls(
            self._transport, self, context, server_side=True, ssl_handshake_timeout=seconds
        )

    async def _more(self) -> None:
        """Return when there is more in the buffer. Raises `EOFError`."""
        if self.gone:
            raise EOFError("the connection was closed")
        if not self._transport.is_reading():
            self._transport.resume_reading()
        self._waiting = self._loop.create_future()
        await self._waiting

    async def read_until(self, end: bytes) -> bytes:
        """What comes up to and with `end`. Raises `EOFError` or `ValueError`."""
        while True:
            found = self._buffer.find(end) + len(end)
            if found >= len(end):
                line = bytes(self._buffer[:found])
                del self._buffer[:found]
                return line
            if len(self._buffer) > LONGEST_LINE:
                raise ValueError("a head that is too long")
            await self._more()

    async def read(self, length: int) -> bytearray:
        """Exactly so many bytes; memory grows only with what has come. Raises `EOFError`."""
        self._most = max(length, 2 * CHUNK)
        while len(self._buffer) < length:
            await self._more()
        return self._take(length)

    async def read_some(self, most: int) -> bytearray:
        """The next bytes, at least one. Raises `EOFError`."""
        while not self._buffer:
            await self._more()
        return self._take(most)

    def _take(self, most: int) -> bytearray:
        if len(self._buffer) <= most:
            taken, self._buffer = self._buffer, bytearray()
        else:
            taken = self._buffer[:most]
            del self._buffer[:most]
        return taken

    async def read_head(self) -> dict[str, Any]:
        """A line of JSON with the `length` of a body. Raises `EOFError` or `ValueError`."""
        try:
            found = json.loads(await self.read_until(b"\n"))
        except RecursionError:
            raise ValueError("not a head") from None
        if not isinstance(found, dict) or type(found.get("length")) is not int:
            raise ValueError("not a head")
        if not 0 <= found["length"] <= codec.MAX_BYTES:
            raise ValueError("a length that is not allowed")
        return found

    async def send(self, head: bytes, pieces: list[Any]) -> None:
        """Write a head and a body, no faster than they are read. Raises `OSError`."""
        for part in parts(head, pieces):
            if self._transport.is_closing():
                raise ConnectionError("the connection was closed")
            self._transport.write(part)
            if self._writable is not None:
                await self._writable

    async def send_head(self, head: dict[str, Any], pieces: list[Any]) -> None:
        """Write a line of JSON with the length of the body, and the body."""
        line = json.dumps({**head, "length": sum(map(size, pieces))}).encode() + b"\n"
        await self.send(line, pieces)

    def finish(self) -> None:
        """End the connection once everything is written."""
        self._transport.close()

    def close(self) -> None:
        """End the connection, whatever was not yet written."""
        self._transport.abort()


def _settle(future: asyncio.Future[None] | None) -> None:
    """Wake who waits, unless it was cancelled meanwhile."""
    if future is not None and not future.done():
        future.set_result(None)


Converse = Callable[[Stream], Awaitable[None]]


async def listen(listener: socket.socket, converse: Converse) -> asyncio.AbstractServer:
    """Have every connection to this socket conversed on from now on."""
    tasks: Set[asyncio.Future[None]] = set()  # the loop alone would not keep them

    class Accepted(Stream):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            task = asyncio.ensure_future(_whole(self, converse))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    loop = asyncio.get_event_loop()
    start: Any = loop.create_server
    if listener.family == socket.AF_UNIX:
        start = loop.create_unix_server
    server: asyncio.AbstractServer = await start(Accepted, sock=listener, backlog=_BACKLOG)
    return server


async def _whole(stream: Stream, converse: Converse) -> None:
    """One conversation; a broken connection is the end of that one alone."""
    try:
        await converse(stream)
        stream.finish()
    except (OSError, EOFError, ValueError):
        stream.close()
    except BaseException:
        stream.close()  # whoever waits at its other end is not to wait for ever
        raise


async def connect(path: str) -> Stream:
    """A connection to a Unix socket. Raises `OSError`."""
    _, stream = await asyncio.get_event_loop().create_unix_connection(Stream, path)
    return stream


def parts(head: bytes, pieces: list[Any]) -> list[Any]:
    """A head and a body to be written one after the other: a short message in one go."""
    if sum(map(size, pieces)) < LONGEST_LINE:
        return [b"".join([head, *pieces])]
    found: list[Any] = [head]
    for piece in pieces:
        view = memoryview(piece).cast("B")
        found += [view[start : start + CHUNK] for start in range(0, len(view), CHUNK)]
    return found


def size(piece: Any) -> int:
    """Bytes of a piece of a message."""
    return memoryview(piece).nbytes


MOST, MOST_AT_ONCE = 128, 4096
"""Of those that have had time to show it, and of all."""

TIME = 5.0
SECONDS = 10.0
"""For the whole head of a first request, with the token in it, and whatever comes before it."""


class Strangers:
    """Connections that have not shown the token: few of them, and not for long.

    Anybody on the machine can connect. Whoever knows the token shows it at once, as fast as it is
    read here: many callers may come in one moment. Of those that have had time to, the oldest gives
    way to the next, so that none of them keeps anybody out.
    """

    def __init__(self, end: Callable[[Any], None]) -> None:
        """`end` ends a connection; it neither waits nor raises."""
        self._end = end
        self._lock = threading.Lock()
        self._since: dict[Any, float] = {}

    def add(self, connection: Any) -> None:
        with self._lock:
            self._since[connection] = time.monotonic()
            if len(self._since) > MOST_AT_ONCE:
                self._end_first()

    def remove(self, connection: Any) -> None:
        """It has shown the token, or is about to be closed."""
        with self._lock:
            self._since.pop(connection, None)

    def end_late(self) -> None:
        """End those whose time is over."""
        with self._lock:
            while self._since:
                most = TIME if len(self._since) > MOST else SECONDS
                if time.monotonic() - next(iter(self._since.values())) <= most:
                    return
                self._end_first()

    def _end_first(self) -> None:
        connection = next(iter(self._since))
        del self._since[connection]
        self._end(connection)
