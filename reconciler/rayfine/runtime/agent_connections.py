"""Connections to one agent: kept for the next request, bounded, and each process's own.

A request is sent once: again, on a new connection, only where the agent cannot have got all of it,
or where it does no harm.
"""

import contextlib
import errno
import math
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from reconciler.rayfine.in_container.codec import MAX_BYTES
from reconciler.rayfine.in_container.streams import CHUNK, LONGEST_LINE, parts, size

CONNECT_SECONDS = 10.0
STALL_SECONDS = 300.0
"""From one part of a request to the next, and at least for all of an answer that has begun."""

IDLE_SECONDS = 50.0
"""A connection that was idle for longer is not used again: a gateway, a NAT or an ssh server on the
way may have forgotten it, and would not say so."""

_PAUSE = 0.05
_FOR_EVER = 2e6
"""Seconds from which on no limit is the same: a socket takes no more."""
_HARMLESS = ("/cancel/", "/heartbeat", "/methods")
"""May be sent twice."""

MARGIN = 10.0
"""Seconds beyond the limit of a call in which the agent has to report its end."""


class ConnectionLostError(Exception):
    """There is no agent, or it went away before it answered."""


class NotSentError(ConnectionLostError):
    """The connection was lost before all of the request was sent: nothing was done."""


class AnswerTimeoutError(ConnectionLostError):
    """The agent does not answer, although the limit of the call has long passed."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an agent listens. `prefix` is a path before its own, without a slash at the end.

    `path` is a Unix socket that leads there; without it host and port are connected to.
    """

    host: str
    port: int
    token: str = field(repr=False)
    tls: ssl.SSLContext | None = None
    prefix: str = ""
    path: str = ""


Message = tuple[str, str, list[Any]]
"""Verb, path and body of a request."""

Answer = tuple[int, bytearray]
"""Status and body of an answer, as it came."""


class Wire:
    """A connected socket with a buffer. Not for use by several threads at once.

    `last`: the other side takes no more requests on it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.last = False
        self._buffer = bytearray()
        self._deadline = self._pause = math.inf
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def wake(self) -> None:
        """End the connection, so that a thread that reads from it goes on and closes it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection and give it back; only for the thread that uses it."""
        self.wake()
        self.socket.close()

    def allow(self, seconds: float, pause: float = math.inf) -> None:
        """Let all that is read from now on take so long, in parts no further apart than `pause`.

        0 is no limit. Beyond one a `TimeoutError` is raised.
        """
        self._deadline = time.monotonic() + (seconds or math.inf)
        self._pause = pause

    def _receive(self, most: int) -> bytes:
        left = min(self._deadline - time.monotonic(), self._pause)
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left if left < _FOR_EVER else None)
        return self.socket.recv(most)

    def read_until(self, end: bytes) -> bytes:
        """What comes up to and with `end`; empty where the other side has closed."""
        while True:
            found = self._buffer.find(end)
            if found >= 0:
                line = bytes(self._buffer[: found + len(end)])
                del self._buffer[: found + len(end)]
                return line
            if len(self._buffer) > LONGEST_LINE:
                raise ValueError("a head that is too long")
            chunk = self._receive(CHUNK)
            if not chunk:
                return b""
            self._buffer += chunk

    def read(self, length: int) -> bytearray:
        """Exactly so many bytes; memory grows only with what has come. Raises `EOFError`."""
        body = self._buffer[:length]
        del self._buffer[:length]
        while len(body) < length:
            chunk = self._receive(min(CHUNK, length - len(body)))
            if not chunk:
                raise EOFError("the connection was closed within an answer")
            body += chunk
        return body

    def send(self, head: bytes, pieces: list[Any]) -> None:
        """Write a head and a body; the socket's time limit is for each part of them."""
        for part in parts(head, pieces):
            self.socket.sendall(part)


