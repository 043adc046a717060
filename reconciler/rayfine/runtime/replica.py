"""The contract between an environment and whatever runs it: a container, or an agent elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from reconciler.errors import RayfineError
from reconciler.rayfine.runtime.client import AgentClient


class Replica(ABC):
    """One agent with one env.py. `name` is unique among the active ones."""

    name: str
    client: AgentClient

    @abstractmethod
    def hide(self, redact: Callable[[str], str]) -> None:
        """Let this function take the secrets out of whatever `explain` quotes."""

    @abstractmethod
    def explain(self, error: Exception) -> RayfineError:
        """Why a connection was lost: exit code, memory, last lines of output, at once."""

    @abstractmethod
    def remove(self) -> None:
        """End it and leave nothing behind. May be called again."""


Start = Callable[[], Sequence[Replica]]
"""Starts every replica and waits until all are ready, or leaves none behind and raises."""
