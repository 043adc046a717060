"""Many calls side by side: `map` with results as they come, and methods as coroutines."""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from reconciler.rayfine.runtime.handle import Handle
from reconciler.rayfine.runtime.outcome import no_method

if TYPE_CHECKING:
    from reconciler.rayfine.runtime.environment import EnvironmentWrapper


@dataclass(frozen=True, slots=True)
class MapResult:
    """The result of one input: its number from 0, the input, and a value or an error."""

    index: int
    input: Any
    value: Any = None
    error: Exception | None = None


def map_calls(
    env: "EnvironmentWrapper", name: str, inputs: Iterable[Any], count: int, limit: float | None
) -> Iterator[MapResult]:
    """Run `count` calls side by side. Ended early, it cancels what is under way."""
    results: queue.SimpleQueue[MapResult] = queue.SimpleQueue()
    source = enumerate(inputs)
    handles: dict[int, Handle] = {}
    running = 0

    def run(index: int, value: Any, handle: Handle) -> None:
        results.put(_one(env, name, index, value, handle))

    with ThreadPoolExecutor(count, thread_name_prefix=f"map-{env.id}") as pool:
        try:
            while True:
                while running < count and (item := next(source, None)) is not None:
                    handle = Handle(limit)
                    handles[item[0]] = handle
                    pool.submit(run, *item, handle)
                    running += 1
                if not running:
                    return
                result = results.get()
                running -= 1
                del handles[result.index]
                yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for handle in handles.values():
                handle.cancel()


def _one(env: "EnvironmentWrapper", name: str, index: int, value: Any, handle: Handle) -> MapResult:
    args, kwargs = ([], value) if isinstance(value, Mapping) else ([value], {})
    try:
        found = env._invoke(name, args, kwargs, handle)  # noqa: SLF001 (one class in two files)
    except Exception as error:  # noqa: BLE001 (it belongs to the result)
        return MapResult(index, value, error=error)
    return MapResult(index, value, value=found)


class AsyncMethods:
    """The methods of an environment as coroutines; a cancelled one cancels its call."""

    def __init__(self, env: "EnvironmentWrapper", names: Callable[[], Mapping[str, Any]]) -> None:
        self._env = env
        self._names = names

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        known = self._names()
        if name not in known:
            raise no_method(name, known, self._env.id, loaded=True)
        return partial(self.call, name)

    async def call(
        self, name: str, /, *args: Any, _timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a method by its name; see `EnvironmentWrapper.call`."""
        handle = Handle(_timeout)
        work = partial(self._env._invoke, name, args, kwargs, handle)  # noqa: SLF001
        try:
            return await _in_thread(work)
        except asyncio.CancelledError:
            threading.Thread(target=handle.cancel, daemon=True).start()
            raise


async def _in_thread(work: Callable[[], Any]) -> Any:
    """Run in a thread of its own: the loop's executor would let only a few calls run."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except BaseException as raised:  # noqa: BLE001 (it goes to whoever awaits)
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True).start()
    return await future
