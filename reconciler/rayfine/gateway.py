"""HTTP in front of a loaded environment: the other end of `load_env(..., mode="remote", url=...)`.

Speaks what the agent speaks (see `in_container/agent_server.py`), and hands messages on to the
least busy replica as they are, without reading them. All callers share one environment; nobody can
end it from there. If its owner has set it up, with variables that callers need not know, callers
cannot change them: their `setup()` only sets up again what has ended.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self
from urllib.parse import quote

from reconciler.errors import RayfineError
from reconciler.rayfine.in_container import faults
from reconciler.rayfine.in_container.agent_server import (
    HttpServer,
    allow_connections,
    nothing_there,
    read_variables,
)
from reconciler.rayfine.in_container.codec import CodecError, encode
from reconciler.rayfine.in_container.engines import Answer, Request
from reconciler.rayfine.in_container.streams import Stream
from reconciler.rayfine.runtime.agent_client import AgentClient, GivenUpError, WaitedTooLongError
from reconciler.rayfine.runtime.agent_connections import (
    CONNECT_SECONDS,
    AnswerTimeoutError,
    ConnectionLostError,
    keep_alive,
)
from reconciler.rayfine.runtime.crew import Crew
from reconciler.rayfine.runtime.environment_wrapper import EnvironmentWrapper
from reconciler.rayfine.runtime.replica import Seat

_MOST_CALLS, _MOST_OTHERS = 1024, 64
_REMEMBERED = 10_000
"""Cancels whose call has not come yet, or has ended already."""

_NO_VARIABLES = b"".join(encode({"variables": {}}))


class Gateway(HttpServer):
    """Listens from the start, and answers once `serve` is called."""

    def __init__(self, address: tuple[str, int], token: str, tls: ssl.SSLContext | None) -> None:
        """Raises `OSError` where the address cannot be listened on."""
        super().__init__(token, tls)
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._listener = socket.create_server(
            address, family=family, dualstack_ipv6=family == socket.AF_INET6
        )
        keep_alive(self._listener)  # and so every connection: of a caller that is gone it hears
        self.port = int(self._listener.getsockname()[1])
        self._serving: threading.Thread | None = None
        self._ended = threading.Event()
        self._calls = Crew(_MOST_CALLS, "calls")
        self._others = Crew(_MOST_OTHERS, "requests")
        self._setup_lock = threading.Lock()
        self._running: dict[str, tuple[AgentClient, str]] = {}
        self._early: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End every call and connection."""
        if self._serving is not None:
            with contextlib.suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._over.set)
            self._serving.join()
        self._listener.close()

    @property
    def url(self) -> str:
        host = str(self._listener.getsockname()[0])
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{shown}:{self.port}"

    def serve(
        self, env: EnvironmentWrapper, names: Sequence[str], variables: Mapping[str, str] | None
    ) -> None:
        """Offer an environment under these names from now on.

        `variables` None: callers set it up. It stays its owner's to clean up.
        """
        self._seats = env._seats  # noqa: SLF001 (its other half, across the network)
        self._names = list(names)
        self._variables = variables
        allow_connections()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._serving = threading.Thread(target=self._run, name="gateway")
        self._serving.start()

    def wait(self) -> None:
        """Wait for its end: that of an exception, such as Ctrl-C."""
        self._ended.wait()  # a join that is interrupted would take the thread for ended

    def _run(self) -> None:
        """In a thread of its own, since signals interrupt the main one anywhere."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._answer_until_over())
        finally:
            self._ended.set()

    async def _answer_until_over(self) -> None:
        """Take no connection once it is over; the runner cancels what is still under way."""
        work = [
            asyncio.create_task(self.run(self._listener)),
            asyncio.create_task(self._over.wait()),
        ]
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        work[0].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work[0]

    async def answer(self, request: Request, stream: Stream) -> Answer:
        if request.operation == "call":
            return await self._call(request, stream)
        if request.operation == "cancel":
            self._cancel(request.name)
        if request.operation in ("cancel", "heartbeat"):
            return faults.OK, encode(None)
        others = {"health": self._health, "methods": self._methods, "setup": self._setup}
        if request.operation not in others:
            return nothing_there()
        return await _done(self._others, partial(others[request.operation], request))

    def _health(self, _: Request) -> Answer:
        """As an agent's, and `names`: what it serves."""
        found: dict[str, Any] = {"state": "ended", "fault": "", "setup": True, "python": ""}
        for seat in self._seats.all:
            try:
                one = seat.replica.client.health()
            except ConnectionLostError as error:
                found["fault"] = str(seat.replica.explain(error))
            except RayfineError as error:
                found["fault"] = str(error)
            else:
                found["python"] = str(one.get("python", ""))
                found["setup"] = found["setup"] and one.get("setup") is True
                if one.get("state") == "ready":
                    found["state"] = "ready"
        health = {**found, "names": self._names, "replicas": len(self._seats.all)}
        return faults.OK, encode(health)

    def _methods(self, _: Request | None = None) -> Answer:
        """As the first replica describes them."""
        return _ask(self._seats.all[0], "/methods", b"", CONNECT_SECONDS)

    def _setup(self, request: Request) -> Answer:
        """Set up every replica with a caller's variables, or those that ended with the owner's."""
        if self._variables is not None and request.body != _NO_VARIABLES:
            words = "this environment was set up by whoever serves it: variables are not taken"
            return faults.CONFLICT, encode(faults.plain("fixed", words))
        try:
            variables = dict(self._variables or read_variables(request.body))
        except CodecError as error:
            return 400, encode(faults.plain("request", str(error)))
        with self._setup_lock:
            seats = self._seats.all
            if self._variables is not None:
                seats = tuple(seat for seat in seats if seat.lost)
            body = b"".join(encode({"variables": variables}))
            for seat in seats:
                seat.replica.hide(variables)
                answer = _ask(seat, "/setup", body, request.limit)
                if answer[0] != faults.OK:
                    return answer
                seat.lost = False
            return self._methods()

    async def _call(self, request: Request, stream: Stream) -> Answer:
        """Callers may choose identities that are not unique: a call has another one there."""
        identity = request.identity
        if self._early.pop(identity, "") is None:  # the cancel was quicker
            return faults.CANCELLED, encode(faults.plain("cancelled", "the call was cancelled"))
        if stream.gone:
            raise EOFError("the caller went away")
        path = f"/call/{quote(request.name, safe='')}"
        with self._seats.taken() as seat:
            running = self._running[identity] = seat.replica.client, uuid.uuid4().hex
            stream.on_gone = partial(self._end, *running)
            try:
                work = partial(_ask, seat, path, request.body, request.limit, running[1])
                return await _done(self._calls, work)
            finally:
                stream.on_gone = None
                if self._running.get(identity) is running:
                    del self._running[identity]

    def _cancel(self, identity: str) -> None:
        running = self._running.get(identity)
        if running is not None:
            self._end(*running)
            return
        self._early[identity] = None
        if len(self._early) > _REMEMBERED:
            del self._early[next(iter(self._early))]

    def _end(self, client: AgentClient, identity: str) -> None:
        with contextlib.suppress(RuntimeError):  # without a thread it ends by itself
            self._others.submit(partial(client.cancel, identity))


