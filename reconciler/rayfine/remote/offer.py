"""A loaded environment as it is offered to others: its replicas, and who may set it up.

All callers share one environment. If its owner has set it up, with variables that callers need
not know, then callers cannot change them; their `setup()` only sets up again what has ended.
"""

import contextlib
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from reconciler.errors import RayfineError
from reconciler.rayfine.in_container import faults
from reconciler.rayfine.in_container.codec import CodecError, encode
from reconciler.rayfine.in_container.server import read_variables
from reconciler.rayfine.runtime.client import (
    CONNECT_SECONDS,
    AgentClient,
    AnswerTimeoutError,
    ConnectionLostError,
)
from reconciler.rayfine.runtime.dispatch import Dispatcher, Seat
from reconciler.rayfine.runtime.environment import EnvironmentWrapper
from reconciler.rayfine.runtime.errors import CallLostError
from reconciler.rayfine.runtime.turns import GivenUpError, WaitedTooLongError

_REMEMBERED = 10_000
"""Cancels whose call has not come yet, or has ended already."""

_NO_VARIABLES = b"".join(encode({"variables": {}}))

Raw = tuple[int, list[Any]]
"""A status, and a message in pieces."""

Settle = Callable[[Future[tuple[int, bytearray]]], Raw]
"""What to answer, once a call has ended or was lost."""


class Offer:
    """One environment under some names. `variables` None: callers set it up."""

    def __init__(
        self, names: Sequence[str], seats: Dispatcher, variables: Mapping[str, str] | None
    ) -> None:
        self._names = list(names)
        self._seats = seats
        self._variables = variables
        self._setup_lock = threading.Lock()
        self._running: dict[str, tuple[AgentClient, str]] = {}
        self._early: deque[str] = deque(maxlen=_REMEMBERED)

    def health(self) -> dict[str, Any]:
        """As an agent's, and `names`: what it serves."""
        found: dict[str, Any] = {"state": "ended", "fault": "", "setup": True, "python": ""}
        for seat in self._seats.all:
            try:
                one = seat.replica.client.health()
            except (ConnectionLostError, RayfineError) as error:
                found["fault"] = str(_reason(seat, error))
                continue
            found["python"] = str(one.get("python", ""))
            found["setup"] = found["setup"] and one.get("setup") is True
            if one.get("state") == "ready":
                found["state"] = "ready"
        return {**found, "names": self._names, "replicas": len(self._seats.all)}

    def methods(self) -> Raw:
        """As the first replica describes them."""
        return self._ask(self._seats.all[0], "GET", "/methods", b"", CONNECT_SECONDS)

    def setup(self, body: bytes, limit: float) -> Raw:
        """Set up every replica with a caller's variables, or those that ended with the owner's."""
        if self._variables is not None and body != _NO_VARIABLES:
            words = "this environment was set up by whoever serves it: variables are not taken"
            return faults.CONFLICT, encode(faults.plain("fixed", words))
        try:
            variables = dict(self._variables or read_variables(body))
        except CodecError as error:
            return 400, encode(faults.plain("request", str(error)))
        with self._setup_lock:
            seats = self._seats.all
            if self._variables is not None:
                seats = tuple(seat for seat in seats if seat.lost)
            body = b"".join(encode({"variables": variables}))
            for seat in seats:
                seat.replica.hide(variables)
                status, pieces = self._ask(seat, "POST", "/setup", body, limit)
                if status != faults.OK:
                    return status, pieces
                seat.lost = False
            return self.methods()

    @contextlib.contextmanager
    def call(self, identity: str) -> Iterator[tuple[AgentClient, str, Settle]]:
        """The agent for one call, its name there, and what makes an answer of how it went.

        Callers may choose identities that are not unique, or none.
        """
        with self._seats.taken() as seat:
            client, name = seat.replica.client, uuid.uuid4().hex
            if identity:
                self._running[identity] = client, name
                if identity in self._early:  # the cancel was quicker
                    client.cancel(name)
            try:
                yield client, name, lambda work: _settle(seat, work)
            finally:
                self._running.pop(identity, None)

    def cancel(self, identity: str) -> None:
        """Cancel a call, wherever it runs."""
        running = self._running.get(identity)
        if running is None:
            self._early.append(identity)
            running = self._running.get(identity)
        if running is not None:
            client, name = running
            with contextlib.suppress(ConnectionLostError, RayfineError):
                client.cancel(name)

    def _ask(self, seat: Seat, verb: str, path: str, body: bytes, limit: float) -> Raw:
        try:
            status, answer = seat.replica.client.exchange(
                verb, path, [body] if body else [], limit=limit
            )
        except ConnectionLostError as error:
            return _lost(seat, error)
        return status, [answer]


def offer_of(
    env: EnvironmentWrapper, names: Sequence[str], variables: Mapping[str, str] | None
) -> Offer:
    """A loaded environment as an offer; it stays the caller's to clean up."""
    return Offer(names, env._seats, variables)  # noqa: SLF001 (its other half, across the network)


def _settle(seat: Seat, work: Future[tuple[int, bytearray]]) -> Raw:
    try:
        status, body = work.result()
    except GivenUpError:
        return faults.CANCELLED, encode(faults.plain("cancelled", "the call was cancelled"))
    except WaitedTooLongError:
        return faults.LATE, encode(faults.plain("late", "it still waited for its turn"))
    except ConnectionLostError as error:
        return _lost(seat, error)
    seat.lost = seat.lost or status == faults.GONE
    return status, [body]


def _lost(seat: Seat, error: ConnectionLostError) -> Raw:
    found = seat.replica.diagnose(error)
    if isinstance(found, CallLostError):
        return faults.GONE, encode(faults.plain("lost", found.what))
    seat.lost = True
    if isinstance(error, AnswerTimeoutError):
        words = f"it went on after its limit, and {found}"
        return faults.LATE, encode(faults.plain("ended", words, ended=True))
    return faults.GONE, encode(faults.plain("ended", str(found)))


def _reason(seat: Seat, error: Exception) -> Exception:
    return seat.replica.explain(error) if isinstance(error, ConnectionLostError) else error
