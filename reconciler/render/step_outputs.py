"""A plan -> the outputs of a step, in the form of a GitHub runner's output file."""

import secrets
from collections.abc import Mapping, Sequence

from reconciler.core.header import Header
from reconciler.core.plan import Plan
from reconciler.errors import ReconcileError, problems_of
from reconciler.render.summary import count, is_complete, is_made, plan_line, restriction
from reconciler.support.printable import printable


def plan_outputs(plan: Plan, header: Header) -> dict[str, str]:
    """What a workflow decides by: counts as decimal numbers, conditions as `true` or `false`.

    Without a plan the counts are empty.
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
        "failure-reason": first_of(_failures(plan)),
    }


def error_outputs(error: ReconcileError) -> dict[str, str]:
    """The outputs of a command that has no plan, or did not apply the one that was approved."""
    found = [str(problem).split("\n", 1)[0] for problem in problems_of(error)]
    return {"errored": "true", "failure-reason": first_of(found)}


def _failures(plan: Plan) -> list[str]:
    """Why the plan is no success: what could not be read, else what is refused."""
    unread = [f"cannot read the {item.system}: {item.reason}" for item in plan.failures]
    return unread or refusals(plan)


def refusals(plan: Plan) -> list[str]:
    """Each refused change with its reason."""
    return [
        f"{change.address} {change.refusal.kind.value}: {change.refusal.reason}"
        for change in plan.refused
        if change.refusal is not None
    ]


def first_of(reasons: Sequence[str]) -> str:
    """The first reason, and how many more there are; empty if there is none."""
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{reasons[0]}{more}" if reasons else ""


def render_outputs(values: Mapping[str, str]) -> str:
    """`NAME<<DELIMITER`, the value, DELIMITER: the runner's format for output files.

    The delimiter is random, so no value can hold it. Control characters are escaped, so each value
    is one line.
    """
    delimiter = f"reconcile_{secrets.token_hex(16)}"
    return "".join(
        f"{name}<<{delimiter}\n{printable(text)}\n{delimiter}\n" for name, text in values.items()
    )


def _truth(value: object) -> str:
    return "true" if value else "false"
