"""A socket of the caller's side, read in lines and bodies, with a bound on all that comes in."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from typing import Any

LONGEST_LINE = 1 << 16
CHUNK = 1 << 18

_FOR_EVER = 2e6
"""Seconds from which on no limit is the same: a socket takes no more."""


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
