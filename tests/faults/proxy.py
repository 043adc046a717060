"""An HTTP proxy in front of a server that does to chosen requests what bad networks do.

    with FaultProxy(endpoint.base_url) as proxy:
        proxy.plan = {3: Fault(Kind.RESET, after=True)}     # the third request from now
        ... use proxy.base_url in place of the server's ...
        assert proxy.count("POST") == 1

A request is either handed on or not (`after=False`) before its fault strikes, so that "the server
has done it but the answer was lost" and "it never got there" can be told apart. `rule` decides by
request instead of by number. Every request is counted, logins as well.
"""

import http.client
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

CERTIFICATE = Path(__file__).parent / "tls" / "certificate.pem"
"""Self-signed, for 127.0.0.1, with a key that is public and good for nothing else."""
KEY = CERTIFICATE.with_name("key.pem")


class Kind(StrEnum):
    """What happens to the answer."""

    RESET = "reset"
    """The connection is reset (RST): no answer."""
    CLOSE = "close"
    """The connection is closed (FIN): no answer."""
    CUT = "cut"
    """Half of the answer's body, then the connection is closed."""
    CUT_UNKNOWN_LENGTH = "cut_unknown_length"
    """The same without a Content-Length: only the JSON tells that something is missing."""
    HOLD = "hold"
    """The answer comes `seconds` later."""
    DRIP = "drip"
    """The answer's body comes byte by byte, `seconds` apart."""
    DRIP_HEAD = "drip_head"
    """The answer's head never ends: a header grows byte by byte, `seconds` apart."""
    CONTINUE = "continue"
    """`100 Continue` instead of an answer, again and again, `seconds` apart."""
    STATUS = "status"
    """The answer is an error of `status`, in the form of the API."""
    HTML = "html"
    """The answer is a page for people, with `status`; the words of `body`, if it has any."""
    BODY = "body"
    """The answer is `body`, as JSON, with `status`."""
    TEXT = "text"
    """The answer is `body` as it stands, said to be JSON."""
    REDIRECT = "redirect"
    """The answer leads elsewhere."""


@dataclass(frozen=True)
class Fault:
    """One fault; `after` lets the server carry the request out first."""

    kind: Kind
    after: bool = False
    status: int = 503
    seconds: float = 0.0
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Seen(NamedTuple):
    """A request that came by, and the status that the client was sent (0: none)."""

    number: int
    method: str
    path: str
    query: str
    status: int


Rule = Callable[[int, str, str], Fault | None]
"""(number, method, path with query) -> the fault for it, if any."""


def no_answer_after(creates: int) -> Rule:
    """So many creates of assets are answered; from the next one on, every connection is reset."""
    made = 0

    def rule(_number: int, method: str, path: str) -> Fault | None:
        nonlocal made
        made += method == "POST" and "/asset/" in path
        return Fault(Kind.RESET) if made > creates else None

    return rule


