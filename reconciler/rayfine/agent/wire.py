"""Sockets read in lines and bodies, with a bound on everything that comes from the other side."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

from . import codec

LONGEST_LINE = 1 << 16
_CHUNK = 1 << 18


class Wire:
    """A connected socket with a buffer. Not for use by several threads at once."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._buffer = bytearray()
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
            chunk = self.socket.recv(_CHUNK)
            if not chunk:
                return b""
            self._buffer += chunk

    def read(self, length: int) -> bytearray:
        """Exactly so many bytes; memory grows only with what has come. Raises `EOFError`."""
        body = self._buffer[:length]
        del self._buffer[:length]
        while len(body) < length:
            chunk = self.socket.recv(min(_CHUNK, length - len(body)))
            if not chunk:
                raise EOFError
            body += chunk
        return body

    def relay(self, length: int, target: socket.socket) -> None:
        """Pass so many bytes on. Raises `EOFError` if they do not come."""
        while length:
            chunk = self.read(min(_CHUNK, length))
            target.sendall(chunk)
            length -= len(chunk)

    def read_head(self) -> dict[str, Any] | None:
        """A line of JSON with the `length` of a body. None at the end. Raises `ValueError`."""
        line = self.read_until(b"\n")
        if not line:
            return None
        found = json.loads(line)
        if not isinstance(found, dict) or type(found.get("length")) is not int:
            raise ValueError("not a head")
        if not 0 <= found["length"] <= codec.MAX_BYTES:
            raise ValueError("a length that is not allowed")
        return found

    def send(self, head: bytes, pieces: list[Any]) -> None:
        """Write a head and a body; short ones in one go."""
        if sum(map(size, pieces)) < LONGEST_LINE:
            self.socket.sendall(b"".join([head, *pieces]))
            return
        self.socket.sendall(head)
        for piece in pieces:
            self.socket.sendall(piece)

    def send_head(self, head: dict[str, Any], pieces: list[Any]) -> None:
        """Write a line of JSON with the length of the body, and the body."""
        line = json.dumps({**head, "length": sum(map(size, pieces))}).encode() + b"\n"
        self.send(line, pieces)


def size(piece: Any) -> int:
    """Bytes of a piece of a message."""
    return memoryview(piece).nbytes
