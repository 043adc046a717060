"""What the engine says of a container's state -> why its agent does not answer, in words. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.rayfine.runtime.errors import EnvironmentEndedError

LINES = 12
"""Of a container's output."""

_LONGEST_LINE = 300

LEASE_ENDED = 76
"""Exit code of an agent that nobody asked for too long, see `agent.server`."""


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
