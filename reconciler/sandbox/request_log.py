"""What was asked of the sandbox, in order, so that tests can count reads and writes.

Holds method, path, query and status only: never a body, a header or a token.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock

_KEPT = 100_000
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
TOKEN_PATHS = frozenset({"/api/v1/token", "/api/v2/token"})


@dataclass(frozen=True)
class Request:
    """One answered request. `query` is the raw query string, without the question mark."""

    method: str
    path: str
    query: str
    status: int

    @property
    def is_write(self) -> bool:
        """Whether it asked for a change; logging in is none."""
        return self.method in _WRITES and self.path not in TOKEN_PATHS

    @property
    def is_read(self) -> bool:
        """Whether it read assets or organisation units."""
        return self.method == "GET"


class RequestLog:
    """The requests since the start or the last `clear()`; safe to use from any thread.

    The last 100,000 requests are kept; `len()` counts all of them.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: deque[Request] = deque(maxlen=_KEPT)
        self._count = 0

    def add(self, request: Request) -> None:
        """Append one request."""
        with self._lock:
            self._kept.append(request)
            self._count += 1

    def all(self) -> tuple[Request, ...]:
        """Every kept request, oldest first."""
        with self._lock:
            return tuple(self._kept)

    def writes(self) -> tuple[Request, ...]:
        """The kept requests that asked for a change, whatever the answer; no logins."""
        return tuple(request for request in self.all() if request.is_write)

    def reads(self) -> tuple[Request, ...]:
        """The kept GET requests."""
        return tuple(request for request in self.all() if request.is_read)

    def clear(self) -> None:
        """Forget everything and count from zero."""
        with self._lock:
            self._kept.clear()
            self._count = 0

    def __len__(self) -> int:
        return self._count