class Connections:
    """Those to one agent, for any thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._idle: list[tuple[Wire, float]] = []
        self._open: set[Wire] = set()
        self._closed = False

    def after_fork(self) -> None:
        """Leave them to the parent: this process makes its own."""
        for wire in self._open:
            wire.socket.close()  # and no `shutdown`, which would end them for both
        self._lock = threading.Lock()
        self._idle, self._open = [], set()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = [wire for wire, _ in self._idle], []
            busy = self._open.difference(idle)
            self._open = set()
        for wire in idle:
            wire.close()
        for wire in busy:  # its reader closes it: the number of a closed one may be another's soon
            wire.wake()

    def drop_idle(self) -> None:
        """Close those that nobody needed for long."""
        oldest = time.monotonic() - IDLE_SECONDS
        with self._lock:
            old = [wire for wire, since in self._idle if since < oldest]
            self._idle = [item for item in self._idle if item[1] >= oldest]
        for wire in old:
            self._release(wire, reuse=False)

    def ask_anew(
        self, message: Message, limit: float, identity: str = "", margin: float = MARGIN
    ) -> Answer:
        """The answer on a new connection; waits for limit and margin, with limit 0 for ever."""
        return self._on(self._connected(), message, limit, identity, margin)

    def ask(self, message: Message, limit: float, identity: str = "") -> Answer:
        """The answer, on a connection that was kept, or a new one."""
        wire = self._kept()
        if wire is not None:
            try:
                return self._on(wire, message, limit, identity)
            except NotSentError:
                pass
            except AnswerTimeoutError:
                raise
            except ConnectionLostError:
                if message[0] != "GET" and not message[1].startswith(_HARMLESS):
                    raise
        return self.ask_anew(message, limit, identity)

    def _on(
        self, wire: Wire, message: Message, limit: float, identity: str, margin: float = MARGIN
    ) -> Answer:
        verb, path, pieces = message
        end = self._endpoint
        head = (
            f"{verb} {end.prefix}{path} HTTP/1.1\r\nHost: {end.host}:{end.port}\r\n"
            f"Authorization: Bearer {end.token}\r\nContent-Length: {sum(map(size, pieces))}\r\n"
            f"X-Limit: {limit:g}\r\nX-Call: {identity}\r\n\r\n"
        )
        done = False
        try:
            _send(wire, head.encode("ascii"), pieces)
            answer = _receive(wire, limit + margin if limit else 0.0)
            done = not wire.last
        finally:
            self._release(wire, reuse=done)
        return answer

    def _kept(self) -> Wire | None:
        """A connection of before that still stands."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                wire, since = self._idle.pop()
            if time.monotonic() - since < IDLE_SECONDS and _stands(wire):
                return wire
            self._release(wire, reuse=False)

    def _connected(self) -> Wire:
        """A new connection. Where there is no descriptor left for it, it takes one of ours."""
        while True:
            try:
                wire = Wire(_connect(self._endpoint))
                break
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._open:
                    raise ConnectionLostError(str(error)) from error
                idle = self._kept()
                if idle is None:
                    time.sleep(_PAUSE)
                else:
                    self._release(idle, reuse=False)
        with self._lock:
            self._open.add(wire)
            closed = self._closed
        if closed:
            self._release(wire, reuse=False)
            raise ConnectionLostError("this environment was cleaned up")
        return wire

    def _release(self, wire: Wire, *, reuse: bool) -> None:
        with self._lock:
            reuse = reuse and not self._closed
            if reuse:
                self._idle.append((wire, time.monotonic()))
            else:
                self._open.discard(wire)
        if not reuse:
            wire.close()


def _connect(endpoint: Endpoint) -> socket.socket:
    if endpoint.path:
        connection = socket.socket(socket.AF_UNIX)
    else:
        connection = socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS)
    try:
        if endpoint.path:
            connection.settimeout(CONNECT_SECONDS)
            connection.connect(endpoint.path)
            return connection
        keep_alive(connection)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # for what was sent, as keep-alive is for silence
            milliseconds = int(STALL_SECONDS * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        if endpoint.tls is None:
            return connection
        return endpoint.tls.wrap_socket(connection, server_hostname=endpoint.host)
    except BaseException:
        connection.close()
        raise


def keep_alive(connection: socket.socket) -> None:
    """Have the system notice within a minute that the other side is gone."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)


def _stands(wire: Wire) -> bool:
    """Whether an idle connection is neither closed nor has anything to say."""
    poll = select.poll()
    poll.register(wire.socket, select.POLLIN)
    return not poll.poll(0)


def _send(wire: Wire, head: bytes, pieces: list[Any]) -> None:
    """Raises `NotSentError`: what has not got all of a message does nothing with it."""
    try:
        wire.socket.settimeout(STALL_SECONDS)
        wire.send(head, pieces)
    except (OSError, ValueError) as error:
        raise NotSentError(str(error) or "the connection was closed") from error


def _receive(wire: Wire, limit: float) -> Answer:
    """Status and body of an answer. Raises `ConnectionLostError`.

    Its head has the limit, 0 is none, and its body as long again, but at least `STALL_SECONDS`.
    """
    try:
        wire.allow(limit)
        raw = wire.read_until(b"\r\n\r\n")
    except TimeoutError as error:
        if error.errno is None:  # ours; the network's own has a number
            raise AnswerTimeoutError("it does not answer") from error
        raise ConnectionLostError(str(error)) from error
    except (OSError, ValueError) as error:
        raise ConnectionLostError(str(error) or "the connection was closed") from error
    try:
        return _read_answer(wire, raw, max(limit, STALL_SECONDS) if limit else 0.0)
    except (OSError, EOFError, ValueError) as error:
        raise ConnectionLostError(str(error) or "the answer stopped") from error


def _read_answer(wire: Wire, raw: bytes, seconds: float) -> Answer:
    if not raw:
        raise EOFError("the connection was closed")
    first, *lines = raw.split(b"\r\n")
    version, status, _ = first.split(b" ", 2)
    pairs = (line.partition(b":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = int(headers[b"content-length"]) if b"content-length" in headers else -1
    if not version.startswith(b"HTTP/1.") or not 0 <= length <= MAX_BYTES:
        raise ValueError("the answer is none of an agent, or too large")
    wire.last = headers.get(b"connection", b"").lower() == b"close"
    wire.allow(seconds, STALL_SECONDS)
    return int(status), wire.read(length)
