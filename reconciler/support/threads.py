"""Runs independent tasks, many at a time: the protocol and its implementation on threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Executor(Protocol):
    """Runs tasks that do not depend on one another. A task must not raise."""

    def run(self, tasks: Sequence[Callable[[], Result]]) -> Iterator[tuple[int, Result]]:
        """Yield (index of the task, its result) as results come, every task exactly once."""
        ...


class ThreadExecutor:
    """At most `parallelism` tasks at a time, each on a thread of this process.

    If the consumer is interrupted, tasks that have not begun are dropped, and running ones are not
    waited for.
    """

    def __init__(self, parallelism: int) -> None:
        self.parallelism = parallelism

    def run(self, tasks: Sequence[Callable[[], Result]]) -> Iterator[tuple[int, Result]]:
        if len(tasks) == 1:
            yield 0, tasks[0]()
            return
        workers = max(1, min(self.parallelism, len(tasks)))
        pool = ThreadPoolExecutor(workers, thread_name_prefix="reconcile")
        try:
            futures = {pool.submit(task): index for index, task in enumerate(tasks)}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
