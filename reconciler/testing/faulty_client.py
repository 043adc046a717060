"""A client that fails at one request, or from one on, as networks and processes do."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from reconciler.providers.runai.api_errors import BusyError, lost
from reconciler.providers.runai.client import Client
from reconciler.providers.runai.connection import Connection


class Fault(StrEnum):
    """What becomes of a request."""

    UNSENT = "unsent"
    """It did not arrive, and nobody can tell."""
    UNANSWERED = "unanswered"
    """It was carried out, and its answer was lost."""
    KILLED = "killed"
    """It was carried out, and nothing goes through any more, as if the process had ended there."""


class FaultyClient(Client):
    """Counts its requests, logins aside; within `breaking`, one of them has a fault."""

    def __init__(self, connection: Connection) -> None:
        self.requests = 0
        self._at = 0
        self._fault = Fault.UNSENT
        super().__init__(connection)

    @contextmanager
    def breaking(self, at: int, fault: Fault) -> Iterator[None]:
        """Count from zero, and let a request of this block fail; 0 for none."""
        self.requests, self._at, self._fault = 0, at, fault
        try:
            yield
        finally:
            self._at = 0

    def call_api(self, method: str, resource_path: str, *more: Any, **options: Any) -> Any:
        """The answer of the server, or the error of the fault."""
        self.requests += 1
        ended = self._fault is Fault.KILLED and 0 < self._at < self.requests
        strikes = self.requests == self._at
        if not ended and (not strikes or self._fault is not Fault.UNSENT):
            answer = super().call_api(method, resource_path, *more, **options)
            if not strikes:
                return answer
        what = f"{method} {resource_path} got no answer: made up by a test"
        raise BusyError(what) if method == "GET" else lost(what)
