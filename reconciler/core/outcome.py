"""What became of a change: a value, made by apply and shown by every output."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.plan import Change


class Status(StrEnum):
    """What became of one change."""

    APPLIED = "applied"
    WRITTEN = "written"
    FAILED = "failed"
    SKIPPED_DEPENDENCY = "skipped_dependency"
    NOT_ATTEMPTED = "not_attempted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one change. `seconds` is how long it took until it was confirmed; `uid` its id.

    `sent`: the live system took the write, or may have taken it, whatever came of it.
    """

    change: Change
    status: Status
    message: str = ""
    fix: str = ""
    uid: str = ""
    seconds: float = 0.0
    sent: bool = False
