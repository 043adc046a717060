"""A guarded plan with all that it came from: what every front door shows and applies. Pure."""

from dataclasses import dataclass, replace
from typing import Any, Self

from reconciler.core.guards import Approval
from reconciler.core.header import Header
from reconciler.core.plan import Plan
from reconciler.core.planner import PlanInput


@dataclass(frozen=True, slots=True)
class Planned:
    """A guarded plan, with all that it came from.

    `world` is what was read, and `whole` the plan of all of it, before anything was chosen or
    judged. `plan` holds the chosen changes, guarded with `approval`. `header` says what the plan is
    about, and what is known of its changes beside it.
    """

    world: PlanInput
    whole: Plan
    plan: Plan
    approval: Approval
    header: Header

    def with_review(self, **known: Any) -> Self:
        """The same plan, with these fields of its `Review`."""
        review = replace(self.header.review, **known)
        return replace(self, header=replace(self.header, review=review))
