"""Connections that have not shown the token: few of them, and not for long.

Anybody on the machine can connect. Whoever knows the token shows it at once, as fast as it is read
here: many callers may come in one moment. Of those that have had time to, the oldest gives way to
the next, so that none of them keeps anybody out.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

MOST, MOST_AT_ONCE = 128, 4096
"""Of those that have had time to show it, and of all."""

TIME = 5.0
SECONDS = 10.0
"""For the whole head of a first request, with the token in it, and whatever comes before it."""


class Strangers:
    """Those of one server."""

    def __init__(self, end: Callable[[Any], None]) -> None:
        """`end` ends a connection; it neither waits nor raises."""
        self._end = end
        self._lock = threading.Lock()
        self._since: dict[Any, float] = {}

    def add(self, connection: Any) -> None:
        """A new one."""
        with self._lock:
            self._since[connection] = time.monotonic()
            if len(self._since) > MOST_AT_ONCE:
                self._end_first()

    def remove(self, connection: Any) -> None:
        """It has shown the token, or is about to be closed."""
        with self._lock:
            self._since.pop(connection, None)

    def make_room(self) -> None:
        """End the oldest, if there is one."""
        with self._lock:
            if self._since:
                self._end_first()

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
