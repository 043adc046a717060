"""Where env.py runs: what every engine does. See `process_engine.py` and `ray_engine.py`."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncIterator, Callable, List, Tuple, Union

from . import faults
from .codec import encode
from .faults import CANCELLED, GONE, LATE, OK

_GRACE = 2.0
"""Seconds that a method has to end once it is cancelled, before its process is ended."""

_THREADS = 4


class Request:
    """What is asked of env.py. `limit` is in seconds; 0 is no limit."""

    def __init__(self, operation: str, name: str = "", identity: str = "") -> None:
        self.operation = operation
        self.name = name
        self.identity = identity
        self.query = ""
        self.limit = 0.0
        self.body: Any = b""


class Incoming(ABC):
    """A long message that comes from env.py, passed on as it comes."""

    length = 0

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytearray]:
        """All of it. Raises `EOFError` where its sender ended meanwhile."""

    @abstractmethod
    def close(self) -> None:
        """Take leave of it, however much of it was taken."""


Answer = Tuple[int, Union[List[Any], Incoming]]
"""A status, and a message in pieces or on its way."""


class Engine(ABC):
    """Runs env.py. `state` is `starting`, `ready`, `failed` or `ended`, `fault` says why.

    `current` is the process or actor with env.py, which every setup but the first replaces.
    """

    state = "starting"
    fault = ""
    is_set_up = False
    ray_version = ""
    current: Any = None

    def __init__(self) -> None:
        self._setting_up: asyncio.Lock | None = None

    @abstractmethod
    def start(self) -> None:
        """Get everything ready that needs no variables. Sets `state`."""

    @abstractmethod
    async def renew(self, variables: dict[str, str]) -> None:
        """Have a fresh interpreter. Raises `OSError` or `ValueError` where there can be none."""

    async def setup(self, variables: dict[str, str], request: Request) -> Answer:
        """Load env.py in a fresh interpreter with these variables."""
        self._setting_up = self._setting_up or asyncio.Lock()  # in the loop that uses it
        async with self._setting_up:
            try:
                await self.renew(variables)
            except (OSError, ValueError) as error:
                self.fault = "its process could not start: %s" % error
                self.state, self.is_set_up = "ended", False
                return GONE, encode(faults.plain("ended", self.fault))
            self.is_set_up = False
            self.state = "ready"
            answer = await self.ask(request)
            self.is_set_up = answer[0] == OK
            return answer

    @abstractmethod
    async def ask(self, request: Request) -> Answer:
        """Load, call or cancel."""

    def mark_ended(self, ended: Any, why: str) -> None:
        """Of what setup has replaced, only its callers hear."""
        if ended is self.current and self.state != "ended":
            self.state, self.fault, self.is_set_up = "ended", why, False

    @abstractmethod
    async def end(self, ended: Any, why: str) -> None:
        """End it by force."""

    @abstractmethod
    def stop(self) -> None:
        """End env.py and all that it has started. Blocks."""


class Limit:
    """The time limit of a request, which is cancelled when that passes.

    What runs it is ended if it still goes on.
    """

    def __init__(self, engine: Engine, asked: Any, request: Request) -> None:
        """`asked`: what was current when the request came."""
        self.forced = ""
        self._passed = False
        self._given = engine, asked, request
        self._loop = asyncio.get_event_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Future[Any] | None = None
        if request.limit:
            self._timer = self._loop.call_later(request.limit, self._pass)

    def end(self) -> None:
        """It does not count any more."""
        if self._timer is not None:
            self._timer.cancel()

    def status(self, found: int) -> int:
        """What became of the request: one that was cancelled here was late."""
        return LATE if self._passed and found == CANCELLED else found

    async def answer(self) -> Answer:
        """The answer once what ran it was ended, and all that it started is gone."""
        assert self._task is not None
        await self._task
        return LATE, encode(faults.plain("late", self.forced, ended=True))

    def _pass(self) -> None:
        engine, _, request = self._given
        self._passed = True
        self._task = asyncio.ensure_future(engine.ask(Request("cancel", "", request.identity)))
        self._timer = self._loop.call_later(_GRACE, self._force)

    def _force(self) -> None:
        engine, asked, request = self._given
        self.forced = (
            "a call went on after its time limit of %g s and was ended by force; "
            "what setup did is lost" % request.limit
        )
        self._task = asyncio.ensure_future(engine.end(asked, self.forced))


class Threads:
    """For what blocks. They are there before user code can use all threads up."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS)
        all_there = threading.Barrier(_THREADS)
        for work in [self._pool.submit(all_there.wait) for _ in range(_THREADS)]:
            work.result()

    async def run(self, function: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_event_loop().run_in_executor(self._pool, function, *given)
