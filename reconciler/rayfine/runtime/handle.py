"""A call under way: its time limit, and the way to cancel it."""

import contextlib
import uuid

from reconciler.errors import RayfineError
from reconciler.rayfine.runtime.client import AgentClient, ConnectionLostError
from reconciler.rayfine.runtime.errors import CallCancelledError


class Handle:
    """One call as its caller holds it."""

    def __init__(self, timeout: float | None) -> None:
        """Seconds; None is the environment's own limit, 0 none."""
        self.timeout = timeout
        self.identity = uuid.uuid4().hex
        self._cancelled = False
        self._client: AgentClient | None = None

    def started(self, client: AgentClient) -> None:
        """It goes to this agent. Raises `CallCancelledError` if the cancel was quicker."""
        self._client = client
        if self._cancelled:
            raise CallCancelledError("the call was cancelled before it was sent")

    def cancel(self) -> None:
        """Cancel it, wherever it is."""
        self._cancelled = True
        if self._client is not None:
            with contextlib.suppress(ConnectionLostError, RayfineError):
                self._client.cancel(self.identity)
