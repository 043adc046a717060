"""What actions are called, and the summary lines of a plan and of an apply: Terraform's words."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Action, Change, Plan, RefusalKind, Unmanaged


class Words(NamedTuple):
    symbol: str
    legend: str
    participle: str
    doing: str
    done: str


WORDS = {
    Action.CREATE: Words("+", "create", "created", "Creating", "Creation"),
    Action.UPDATE: Words("~", "update in-place", "updated in-place", "Modifying", "Modifications"),
    Action.DELETE: Words("-", "destroy", "destroyed", "Destroying", "Destruction"),
    Action.REPLACE: Words(
        "+/-", "create replacement and then destroy", "replaced", "Replacing", "Replacement"
    ),
    Action.ADOPT: Words(" ", "", "imported", "Importing", "Import"),
    Action.UNCHANGED: Words("", "", "unchanged", "Reading", "Read"),
}
NO_CHANGES = "No changes. Your infrastructure matches the configuration."
NO_CHANGES_IN_PART = "No changes. What was looked at matches the configuration."


DELETE_FIRST = Words(
    "-/+", "destroy and then create replacement", "replaced", "Replacing", "Replacement"
)
"""Of a replacement whose old object goes before the new one comes."""


def words_of(change: Change) -> Words:
    """What a change is called."""
    return DELETE_FIRST if change.deletes_first else WORDS[change.action]


def planned_words(change: Change) -> str:
    """`will be created`; of a refused change `blocked: would be created`."""
    participle = WORDS[change.action].participle
    if change.refusal is not None:
        return f"{change.refusal.kind.value}: would be {participle}"
    if change.action is Action.ADOPT and change.fields:
        return "will be imported and updated in-place"
    return f"{'must' if change.action is Action.REPLACE else 'will'} be {participle}"


@dataclass(frozen=True, slots=True)
class Counts:
    """What changes add up to: a replacement is one add and one destroy; refused ones are apart."""

    imports: int = 0
    adds: int = 0
    changes: int = 0
    destroys: int = 0
    unchanged: int = 0
    blocked: int = 0
    conflicts: int = 0


def count(changes: Iterable[Change]) -> Counts:
    tally = dict.fromkeys(("imports", "adds", "changes", "destroys", "unchanged"), 0)
    refused = dict.fromkeys(RefusalKind, 0)
    for change in changes:
        if change.refusal is not None:
            refused[change.refusal.kind] += 1
            continue
        for name in _COUNTED[change.action]:
            tally[name] += 1
        if change.action is Action.ADOPT and change.fields:
            tally["changes"] += 1
    return Counts(
        **tally, blocked=refused[RefusalKind.BLOCKED], conflicts=refused[RefusalKind.CONFLICT]
    )


_COUNTED: dict[Action, tuple[str, ...]] = {
    Action.CREATE: ("adds",),
    Action.UPDATE: ("changes",),
    Action.REPLACE: ("adds", "destroys"),
    Action.DELETE: ("destroys",),
    Action.ADOPT: ("imports",),
    Action.UNCHANGED: ("unchanged",),
}


def is_complete(plan: Plan) -> bool:
    """Terraform's word: whether, once it is applied, everything is as the manifests state."""
    return not (plan.failures or plan.refused or plan.restricted)


def is_made(plan: Plan) -> bool:
    """Whether there is a plan. If a system could not be read, only what others hold makes one."""
    return bool(not plan.failures or plan.pending)


def plan_line(plan: Plan) -> str:
    """`Plan: 2 to add, 1 to change, 0 to destroy.`, or that there is nothing to do, or no plan.

    It holds no data: every format may print it as it is.
    """
    if not is_made(plan):
        return f"No plan: the {_unread(plan)} could not be read."
    if not (plan.pending or plan.refused):
        return NO_CHANGES_IN_PART if plan.restricted else NO_CHANGES
    counts = count(plan.changes)
    imports = f"{counts.imports} to import, " if counts.imports else ""
    numbers = (
        f"{imports}{counts.adds} to add, {counts.changes} to change, {counts.destroys} to destroy."
    )
    if plan.failures:
        return f"Incomplete plan: {numbers} The {_unread(plan)} could not be read."
    return f"Plan: {numbers}"


