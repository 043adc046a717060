"""A call under way: its time limit, and the way to cancel it."""

import contextlib
import uuid

from reconciler.errors import RayfineError
from reconciler.rayfine.runtime.client import AgentClient, ConnectionLostError


class Handle:
    """One call as its caller holds it."""

    def __init__(self, timeout: float | None) -> None:
        """Seconds; None is the environment's own limit, 0 none."""
        self.timeout = timeout
        self.identity = uuid.uuid4().hex
        self._client: AgentClient | None = None

    def started(self, client: AgentClient) -> None:
        """It goes to this agent."""
        self._client = client

    def cancel(self) -> None:
        """Cancel it, if it is under way."""
        if self._client is not None:
            with contextlib.suppress(ConnectionLostError, RayfineError):
                self._client.cancel(self.identity)
