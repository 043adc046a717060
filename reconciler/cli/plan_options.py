"""What the options of `plan` and `apply` add up to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.cli.formats import Output
from reconciler.cli.place import Globals
from reconciler.workflow.plan_request import PlanRequest

if TYPE_CHECKING:
    from reconciler.render.events import EventStream


@dataclass(frozen=True, slots=True)
class PlanOptions(PlanRequest):
    """What `plan` and `apply` have in common.

    `targets` holds every `--target`, `target` the first one, None for the default. Where
    `events` is set, standard output is that stream.
    """

    place: Globals
    outputs: tuple[Output, ...] = ()
    detailed_exitcode: bool = False
    targets: tuple[str, ...] = ()
    events: "EventStream | None" = None
