"""A plan -> the outputs of a step, in the form of a GitHub runner's output file."""

import secrets
from collections.abc import Mapping

from reconciler.plan import Plan
from reconciler.render.escape import printable
from reconciler.render.summary import count, is_complete, is_made, plan_line, restriction
from reconciler.render.text import Header


def plan_outputs(plan: Plan, header: Header) -> dict[str, str]:
    """What a workflow decides by. Counts are decimal numbers, conditions `true` or `false`.

    Without a plan the counts are empty: nobody knows what would be done.
    """
    counts = count(plan.changes)
    numbers = {
        "changes": len(plan.pending),
        "imports": counts.imports,
        "adds": counts.adds,
        "updates": counts.changes,
        "deletes": counts.destroys,
        "unchanged": counts.unchanged,
        "refused": len(plan.refused),
    }
    made = is_made(plan)
    return {
        **{name: str(number) if made else "" for name, number in numbers.items()},
        "complete": _truth(is_complete(plan)),
        "applyable": _truth(header.is_applyable(plan)),
        "errored": _truth(plan.failures),
        "digest": plan.digest(),
        "target": plan.target,
        "stack": plan.stack,
        "summary": plan_line(plan),
        "restricted": restriction(plan),
    }


def render_outputs(values: Mapping[str, str]) -> str:
    """`NAME<<DELIMITER`, the value, DELIMITER; nobody who writes a value can know the delimiter.

    Control characters of a value are escaped: each is one line.

    The form is that of the runner's file commands (FileCommandManager.cs of actions/runner).
    """
    delimiter = f"reconcile_{secrets.token_hex(16)}"
    return "".join(
        f"{name}<<{delimiter}\n{printable(text)}\n{delimiter}\n" for name, text in values.items()
    )


def _truth(value: object) -> str:
    return "true" if value else "false"
