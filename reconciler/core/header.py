"""What a plan is about, beside its changes: target, commit, review, selection."""

from dataclasses import dataclass, field

from reconciler.core.plan import Plan
from reconciler.core.review_notes import Review
from reconciler.core.selection import Selection


@dataclass(frozen=True, slots=True)
class Header:
    """What the plan is about, in words; shown first and no part of the plan's digest.

    `inputs` are the files and directories of the repository that it is made of.
    """

    target: str
    description: str = ""
    commit: str = ""
    review: Review = field(default_factory=Review)
    offline: bool = False
    selection: Selection = field(default_factory=Selection)
    inputs: tuple[str, ...] = ()

    def is_applyable(self, plan: Plan) -> bool:
        """Whether apply would carry something of the plan out."""
        return bool(plan.pending) and not plan.failures and not self.offline