class FaultProxy:
    """Listens on a free port of the loopback interface; safe to use from any thread."""

    def __init__(self, upstream: str, *, tls: bool = False) -> None:
        parts = urlsplit(upstream)
        self.upstream = (str(parts.hostname), int(parts.port or 80))
        self.plan: Mapping[int, Fault] = {}
        self.rule: Rule | None = None
        self._lock = threading.Lock()
        self._count = 0
        self._seen: list[Seen] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE, KEY)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def base_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def seen(self) -> list[Seen]:
        with self._lock:
            return list(self._seen)

    def count(self, method: str, path: str = "") -> int:
        """How many requests of a method came by whose path holds this text."""
        return sum(item.method == method and path in item.path for item in self.seen)

    def clear(self) -> None:
        """Forget what came by and count from zero."""
        with self._lock:
            self._count = 0
            self._seen.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def choose(self, method: str, target: str) -> tuple[int, Fault | None]:
        """The number of a request that has just come, and its fault."""
        with self._lock:
            self._count += 1
            number = self._count
        fault = self.plan.get(number)
        return number, self.rule(number, method, target) if fault is None and self.rule else fault

    def note(self, number: int, method: str, target: str, status: int) -> None:
        path, _, query = target.partition("?")
        with self._lock:
            self._seen.append(Seen(number, method, path, query, status))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    proxy: FaultProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to report."""


@dataclass
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        proxy = self.server.proxy
        while (request := self._read()) is not None:
            method, target, headers, body = request
            number, fault = proxy.choose(method, target)
            answer = _Answer(0, [], b"")
            if fault is None or fault.after or fault.kind in _NEED_ANSWER:
                answer = _forward(proxy.upstream, method, target, headers, body)
            if fault is not None and fault.kind in _MADE_UP:
                answer = _make(fault)
            silent = fault is not None and fault.kind in _SILENT
            proxy.note(number, method, target, 0 if silent else answer.status)  # before it shows
            if not self._reply(answer, fault):
                return

    def _read(self) -> tuple[str, str, dict[str, str], bytes] | None:
        line = self.rfile.readline(65536).decode("latin-1").split()
        if len(line) != 3:
            return None
        headers: dict[str, str] = {}
        while (text := self.rfile.readline(65536).decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        return line[0], line[1], headers, body

    def _reply(self, answer: _Answer, fault: Fault | None) -> bool:
        """Send what the client is to see; whether the connection lives on."""
        kind = None if fault is None else fault.kind
        if kind is Kind.RESET:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        if kind in _SILENT:
            return False
        if kind in (Kind.CUT, Kind.CUT_UNKNOWN_LENGTH):
            half = answer.body[: len(answer.body) // 2]
            self.wfile.write(_head(answer, len(answer.body) if kind is Kind.CUT else None) + half)
            return False
        if fault is not None and kind is Kind.DRIP:
            self._drip(answer, fault.seconds)
            return False
        if fault is not None and kind in _ENDLESS:
            first, again = _ENDLESS[fault.kind]
            self.wfile.write(first)
            while True:  # until the client goes away
                self.wfile.write(again)
                time.sleep(fault.seconds)
        if fault is not None and kind is Kind.HOLD:
            time.sleep(fault.seconds)
        self._send(answer)
        return True

    def _send(self, answer: _Answer) -> None:
        self.wfile.write(_head(answer, len(answer.body)) + answer.body)

    def _drip(self, answer: _Answer, seconds: float) -> None:
        self.wfile.write(_head(answer, len(answer.body)))
        for index in range(len(answer.body)):
            self.wfile.write(answer.body[index : index + 1])
            time.sleep(seconds)


def _head(answer: _Answer, length: int | None) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    lines += [f"Content-Length: {length}"] if length is not None else ["Connection: close"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


_SILENT = frozenset({Kind.RESET, Kind.CLOSE})
_MADE_UP = frozenset({Kind.STATUS, Kind.HTML, Kind.BODY, Kind.TEXT, Kind.REDIRECT})
_ENDLESS = {
    Kind.DRIP_HEAD: (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    Kind.CONTINUE: (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
_NEED_ANSWER = frozenset({Kind.HOLD, Kind.DRIP, Kind.CUT, Kind.CUT_UNKNOWN_LENGTH})


def _make(fault: Fault) -> _Answer:
    headers = list(fault.headers.items())
    if fault.kind is Kind.HTML:
        page = f"<html><head><title>Sign in</title></head><body>{fault.body or 'Please sign in'}"
        page += "</body></html>"
        return _Answer(fault.status, [("Content-Type", "text/html"), *headers], page.encode())
    if fault.kind is Kind.REDIRECT:
        return _Answer(302, [("Location", "http://127.0.0.1:1/elsewhere"), *headers], b"")
    body = fault.body
    if fault.kind is Kind.STATUS:
        body = {"code": fault.status, "message": "made up by the fault proxy", "details": "note-17"}
    return _Answer(
        fault.status,
        [("Content-Type", "application/json"), *headers],
        str(body).encode() if fault.kind is Kind.TEXT else json.dumps(body).encode(),
    )


def _forward(
    upstream: tuple[str, int], method: str, target: str, headers: dict[str, str], body: bytes
) -> _Answer:
    connection = http.client.HTTPConnection(*upstream, timeout=60)
    try:
        kept = {
            name: value for name, value in headers.items() if name not in ("host", "connection")
        }
        connection.request(method, target, body or None, kept)
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    hop = {"connection", "content-length", "transfer-encoding", "keep-alive"}
    passed = [(name, value) for name, value in response.getheaders() if name.lower() not in hop]
    return _Answer(response.status, passed, data)
