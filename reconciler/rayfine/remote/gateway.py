"""HTTP in front of a loaded environment: the other end of `load_env(..., mode="remote", url=...)`.

Speaks what the agent speaks (see `agent.server`), and hands messages on to the least busy replica
as they are, without reading them. Every request bears `Authorization: Bearer TOKEN`; nobody can
end the environment from there. A caller who goes away in the middle of a call cancels it.
"""

import contextlib
import hmac
import logging
import math
import os
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote

from reconciler.rayfine.in_container import faults
from reconciler.rayfine.in_container.codec import MAX_BYTES, encode
from reconciler.rayfine.in_container.server import answer_head
from reconciler.rayfine.in_container.strangers import Strangers
from reconciler.rayfine.in_container.wire import LONGEST_LINE, size
from reconciler.rayfine.remote.offer import Offer
from reconciler.rayfine.runtime.client import AgentClient

MOST_CONNECTIONS = 1024
IDLE_SECONDS = 120.0
"""A connection without a request ends after this; clients send a heartbeat every few seconds."""

LOOK_SECONDS = 0.25
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{0,64}")

Message = tuple[int, bytearray]

logger = logging.getLogger(__name__)


class Gateway(ThreadingHTTPServer):
    """Listens from the start, and answers once `serve` is called."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], token: str, tls: ssl.SSLContext | None) -> None:
        """Raises `OSError` where the address cannot be listened on."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.expected = f"Bearer {token}".encode()
        self.offer: Offer
        self._tls = tls
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.strangers = Strangers(_shut)
        super().__init__(address, _Handler)

    def serve(self, offer: Offer) -> None:
        """Answer until `shutdown`, or until an exception ends it."""
        self.offer = offer
        self.serve_forever(0.2)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"{'https' if self._tls else 'http'}://{shown}:{port}"

    def get_request(self) -> tuple[socket.socket, Any]:
        """A connection; the TLS handshake comes later, in its own thread."""
        connection, address = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give it a thread. If there are too many, one that has not shown the token ends.

        Where all have, it waits until one of them ends.
        """
        if not self.has_room():
            self.strangers.make_room()
        self._room.acquire()
        self.strangers.add(request)
        while True:
            try:
                super().process_request(request, client_address)
            except RuntimeError:  # there is no thread left for it
                self.strangers.make_room()
                time.sleep(LOOK_SECONDS)
            else:
                return

    def has_room(self) -> bool:
        """Whether there could be one connection more."""
        if not self._room.acquire(blocking=False):
            return False
        self._room.release()
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Converse on one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def service_actions(self) -> None:
        """Between connections, and every moment without one."""
        self.strangers.end_late()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, which from now on is none that may be shut."""
        self.strangers.remove(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A broken connection is its client's business."""
        logger.debug("a connection ended: %r", sys.exception())


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Gateway
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_SECONDS

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 (its signature)
        """What is no request of ours is answered in short, whoever sends it, and the end."""
        self.close_connection = True
        self._answer(code, [])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its signature)
        """Requests are no news."""
        logger.debug(format, *args)

    def do_GET(self) -> None:
        """`/health` and `/methods`."""
        if self._admit() is None:
            return
        operation = self.path.partition("?")[0].strip("/")
        if operation == "health":
            self._answer(faults.OK, encode(self.server.offer.health()))
        elif operation == "methods":
            self._answer(*self.server.offer.methods())
        else:
            self._answer(404, _fault("request", "there is nothing at this path"))

    def do_POST(self) -> None:
        """`/setup`, `/call/METHOD`, `/cancel/ID` and `/heartbeat`."""
        body = self._admit()
        if body is None:
            return
        _, operation, name = (f"{self.path}//").split("/")[:3]
        identity = self.headers.get("X-Call", "")
        limit = _seconds(self.headers.get("X-Limit", "0"))
        if not _IDENTITY.fullmatch(identity) or limit is None:
            self._answer(400, _fault("request", "a header is malformed"))
        elif operation == "call":
            path = f"/call/{quote(unquote(name), safe='')}"
            self._call(path, body, limit, identity)
        elif operation == "setup":
            self._answer(*self.server.offer.setup(body, limit))
        elif operation == "cancel" and _IDENTITY.fullmatch(name):
            self.server.offer.cancel(name)
            self._answer(faults.OK, encode(None))
        elif operation == "heartbeat":
            self._answer(faults.OK, encode(None))
        else:
            self._answer(404, _fault("request", "there is nothing at this path"))

    def _admit(self) -> bytes | None:
        """The body of a request that may be made; otherwise it is answered and the end."""
        given = self.headers.get("Authorization", "").encode("utf-8", "replace")
        text = self.headers.get("Content-Length", "0")
        refused = 0
        if not hmac.compare_digest(given, self.server.expected):
            refused = 401
        elif "Transfer-Encoding" in self.headers or not (text.isascii() and text.isdigit()):
            refused = 411
        elif len(text) > 12 or int(text) > MAX_BYTES:
            refused = faults.TOO_LARGE
        if refused:
            self.close_connection = True
            self._answer(refused, [])
            return None
        self.server.strangers.remove(self.connection)
        body = self.rfile.read(int(text))
        if len(body) < int(text):  # it went away
            self.close_connection = True
            return None
        return body

    def _call(self, path: str, body: bytes, limit: float, identity: str) -> None:
        with self.server.offer.call(identity) as (client, name, settle):
            work = _in_thread(
                partial(client.exchange, "POST", path, [body], limit=limit, identity=name)
            )
            if self._await(work, client, name):
                self._answer(*settle(work))
            else:
                self.close_connection = True
                wait([work], timeout=_grace(limit))

    def _await(self, work: Future[Any], client: AgentClient, name: str) -> bool:
        """Wait for the answer; False if the caller went away, and the call was cancelled."""
        while not wait([work], timeout=LOOK_SECONDS).done:
            if _is_gone(self.connection):
                with contextlib.suppress(Exception):
                    client.cancel(name)
                return False
        return True

    def _answer(self, status: int, pieces: list[Any]) -> None:
        self.log_request(status)
        self.close_connection = self.close_connection or not self.server.has_room()
        head = answer_head(status, sum(map(size, pieces)), last=self.close_connection)
        if sum(map(size, pieces)) < LONGEST_LINE:
            self.wfile.write(b"".join([head, *pieces]))
            return
        for piece in (head, *pieces):
            self.wfile.write(piece)


def _in_thread(work: Callable[[], Message]) -> Future[Message]:
    """Run in a thread that never keeps the process from ending, as those of a pool would."""
    future: Future[Message] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 (it goes to whoever waits)
            future.set_exception(error)

    try:
        threading.Thread(target=run, daemon=True).start()
    except RuntimeError:  # no thread left: then whoever called has to stay
        run()
    return future


def _grace(limit: float) -> float:
    """Seconds for a cancelled call to end, before its replica counts as free again."""
    return min(limit, 10.0) if limit else 10.0


def _fault(kind: str, message: str) -> list[Any]:
    return encode(faults.plain(kind, message))


def _seconds(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and found >= 0 else None


def _is_gone(connection: socket.socket) -> bool:
    """Whether the other side has closed; looked for below TLS, where peeking is possible."""
    with _below(connection) as plain:
        try:
            return plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def _shut(connection: socket.socket) -> None:
    """End a connection that another thread reads from, which closes it then."""
    with contextlib.suppress(OSError), _below(connection) as plain:
        plain.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _below(connection: socket.socket) -> Iterator[socket.socket]:
    with socket.socket(fileno=os.dup(connection.fileno())) as plain:
        yield plain
