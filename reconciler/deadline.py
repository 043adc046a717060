"""Answers over HTTP with one time limit for all of each: status, headers and body.

urllib3's limit holds for each piece of an answer, so that a server that sends a byte now and then,
or one `100 Continue` after another, is waited for without end. Here the pieces of an answer have
`WHOLE` times that limit together. Entering this module enters urllib3.
"""

import http.client
import io
import time
from typing import Any, TypeVar

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

WHOLE = 10
"""A whole answer may take this many times the limit of one pause."""
_Manager = TypeVar("_Manager", bound=PoolManager)


def bound_answers(manager: _Manager) -> _Manager:
    """The same manager, whose connections bound each whole answer; proxies' answers as well."""
    manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return manager


class BoundedResponse(http.client.HTTPResponse):
    """An answer that has to be read within `WHOLE` times the time limit that its socket has."""

    def __init__(self, sock: Any, *args: Any, **named: Any) -> None:
        source: Any = sock if sock.gettimeout() is None else _Reader(sock)
        super().__init__(source, *args, **named)


class _Reader(io.RawIOBase):
    """What an answer reads from; it stands in for the socket there, too, which only gives this."""

    def __init__(self, sock: Any) -> None:
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._pause = sock.gettimeout()
        self._end = time.monotonic() + WHOLE * self._pause

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `HTTPResponse` asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """The next piece. Raises `TimeoutError`."""
        left = self._end - time.monotonic()
        self._socket.settimeout(min(self._pause, max(left, 0.001)))
        try:
            if left > 0:
                count: int | None = self._raw.readinto(buffer)
                return count
        except TimeoutError:
            if left > self._pause:
                raise
        raise TimeoutError(f"the answer takes more than {WHOLE * self._pause:g} s")

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _HttpConnection(HTTPConnection):
    response_class = BoundedResponse


class _HttpsConnection(HTTPSConnection):
    response_class = BoundedResponse


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
