"""What a reviewer is told beside the plan itself: whose change it is, and what is new. Pure values.

Nothing of it is part of the plan's digest: the same plan is the same plan, whoever asked for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Origin(StrEnum):
    """Which side moved since the base that a review compares with.

    `PENDING`: the base states it already, by a commit that was never applied. `AHEAD`: the live
    object was written from a commit that HEAD does not contain.
    """

    BRANCH = "branch"
    DRIFT = "drift"
    BOTH = "both"
    PENDING = "pending"
    AHEAD = "ahead"

    @property
    def is_of_branch(self) -> bool:
        """Whether the branch has anything to do with it."""
        return self in (Origin.BRANCH, Origin.BOTH)


@dataclass(frozen=True, slots=True)
class Edit:
    """The newest commit of the branch that changed what a manifest says.

    Its `commit` is empty if that is not committed yet.
    """

    commit: str
    author: str
    when: str
    subject: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a change is in the plan.

    `edit` is absent for drift, and where Git knows nothing of what changed. `changed_by` and
    `changed_at` (ISO 8601) say who touched the live object last, where the system tells.
    """

    origin: Origin
    edit: Edit | None = None
    changed_by: str = ""
    changed_at: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """What is known about a plan's changes from Git and from an earlier plan.

    `since` is the base as it was asked for, empty if nothing was compared; then `causes` holds one
    entry per address that changes. `dirty` tells of uncommitted files that the plan was made from.
    `reviewed` is the digest of the plan that was approved; with it, `news` says per address what is
    new since then, in words; an address that is not in the plan any more may be among them.
    `differs` tells a plan of another digest, also where nothing is known of single addresses.
    `compared` says that an approved plan itself was at hand, not just its digest. `note` says why
    causes are missing. With `config_from`, targets, stack, `env_allow` and guards are those of that
    ref, and `overridden` names the ones that the work tree states differently. `allowances` says,
    one line each, what trailers of commits allowed, or why they allow nothing. `uncompared` says
    why an approved plan could not be compared with.
    """

    since: str = ""
    dirty: bool = False
    causes: Mapping[str, Cause] = field(default_factory=dict)
    reviewed: str = ""
    differs: bool = False
    compared: bool = False
    news: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    config_from: str = ""
    overridden: tuple[str, ...] = ()
    allowances: tuple[str, ...] = ()
    uncompared: str = ""
