"""What can be asked of one agent, over HTTP: any number of threads, bounds on all that it answers.

Where an answer does not come, `ConnectionLostError` says so, and whoever knows where the agent runs
finds out why.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future
from typing import Any
from urllib.parse import quote

from reconciler.rayfine.forks import anew_after_fork
from reconciler.rayfine.in_container.codec import CodecError, decode, encode
from reconciler.rayfine.in_container.faults import BUSY, LONGEST_MESSAGE
from reconciler.rayfine.runtime.agent_connections import (
    CONNECT_SECONDS,
    Answer,
    ConnectionLostError,
    Connections,
    Endpoint,
    Message,
)
from reconciler.rayfine.runtime.errors import Reply, TransferError


class WaitedTooLongError(Exception):
    """The time limit of a call passed before its turn came: it was not sent."""


class GivenUpError(Exception):
    """A call was cancelled before its turn came: it was not sent."""


class Turns:
    """A bound on how many calls are under way; the rest wait, in the order of their arrival."""

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._free = most
        self._waiting: dict[str, Future[None]] = {}

    @contextlib.contextmanager
    def taken(self, identity: str, limit: float) -> Iterator[float]:
        """A turn for one call; what is left of its limit in seconds, 0 for none.

        Raises `WaitedTooLongError` or `GivenUpError`.
        """
        start = time.monotonic()
        self._take(identity, limit)
        try:
            yield max(limit - (time.monotonic() - start), 0.001) if limit else 0.0
        finally:
            self._pass_on()

    def give_up(self, identity: str) -> bool:
        """End the wait of a call; whether there was one."""
        with self._lock:
            waiter = self._waiting.pop(identity, None)
        return waiter is not None and waiter.cancel()

    def _take(self, identity: str, limit: float) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiter = self._waiting[identity] = Future()
        try:
            waiter.result(min(limit, threading.TIMEOUT_MAX) or None)
        except CancelledError:
            raise GivenUpError from None
        except BaseException as error:
            late = isinstance(error, TimeoutError)
            if self.give_up(identity) or waiter.cancel():
                raise (WaitedTooLongError if late else error) from None
            if not late:  # an interrupt, and the turn had come meanwhile
                self._pass_on()
                raise

    def _pass_on(self) -> None:
        with self._lock:
            while self._waiting:
                waiter = self._waiting.pop(next(iter(self._waiting)))
                if waiter.set_running_or_notify_cancel():
                    waiter.set_result(None)
                    return
            self._free += 1


PROBE_SECONDS = 5.0
MOST_CALLS = 256
"""Calls under way at one agent; more wait on this side, where they cost the agent nothing."""

_PAUSE = 0.05


class AgentClient:
    """Talks to one agent, from any thread, and after a fork from the child as well."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._connections = Connections(endpoint)
        self._turns = Turns(MOST_CALLS)
        anew_after_fork(self)

    def after_fork(self) -> None:
        """Leave connections, and calls that wait, to the parent."""
        self._connections.after_fork()
        self._turns = Turns(MOST_CALLS)

    def health(self, wait: float = 0.0) -> Mapping[str, Any]:
        """`state`, `fault`, `setup`, `python`. Waits up to so many seconds while it starts."""
        found = self._ask("GET", f"/health?wait={wait:g}", None, limit=wait or CONNECT_SECONDS)
        health = _read_health(found.value) if found.status == 200 else None
        if health is None:
            raise ConnectionLostError(f"no agent of ours answers: status {found.status}")
        return health

    def probe(self) -> Mapping[str, Any] | None:
        """What `health` says, on a new connection; None if nobody answers soon."""
        try:
            asked: Message = ("GET", "/health", [])
            status, body = self._connections.ask_anew(asked, PROBE_SECONDS, margin=0.0)
            return _read_health(decode(body)) if status == 200 else None
        except (ConnectionLostError, CodecError):
            return None

    def methods(self) -> Mapping[str, Mapping[str, str]]:
        """`signature` and `doc` by name."""
        return checked_methods(self._ask("GET", "/methods", None, limit=CONNECT_SECONDS).value)

    def setup(self, variables: Mapping[str, str], limit: float) -> Reply:
        """Load env.py; the value is the methods, or an error."""
        return self._ask("POST", "/setup", {"variables": dict(variables)}, limit=limit)

    def call(self, name: str, arguments: Any, limit: float, identity: str) -> Reply:
        """Call a method with [args, kwargs]; `limit` in seconds, 0 for none.

        `identity` is for `cancel`. Interrupted, it cancels the call itself.
        """
        path = f"/call/{quote(name, safe='')}"
        try:
            return self._ask("POST", path, arguments, limit=limit, identity=identity)
        except (KeyboardInterrupt, SystemExit):
            with contextlib.suppress(Exception):
                self.cancel(identity)
            raise

    def cancel(self, identity: str) -> None:
        """Cancel a call, whether it waits for its turn, is on its way, or under way."""
        if not self._turns.give_up(identity):
            self._ask("POST", f"/cancel/{identity}", None, limit=CONNECT_SECONDS)

    def heartbeat(self) -> None:
        """Renew the lease, and let go of connections that nobody needed for long."""
        self._connections.drop_idle()
        self.exchange("POST", "/heartbeat", [], limit=CONNECT_SECONDS)  # its answer is not read

    def close(self) -> None:
        """Close every connection; calls under way end with `ConnectionLostError`."""
        self._connections.close()

    def _ask(self, verb: str, path: str, value: Any, *, limit: float, identity: str = "") -> Reply:
        pieces = _encoded(value) if verb == "POST" else []
        status, body = self.exchange(verb, path, pieces, limit=limit, identity=identity)
        try:
            return Reply(status, decode(body) if body else None)
        except CodecError as error:
            raise TransferError(
                f"the answer cannot be read: {error}", fix="return less, or plainer values"
            ) from error

    def exchange(
        self, verb: str, path: str, pieces: list[Any], *, limit: float, identity: str = ""
    ) -> Answer:
        """Send a message as it is; status and message of the answer, as it is.

        A call waits for its turn; raises what `Turns.taken` raises.
        """
        if not path.startswith("/call/"):
            return self._exchange((verb, path, pieces), limit, identity)
        with self._turns.taken(identity, limit) as left:
            return self._exchange((verb, path, pieces), left, identity)

    def _exchange(self, message: Message, limit: float, identity: str) -> Answer:
        until = time.monotonic() + (limit or CONNECT_SECONDS)
        while True:
            status, body = self._connections.ask(message, limit, identity)
            if status != BUSY or time.monotonic() > until:
                return status, body
            time.sleep(_PAUSE)  # nothing was begun


def new_token() -> str:
    return uuid.uuid4().hex + uuid.uuid4().hex


def _encoded(value: Any) -> list[Any]:
    try:
        return encode(value)
    except CodecError as error:
        what = str(error).replace("result", "the arguments").replace("return dict", "pass dict")
        raise TransferError(what, fix="pass plainer or fewer values") from error


def _read_health(value: Any) -> dict[str, Any] | None:
    """What an agent says of itself, in its types and in bounds; None where that is no health."""
    if not isinstance(value, dict):
        return None
    texts = ("state", "fault", "python", "ray")
    found = {name: str(value.get(name, ""))[:LONGEST_MESSAGE] for name in texts}
    return {**found, "setup": value.get("setup") is True}


def checked_methods(value: Any) -> Mapping[str, Mapping[str, str]]:
    """Methods as an agent describes them; whatever else it says is left out."""
    if not isinstance(value, dict):
        return {}
    return {
        str(name): {key: str(text) for key, text in found.items()}
        for name, found in value.items()
        if isinstance(found, dict)
    }