async def _done(crew: Crew, work: partial[Answer]) -> Answer:
    try:
        future = crew.submit(work)
    except RuntimeError:
        return faults.BUSY, encode(faults.plain("busy", "there is no thread for it"))
    return await asyncio.wrap_future(future)


def _ask(seat: Seat, path: str, body: Any, limit: float, identity: str = "") -> Answer:
    """What a replica answers, or what became of the request."""
    pieces = [body] if body else []
    try:
        status, answer = seat.replica.client.exchange(
            "POST", path, pieces, limit=limit, identity=identity
        )
    except GivenUpError:
        return faults.CANCELLED, encode(faults.plain("cancelled", "the call was cancelled"))
    except WaitedTooLongError:
        return faults.LATE, encode(faults.plain("late", "it still waited for its turn"))
    except ConnectionLostError as error:
        return _lost(seat, error)
    seat.lost = seat.lost or status == faults.GONE
    return status, [answer]


def _lost(seat: Seat, error: ConnectionLostError) -> Answer:
    found = seat.diagnose(error)
    if not seat.lost:
        return faults.GONE, encode(faults.plain("lost", found.what))
    if isinstance(error, AnswerTimeoutError):
        words = f"it went on after its limit, and {found}"
        return faults.LATE, encode(faults.plain("ended", words, ended=True))
    return faults.GONE, encode(faults.plain("ended", str(found)))
