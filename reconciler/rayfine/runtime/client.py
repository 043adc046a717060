"""HTTP to one agent: kept connections, any number of threads, bounds on all that it answers.

A request is sent once. Where its answer does not come, `ConnectionLostError` says so, and whoever
knows where the agent runs finds out why.
"""

import contextlib
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from reconciler.rayfine.agent.codec import MAX_BYTES, CodecError, decode, encode
from reconciler.rayfine.agent.wire import Wire, size
from reconciler.rayfine.runtime.errors import TransferError

CONNECT_SECONDS = 10.0
BODY_SECONDS = 300.0
"""For an answer that has begun."""

MARGIN = 10.0
"""Seconds beyond the limit of a call in which the agent has to report its end."""


class ConnectionLostError(Exception):
    """There is no agent, or it went away before it answered."""


class AnswerTimeoutError(ConnectionLostError):
    """The agent does not answer, although the limit of the call has long passed."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an agent listens. `prefix` is a path before its own, without a slash at the end.

    `path` is a Unix socket that leads there; without it host and port are connected to.
    """

    host: str
    port: int
    token: str
    tls: ssl.SSLContext | None = None
    prefix: str = ""
    path: str = ""

    def __repr__(self) -> str:
        return f"Endpoint({self.host}:{self.port}{self.prefix})"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status and decoded value of an answer."""

    status: int
    value: Any


class AgentClient:
    """Talks to one agent."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Nothing is connected yet."""
        self.endpoint = endpoint
        self._idle: list[Wire] = []
        self._open: set[Wire] = set()
        self._lock = threading.Lock()
        self._closed = False

    def health(self, wait: float = 0.0) -> Mapping[str, Any]:
        """`state`, `fault`, `setup`, `python`. Waits up to so many seconds while it starts."""
        found = self._ask("GET", f"/health?wait={wait:g}", None, limit=wait or CONNECT_SECONDS)
        if found.status != 200 or not isinstance(found.value, dict):
            raise ConnectionLostError(f"no agent of ours answers: status {found.status}")
        return found.value

    def methods(self) -> Mapping[str, Mapping[str, str]]:
        """`signature` and `doc` by name."""
        return read_methods(self._ask("GET", "/methods", None, limit=CONNECT_SECONDS).value)

    def setup(self, variables: Mapping[str, str], limit: float) -> Reply:
        """Load env.py; the value is the methods, or an error."""
        return self._ask("POST", "/setup", {"variables": dict(variables)}, limit=limit)

    def call(self, name: str, arguments: Any, limit: float, identity: str) -> Reply:
        """Call a method with [args, kwargs]; `limit` in seconds, 0 for none.

        `identity` is for `cancel`. Interrupted, it cancels the call itself.
        """
        path = f"/call/{quote(name, safe='')}"
        try:
            return self._ask("POST", path, arguments, limit=limit, identity=identity)
        except (KeyboardInterrupt, SystemExit):
            with contextlib.suppress(Exception):
                self.cancel(identity)
            raise

    def cancel(self, identity: str) -> None:
        """Cancel a call."""
        self._ask("POST", f"/cancel/{identity}", None, limit=CONNECT_SECONDS)

    def heartbeat(self) -> None:
        """Renew the lease."""
        self._ask("POST", "/heartbeat", None, limit=CONNECT_SECONDS)

    def close(self) -> None:
        """Close every connection; calls under way end with `ConnectionLostError`."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._open.difference(idle)
            self._open = set()
        for wire in idle:
            wire.close()
        for wire in busy:  # its reader closes it: the number of a closed one may be another's soon
            wire.wake()

    def _ask(self, verb: str, path: str, value: Any, *, limit: float, identity: str = "") -> Reply:
        pieces = _message(value) if verb == "POST" else []
        status, body = self.exchange(verb, path, pieces, limit=limit, identity=identity)
        try:
            return Reply(status, decode(body) if body else None)
        except CodecError as error:
            raise TransferError(
                f"the answer cannot be read: {error}", fix="return less, or plainer values"
            ) from error

    def exchange(
        self, verb: str, path: str, pieces: list[Any], *, limit: float, identity: str = ""
    ) -> tuple[int, bytearray]:
        """Send a message as it is, once; status and message of the answer, as it is."""
        end = self.endpoint
        head = (
            f"{verb} {end.prefix}{path} HTTP/1.1\r\nHost: {end.host}:{end.port}\r\n"
            f"Authorization: Bearer {end.token}\r\nContent-Length: {sum(map(size, pieces))}\r\n"
            f"X-Limit: {limit:g}\r\nX-Call: {identity}\r\n\r\n"
        )
        wire = self._connection()
        done = False
        try:
            wire.socket.settimeout(BODY_SECONDS)
            wire.send(head.encode("ascii"), pieces)
            answer = _receive(wire, limit + MARGIN if limit else None)
            done = True
        except TimeoutError as error:
            raise AnswerTimeoutError("it does not answer") from error
        except (OSError, EOFError, ValueError) as error:
            raise ConnectionLostError(str(error) or "the connection was closed") from error
        finally:
            self._release(wire, reuse=done)
        return answer

    def _connection(self) -> Wire:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            wire = Wire(_connect(self.endpoint))
        except OSError as error:
            raise ConnectionLostError(str(error)) from error
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
                self._idle.append(wire)
            else:
                self._open.discard(wire)
        if not reuse:
            wire.close()


def new_token() -> str:
    """A token for one agent."""
    return uuid.uuid4().hex + uuid.uuid4().hex


def _message(value: Any) -> list[Any]:
    try:
        return encode(value)
    except CodecError as error:
        what = str(error).replace("result", "the arguments").replace("return dict", "pass dict")
        raise TransferError(what, fix="pass plainer or fewer values") from error


def _connect(endpoint: Endpoint) -> socket.socket:
    if endpoint.path:
        return _connect_unix(endpoint.path)
    connection = socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, seconds in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), seconds)
    if endpoint.tls is None:
        return connection
    try:
        return endpoint.tls.wrap_socket(connection, server_hostname=endpoint.host)
    except BaseException:
        connection.close()
        raise


def _connect_unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(CONNECT_SECONDS)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def _receive(wire: Wire, limit: float | None) -> tuple[int, bytearray]:
    """Status and body of an answer. Raises `OSError`, `EOFError` or `ValueError`."""
    wire.socket.settimeout(limit)
    raw = wire.read_until(b"\r\n\r\n")
    if not raw:
        raise EOFError("the connection was closed")
    first, *lines = raw.split(b"\r\n")
    version, status, _ = first.split(b" ", 2)
    pairs = (line.partition(b":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = int(headers[b"content-length"]) if b"content-length" in headers else -1
    if not version.startswith(b"HTTP/1.") or not 0 <= length <= MAX_BYTES:
        raise ValueError("the answer is none of an agent, or too large")
    deadline = time.monotonic() + BODY_SECONDS
    body = bytearray()
    while len(body) < length:
        wire.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        body += wire.read(min(1 << 20, length - len(body)))
    return int(status), body


def read_methods(value: Any) -> Mapping[str, Mapping[str, str]]:
    """Methods as an agent describes them; whatever else it says is left out."""
    if not isinstance(value, dict):
        return {}
    return {
        str(name): {key: str(text) for key, text in found.items()}
        for name, found in value.items()
        if isinstance(found, dict)
    }
