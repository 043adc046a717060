"""Starting and stopping a sandbox: in a thread for a command, in the foreground for a person.

aiohttp is imported when a server starts, not before: most commands never need it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from reconciler.errors import SandboxError
from reconciler.sandbox.endpoint import Endpoint, Setup
from reconciler.sandbox.request_log import RequestLog
from reconciler.sandbox.switches import Behaviour

_LOG = logging.getLogger(__name__)


class SandboxServer:
    """An embedded control plane over one SQLite file, in a thread of its own.

    Several servers, in one process or in many, may serve the same file. `port` 0 is any free port.
    A server listens on the loopback interface unless another `host` is named. Without `seed_again`,
    a database that has an organisation already is left as it is. A write that has waited `busy`
    seconds for one of another server is answered with a 503.
    """

    def __init__(  # noqa: PLR0913 -- the keyword-only ones are one setup
        self,
        database: Path,
        *,
        seed: Path | None = None,
        seed_again: bool = True,
        behaviour: Behaviour = Behaviour(),  # noqa: B008 -- frozen
        host: str = "127.0.0.1",
        port: int = 0,
        busy: float = 10.0,
    ) -> None:
        self._setup = Setup(database, seed, seed_again, behaviour, host, port, busy)
        self._requests = RequestLog()
        self._thread: threading.Thread | None = None
        self._stopping: _Stop | None = None

    @property
    def requests(self) -> RequestLog:
        """What has been asked so far; it outlives a stop."""
        return self._requests

    def start(self) -> Endpoint:
        """Listen; returns when it does. A SandboxError says why it cannot."""
        if self._thread is not None:
            raise SandboxError("this sandbox has been started already", fix="Stop it first.")
        started: Future[tuple[Endpoint, _Stop]] = Future()
        thread = threading.Thread(
            target=self._run, args=(started,), name="reconciler-sandbox", daemon=True
        )
        thread.start()
        try:
            endpoint, self._stopping = started.result()
        except BaseException:
            thread.join()
            raise
        self._thread = thread
        return endpoint

    def stop(self) -> None:
        """Let requests under way end, then stop listening; without effect if it is not running."""
        if self._thread is not None and self._stopping is not None:
            self._stopping.request()
            self._thread.join()
        self._thread = self._stopping = None

    def __enter__(self) -> Endpoint:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self, started: Future[tuple[Endpoint, _Stop]]) -> None:
        async def main() -> None:
            loop, stop = asyncio.get_running_loop(), asyncio.Event()

            def announce(endpoint: Endpoint) -> None:
                started.set_result((endpoint, _Stop(loop, stop)))

            await _serve(self._setup, self._requests, stop, announce)

        try:
            asyncio.run(main())
        except BaseException as error:
            if started.done():
                _LOG.exception("the sandbox ended")
                raise
            started.set_exception(error)


def serve(  # noqa: PLR0913 -- the keyword-only ones are one setup
    database: Path,
    *,
    seed: Path | None,
    behaviour: Behaviour,
    host: str,
    port: int,
    announce: Callable[[Endpoint], None],
) -> None:
    """Run a sandbox in the foreground, in the main thread, until SIGINT or SIGTERM.

    `announce` is called once, when it listens.
    """

    async def main() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        setup = Setup(database, seed, seed_again=True, behaviour=behaviour, host=host, port=port)
        await _serve(setup, RequestLog(), stop, announce)

    asyncio.run(main())


@dataclass(frozen=True)
class _Stop:
    """The way to end a server from another thread."""

    loop: asyncio.AbstractEventLoop
    event: asyncio.Event

    def request(self) -> None:
        # The loop is closed if the server has ended by itself; then there is nothing to stop.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.event.set)


async def _serve(
    setup: Setup, log: RequestLog, stop: asyncio.Event, announce: Callable[[Endpoint], None]
) -> None:
    from reconciler.sandbox.service import run_service  # noqa: PLC0415 -- imports aiohttp

    await run_service(setup, log, stop, announce)
