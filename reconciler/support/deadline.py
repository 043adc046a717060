"""Answers of a server that may take only so long, and so much: from first byte to last.

A time limit of a socket holds for one pause, so that a byte now and then keeps it open for ever:
in the head of an answer, or in `100 Continue` repeated without end. Here every byte of an answer is
read against one deadline. Once `stop` is set there is little time left for it.
"""

import io
import socket
import ssl
import threading
import time
from http.client import HTTPResponse
from typing import Any

import urllib3
from urllib3 import connection

_AFTER_STOP = 5.0
"""Seconds that an answer may take once nobody wants to wait any more."""
_PIECE = 1 << 16
"""Bytes that are asked for at once."""
_SLICE = 0.25
"""Seconds between two looks at `stop`."""


def read_whole(answer: Any, limit: int, end: float | None = None) -> bytes:
    """The body of an answer of urllib3 as it was sent, never unpacked.

    Raises urllib3's `ProtocolError` if it is cut short, longer than `limit` bytes, or packed, and
    `TimeoutError` at `end` of the monotonic clock, give or take one pause.
    """
    data = bytearray()
    read = answer.read if end is None else answer.read1  # which waits for no whole piece
    while piece := read(_PIECE, decode_content=False):  # one that is cut is seen at its end
        data += piece
        if end is not None and time.monotonic() > end:
            answer.close()
            raise TimeoutError("the answer timed out before its end")
        if len(data) > limit:
            answer.close()
            raise urllib3.exceptions.ProtocolError(f"the answer has more than {limit >> 20} MiB")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise urllib3.exceptions.ProtocolError("the answer is packed, which nobody asked for")
    return bytes(data)


def limit_answers(pool_manager: Any, stop: threading.Event, longest: int = 10) -> None:
    """Let every connection of a pool manager, proxies included, read answers with a deadline.

    A whole answer may take `longest` times the time limit of one pause.
    """

    class Answer(HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            raw: Any = self.fp.detach()
            self.fp = io.BufferedReader(_Timed(raw, sock, stop, longest), _PIECE)

    # By the names of urllib3's own classes, which its errors begin with.
    class HTTPConnection(connection.HTTPConnection):
        response_class = Answer

    class HTTPSConnection(connection.HTTPSConnection):
        response_class = Answer

    class HTTPConnectionPool(urllib3.HTTPConnectionPool):
        ConnectionCls = HTTPConnection

    class HTTPSConnectionPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = HTTPSConnection

    pool_manager.pool_classes_by_scheme = {
        "http": HTTPConnectionPool,
        "https": HTTPSConnectionPool,
    }


class _Timed(io.RawIOBase):
    """The bytes of one answer. `raw` is the socket's own file, closed with this one."""

    def __init__(self, raw: Any, sock: socket.socket, stop: threading.Event, longest: int) -> None:
        self._raw, self._socket, self._stop = raw, sock, stop
        self._pause = sock.gettimeout() or 0.0
        self._deadline = time.monotonic() + longest * self._pause

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes, or `TimeoutError`."""
        silent_until = time.monotonic() + self._pause
        while True:
            if self._stop.is_set():
                self._deadline = min(self._deadline, time.monotonic() + _AFTER_STOP)
            left = min(self._deadline, silent_until) - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(min(left, _SLICE))
            try:
                return self._socket.recv_into(buffer)
            except TimeoutError:
                continue
            except ssl.SSLError as error:  # the request was sent: not to be taken for a handshake
                raise ConnectionAbortedError(str(error)) from error

    def close(self) -> None:
        self._raw.close()
        super().close()
