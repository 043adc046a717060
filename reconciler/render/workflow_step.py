"""A plan, or problems -> what a GitHub runner reads: annotations on files, and outputs of a step.

A runner shows ten annotations of a level per step and drops the rest silently: the most important
come first, and the tenth says how many are left out.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.header import Header
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.review_notes import Origin
from reconciler.errors import Problem, ReconcileError, problems_of
from reconciler.render.escape import visible
from reconciler.render.review_words import change_words
from reconciler.render.summary import (
    count,
    is_complete,
    is_made,
    plan_details,
    plan_line,
    planned_words,
    restriction,
)
from reconciler.support.printable import printable

MOST_OF_A_LEVEL = 10
_MOST_CHARACTERS = 2000
_LEVELS = ("error", "warning", "notice")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A message for people; `file` (relative to the repository), `line`, `column` if known.

    `message` has one line per item, and may hold data.
    """

    level: str
    title: str
    message: tuple[str, ...]
    file: str = ""
    line: int = 0
    column: int = 0


def plan_annotations(plan: Plan, header: Header) -> Iterator[Annotation]:
    """Errors: what could not be read or is refused. Warnings: what will be destroyed.

    A change that is refused on the base of `--since` as well is a warning.
    """
    for failure in plan.failures:
        yield Annotation(
            "error", f"cannot read the {failure.system}", (failure.reason, failure.fix)
        )
    yield from refused_annotations(plan, header)
    going = [change for change in plan.pending if change.destroys]
    for change in sorted(going, key=lambda item: item.action is not Action.DELETE):
        head = f"{change.address} {planned_words(change)}"
        words = change.destroys_besides
        besides = (f"destroys {words} as well",) if words else ()
        users = tuple(f"used by {user}" for user in change.used_by)
        yield _of_change("warning", change, header, (head, *besides, *users))
    place = f"{header.target}, stack {plan.stack}"
    lines = (plan_line(plan), *plan_details(plan, ""), restriction(plan))
    yield Annotation("notice", f"Plan for {place}", tuple(line for line in lines if line))


def refused_annotations(plan: Plan, header: Header) -> Iterator[Annotation]:
    """What is refused, destroys first."""
    for change in sorted(plan.refused, key=lambda item: not item.destroys):
        refusal = change.refusal
        assert refusal is not None
        head = f"{change.address} {planned_words(change)}"
        level = "warning" if _is_older(change, header) else "error"
        yield _of_change(level, change, header, (head, refusal.reason, refusal.fix))


def problem_annotations(
    problems: Iterable[Problem], title: str = "no plan"
) -> Iterator[Annotation]:
    """One error for each problem, on its line and column; the title is for those of no file."""
    for item in problems:
        yield Annotation(
            "error",
            "invalid manifest" if item.file else title,
            (*item.message.split("\n"), item.fix),
            item.file,
            item.line,
            item.column,
        )


def render_annotations(annotations: Iterable[Annotation], directory: str = "") -> str:
    """One workflow command a line. `directory` leads from the repository's root to the files."""
    stated = list(annotations)
    lines = []
    for level in _LEVELS:
        found = [item for item in stated if item.level == level]
        lines += [_command(item, directory) for item in _first(found, level)]
    return "".join(f"{line}\n" for line in lines)


def _first(found: Sequence[Annotation], level: str) -> list[Annotation]:
    if len(found) <= MOST_OF_A_LEVEL:
        return list(found)
    more = len(found) - MOST_OF_A_LEVEL + 1
    plural = "" if more == 1 else "s"
    rest = Annotation(level, f"{more} more {level}{plural}", ("see the plan for all of them",))
    return [*found[: MOST_OF_A_LEVEL - 1], rest]


def _of_change(level: str, change: Change, header: Header, message: tuple[str, ...]) -> Annotation:
    file, line = place_of(change, header)
    words = tuple(change_words(change, header.review))
    return Annotation(level, change.address, (*message, *words), file, line)


def _is_older(change: Change, header: Header) -> bool:
    cause = header.review.causes.get(change.address)
    return cause is not None and not cause.origin.is_of_branch


def place_of(change: Change, header: Header) -> tuple[str, int]:
    """The line of the manifest; without a manifest, the file that it was removed from."""
    if change.desired is not None:
        return change.desired.source
    cause = header.review.causes.get(change.address)
    if cause is None or cause.origin is Origin.DRIFT or cause.edit is None:
        return "", 0
    return cause.edit.file, cause.edit.line


def _command(item: Annotation, directory: str) -> str:
    properties = []
    if item.file:
        path = f"{directory}/{item.file}" if directory else item.file
        properties.append(("file", path))
        properties += [("line", str(item.line))] if item.line else []
        properties += [("col", str(item.column))] if item.line and item.column else []
    properties.append(("title", visible(item.title, 200)))
    listing = ",".join(f"{name}={_property(value)}" for name, value in properties)
    message = [visible(line, _MOST_CHARACTERS) for line in item.message if line]
    return f"::{item.level} {listing}::{_data(chr(10).join(message))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """The path, without characters that would end the property or confuse a screen."""
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")


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
