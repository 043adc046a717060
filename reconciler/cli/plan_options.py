"""What the options of `plan` and `apply` add up to."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.formats import Output
from reconciler.cli.place import Globals
from reconciler.core.guards import Approval
from reconciler.core.selection import Selection

if TYPE_CHECKING:
    from reconciler.render.events import EventStream


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What `plan` and `apply` have in common.

    `targets` holds every `--target`, `target` the first one, None for the default. Where
    `events` is set, standard output is that stream.
    """

    place: Globals
    target: str | None
    selection: Selection
    approval: Approval
    parallelism: int
    outputs: tuple[Output, ...]
    detailed_exitcode: bool
    targets: tuple[str, ...] = ()
    config_from: str | None = None
    events: "EventStream | None" = None
    allow_from_commit: bool = False
    messages: Path | None = None
    repo: str | None = None
    ref: str | None = None
