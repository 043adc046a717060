"""The contract between an environment and whatever runs it: a container, or an agent elsewhere.

And what is the same for all: which of them takes the next call, and why one does not answer.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from reconciler.errors import RayfineError
from reconciler.rayfine.forks import anew_after_fork
from reconciler.rayfine.in_container.faults import LEASE_ENDED
from reconciler.rayfine.runtime.agent_client import AgentClient
from reconciler.rayfine.runtime.crew import all_errors
from reconciler.rayfine.runtime.errors import CallLostError, EnvironmentEndedError

LINES = 12
"""Of a container's output."""

_LONGEST_LINE = 300
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class LastWords:
    """Why an agent does not answer. `output` is its container's as it is, secrets and all."""

    what: str
    where: str
    fix: str
    output: str = ""

    def as_error(self, redact: Callable[[str], str]) -> EnvironmentEndedError:
        """As an error that quotes the end of the output.

        Lines are cut when no secret is in them any more: of one that is cut the rest stays.
        """
        lines = redact(self.output).splitlines()[-LINES:]
        quoted = "".join(f"    {line[:_LONGEST_LINE]}\n" for line in lines)
        output = f"the last lines of its output:\n{quoted}  " if lines else ""
        return EnvironmentEndedError(self.what, where=self.where, fix=f"{output}{self.fix}")


def cause_of(state: Mapping[str, Any] | None) -> tuple[str, str]:
    """Why a container ended, and what to do; empty if it runs."""
    again = "load the environment again"
    if state is None:
        return "the container was removed", again
    if state.get("Unknown"):
        return "the Docker engine does not answer", "see whether Docker runs"
    if state.get("Paused"):
        return "the container is paused", "unpause it: docker unpause"
    if state.get("Running"):
        return "", again
    return _cause_of_end(state, again)


def _cause_of_end(state: Mapping[str, Any], again: str) -> tuple[str, str]:
    code = state.get("ExitCode")
    if state.get("OOMKilled"):
        return (
            f"the container ran out of memory (exit code {code})",
            "load it with more: load_env(..., memory='4g')",
        )
    if code == 127:  # docker-init found nothing to run
        return "there is no python3 in the image", "use a base image with Python 3.8 or later"
    if code == LEASE_ENDED:
        return "the container ended: this process sent no heartbeat for too long", again
    if code == 137:
        return "the container was killed (exit code 137)", again
    return f"the container ended with exit code {code}", again


class Replica(ABC):
    """One agent with one env.py. `name` is unique among the active ones."""

    name: str
    client: AgentClient

    @abstractmethod
    def hide(self, variables: Mapping[str, str]) -> None:
        """From now on `explain` quotes none of their values either."""

    def diagnose(self, error: Exception) -> RayfineError:
        """Why a connection was lost: first its agent is asked, which may know, or be all right."""
        found = self.client.probe()
        if found is None:
            return self.explain(error)
        if found.get("state") == "ended":
            return EnvironmentEndedError(
                str(found.get("fault")), where=self.name, fix="call setup again"
            )
        return CallLostError(
            f"the connection was lost before the answer came: {error}",
            where=self.name,
            fix="the environment goes on, and what was called may have run: see whether it may run "
            "twice, then call it again",
        )

    @abstractmethod
    def explain(self, error: Exception) -> RayfineError:
        """Why its agent does not answer: exit code, memory, last lines of output, at once."""

    @abstractmethod
    def remove(self) -> None:
        """End it and leave nothing behind. May be called again."""


class Seat:
    """A replica and how busy it is."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.busy = 0
        self.taken_as = 0
        self.lost = False

    def diagnose(self, error: Exception) -> RayfineError:
        """Why the connection was lost. A replica that is gone is called only if all are."""
        found = self.replica.diagnose(error)
        self.lost = not isinstance(found, CallLostError)
        return found


class Dispatcher:
    """The replicas of one environment: the least busy takes the next call, or the longest idle."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.all = tuple(seats)
        self._lock = threading.Lock()
        self._calls = 0
        anew_after_fork(self)

    def after_fork(self) -> None:
        """The calls under way are the parent's."""
        self._lock = threading.Lock()
        for seat in self.all:
            seat.busy = 0

    @contextmanager
    def taken(self) -> Iterator[Seat]:
        """A replica for one call. Lost ones only if there are no others: they say what happened."""
        with self._lock:
            seat = min(self.all, key=lambda item: (item.lost, item.busy, item.taken_as))
            seat.busy += 1
            self._calls += 1
            seat.taken_as = self._calls
        try:
            yield seat
        finally:
            with self._lock:
                seat.busy -= 1


Started = TypeVar("Started", bound=Replica)


def start_together(starts: Sequence[Callable[[], Started]]) -> list[Started]:
    """Start all of them, side by side; if one fails, those that did start are removed."""
    with ThreadPoolExecutor(min(len(starts), _AT_ONCE)) as pool:
        work = [pool.submit(start) for start in starts]
        try:
            return [item.result() for item in work]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            started = [item for item in work if not item.cancelled() and not item.exception()]
            all_errors([item.result().remove for item in started])
            raise
