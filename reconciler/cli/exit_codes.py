"""Exit codes: stable, documented in the README, and ordered where several hold."""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says when it ends."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    STALE = 3
    REFUSED = 4
    PARTIAL = 5


_PRECEDENCE = (
    ExitCode.ERROR,
    ExitCode.STALE,
    ExitCode.REFUSED,
    ExitCode.PARTIAL,
    ExitCode.CHANGES,
    ExitCode.OK,
)


def strongest(codes: Iterable[ExitCode]) -> ExitCode:
    """The one of several exit codes that wins: 1, 3, 4, 5, 2, 0 in this order."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.OK)
