"""The contract between an environment and whatever runs it: a container, or an agent elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from reconciler.errors import RayfineError
from reconciler.rayfine.runtime.client import AgentClient
from reconciler.rayfine.runtime.errors import CallLostError, EnvironmentEndedError


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


Start = Callable[[], Sequence[Replica]]
"""Starts every replica and waits until all are ready, or leaves none behind and raises."""