def _unread(plan: Plan) -> str:
    """The systems that could not be read. Those of a saved plan are data, and may be anything."""
    names = sorted({failure.system for failure in plan.failures})
    if all(_WORDS.fullmatch(name) for name in names):
        return " and the ".join(names)
    return "live system" if len(names) == 1 else "live systems"


_WORDS = re.compile(r"[A-Za-z]{1,20}(?::?[A-Za-z]{1,20})?(?: [A-Za-z]{1,20}){0,4}")


def restriction(plan: Plan) -> str:
    """What the plan was restricted to, with the patterns as they were given; empty if nothing."""
    if not plan.restricted:
        return ""
    return f"Restricted to {', and of that '.join(plan.restricted)}; {plan.left_out} not looked at."


def plan_details(plan: Plan, place: str = " (see above)") -> list[str]:
    """The lines below the summary: unchanged, refused; `place` says where their reasons are."""
    counts = count(plan.changes)
    lines = []
    if counts.unchanged:
        lines.append(f"{counts.unchanged} unchanged.")
    if plan.unowned:
        belong = "live object belongs" if plan.unowned == 1 else "live objects belong"
        lines.append(f"{plan.unowned} {belong} to no stack: reconcile export")
    refused = []
    if counts.blocked:
        refused.append(f"{counts.blocked} blocked")
    if counts.conflicts:
        refused.append(f"{counts.conflicts} in conflict")
    if refused:
        lines.append(f"{', '.join(refused)}: not applied until cleared{place}.")
    return lines


def listings(plan: Plan) -> list[tuple[str, Sequence[Unmanaged]]]:
    """Live objects that are never changed, by why they are listed; what is empty is left out."""
    found = (
        ("Detached: marked, but not ours", plan.detached),
        ("Released: no manifest states them any more", plan.released),
    )
    return [(title, items) for title, items in found if items]


def alert_words(plan: Plan) -> list[str]:
    """What a reviewer must not overlook, in sentences without data: destroys and refusals."""
    words = []
    destroys = sum(change.destroys for change in plan.pending)
    if destroys:
        words.append(f"{destroys} {'object' if destroys == 1 else 'objects'} will be destroyed.")
    if plan.refused:
        count = len(plan.refused)
        words.append(f"{count} {'change is' if count == 1 else 'changes are'} refused.")
    return words


_ENDS = {
    "applied": "applied",
    "written": "written and not confirmed",
    "unknown": "unknown",
    "failed": "failed",
    "not_sent": "not sent",
}


def count_ends(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many changes ended how: each is counted once, those that were never sent as one sort."""
    found = dict.fromkeys(_ENDS, 0)
    for outcome in outcomes:
        unsent = outcome.status in (Status.NOT_ATTEMPTED, Status.SKIPPED_DEPENDENCY)
        found["not_sent" if unsent else outcome.status.value] += 1
    return found


def apply_line(outcomes: Sequence[Outcome], refused: int) -> str:
    """`Apply complete! Resources: 2 added, 1 changed, 0 destroyed.`, or what is missing to it.

    `refused` is how many changes of the plan were refused, and so not begun.
    """
    counts = count(item.change for item in outcomes if item.status is Status.APPLIED)
    imports = f"{counts.imports} imported, " if counts.imports else ""
    resources = (
        f"Resources: {imports}{counts.adds} added, {counts.changes} changed, "
        f"{counts.destroys} destroyed."
    )
    ends = count_ends(outcomes)
    applied = ends.pop("applied")
    missing = [f"{number} {_ENDS[name]}" for name, number in ends.items() if number]
    if missing:
        missing.insert(0, f"{applied} of {len(outcomes)} changes applied")
    missing += [f"{refused} refused"] if refused else []
    if missing:
        return f"Apply incomplete: {', '.join(missing)}. {resources}"
    return f"Apply complete! {resources}"
