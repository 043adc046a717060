"""Many calls side by side: `map` with results as they come, and methods as coroutines."""

import asyncio
import contextlib
import queue
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

from reconciler.errors import RayfineError
from reconciler.rayfine.runtime.agent_client import AgentClient
from reconciler.rayfine.runtime.agent_connections import ConnectionLostError
from reconciler.rayfine.runtime.crew import Crew
from reconciler.rayfine.runtime.errors import CallCancelledError, no_method


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
        self._cancelled = True
        if self._client is not None:
            with contextlib.suppress(ConnectionLostError, RayfineError):
                self._client.cancel(self.identity)


Invoke = Callable[[str, Sequence[Any], Mapping[str, Any], Handle], Any]
"""Calls the method of this name with these arguments, positional and by name."""


@dataclass(frozen=True, slots=True)
class MapResult:
    """The result of one input: its number from 0, the input, and a value or an error."""

    index: int
    input: Any
    value: Any = None
    error: Exception | None = None


def map_calls(
    call: Callable[[Sequence[Any], Mapping[str, Any], Handle], Any],
    inputs: Iterable[Any],
    count: int,
    limit: float | None,
    owner: str,
) -> Iterator[MapResult]:
    """Run `count` calls of one method side by side. Ended early, it cancels those under way."""
    done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
    source = enumerate(inputs)
    work: dict[Future[Any], tuple[int, Any, Handle]] = {}
    crew = Crew(count, f"map-{owner}")
    try:
        while True:
            while len(work) < count and (item := next(source, None)) is not None:
                index, value = item
                args, kwargs = ([], value) if isinstance(value, Mapping) else ([value], {})
                handle = Handle(limit)
                future = crew.submit(partial(call, args, kwargs, handle))
                work[future] = index, value, handle
                future.add_done_callback(done.put)
            if not work:
                return
            future = done.get()
            index, value, _ = work.pop(future)
            yield _result(index, value, future)
    finally:
        for _, _, handle in work.values():
            handle.cancel()
        wait(work)


def _result(index: int, value: Any, future: Future[Any]) -> MapResult:
    try:
        return MapResult(index, value, value=future.result())
    except Exception as error:  # noqa: BLE001 (it belongs to the result)
        return MapResult(index, value, error=error)


class AsyncMethods:
    """The methods of an environment as coroutines; a cancelled one cancels its call."""

    def __init__(
        self, invoke: Invoke, names: Callable[[], Mapping[str, Any]], owner: str, most: int
    ) -> None:
        """At most so many calls take a thread at once; the others wait."""
        self._invoke = invoke
        self._names = names
        self._owner = owner
        self._callers = Crew(most, f"aio-{owner}")
        self._cancellers = Crew(_CANCELLERS, f"cancel-{owner}")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        known = self._names()
        if name not in known:
            raise no_method(name, known, self._owner, loaded=True)
        return partial(self.call, name)

    async def call(
        self, name: str, /, *args: Any, _timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a method by its name; see `EnvironmentWrapper.call`."""
        handle = Handle(_timeout)
        work = partial(self._invoke, name, args, kwargs, handle)
        try:
            return await asyncio.wrap_future(self._callers.submit(work))
        except asyncio.CancelledError:
            self._cancellers.submit(handle.cancel)
            raise


_CANCELLERS = 4
