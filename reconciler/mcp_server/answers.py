"""A plan, outcomes or objects -> the few lines a model needs first, as JSON. Pure.

Texts of manifests and live objects are data: they stand in JSON strings only, with every control,
format and separator character escaped, and long ones are cut; of long lists a part is shown, and
the rest counted. Only a manifest that is there to be altered is exact: ASCII, and as JSON escapes.
No secret value enters.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.agent import Proposal
from reconciler.apply import Outcome, Status
from reconciler.plan import Action, Change, Plan
from reconciler.render.model_text import one_line
from reconciler.render.summary import apply_line, plan_line
from reconciler.resource import LiveResource, Resource, redact

MOST_CHANGES = 20
"""Changes that a summary names; the plan's resource holds all of them."""
MOST_OBJECTS = 50
LARGEST = 16_000
"""Characters of an answer, at most."""
_LARGEST_MANIFEST = 4_000
_MOST_ITEMS = (60, 30, 15, 8, 4, 2)
"""Items of each list and mapping of an answer: the first of these with which it is small enough."""
_LONGEST_TEXT = 500
_CUT = re.compile(r"\.\.\. \(\d+ more characters\)$")
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|u\{[0-9a-f]+\})")
_EXACT = "\ue000exact\ue000"  # in no cleaned text: private characters are escaped there
_MOST_FIELDS = 12


@dataclass(frozen=True, slots=True)
class Exact:
    """A value of an answer that is to be read back without loss."""

    value: Any

    def text(self) -> str:
        """As JSON of printable ASCII alone."""
        return json.dumps(self.value, ensure_ascii=True).replace("\x7f", "\\u007f")


def as_text(answer: Mapping[str, Any]) -> str:
    """The answer as JSON whose strings are of one line each and hold nothing invisible."""
    text = ""
    for most in _MOST_ITEMS:
        exact: list[str] = []
        cleaned = {name: _clean(item, most, exact) for name, item in answer.items()}
        text = json.dumps(cleaned, ensure_ascii=False, indent=1)
        for item in exact:
            text = text.replace(f'"{_EXACT}"', item, 1)
        if len(text) <= LARGEST:
            break
    return text


def _clean(value: Any, most: int, exact: list[str]) -> Any:
    if isinstance(value, str):
        return one_line(value, _LONGEST_TEXT)
    if isinstance(value, Exact):
        exact.append(value.text())
        return _EXACT
    more = len(value) - most if isinstance(value, Mapping | list | tuple) else 0
    if isinstance(value, Mapping):
        shown = itertools.islice(value.items(), most)
        found = {one_line(name, 300): _clean(item, most, exact) for name, item in shown}
        return found | ({"...": f"{more} more"} if more > 0 else {})
    if isinstance(value, list | tuple):
        items = [_clean(item, most, exact) for item in value[:most]]
        return [*items, f"... {more} more"] if more > 0 else items
    return value


def shown_forms(value: Any, stated: Any) -> Iterator[str]:
    """The texts in a value that look like what an answer shows in place of the real text.

    They end as those do that were cut, or hold an escape that no text of `stated` has.
    """
    known = set(_texts(stated))
    for text in _texts(value):
        if text not in known and (_CUT.search(text) or _ESCAPE.search(text)):
            yield text[-60:]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def plan_answer(plan: Plan, *, uri: str, applicable: bool) -> dict[str, Any]:
    """The summary of a plan: counts, digest, and its changes with the destroys first."""
    wanted = [change for change in plan.changes if change.action is not Action.UNCHANGED]
    wanted.sort(key=lambda change: not change.destroys)
    answer: dict[str, Any] = {
        "summary": plan_line(plan),
        "digest": plan.digest(),
        "target": plan.target,
        "stack": plan.stack,
        "unchanged": len(plan.changes) - len(wanted),
        "changes": [change_answer(change) for change in wanted[:MOST_CHANGES]],
    }
    if len(wanted) > MOST_CHANGES:
        answer["not_shown"] = f"{len(wanted) - MOST_CHANGES} more changes, in {uri}"
    if plan.failures:
        answer["unread"] = [
            {"system": item.system, "reason": item.reason, "fix": item.fix}
            for item in plan.failures
        ]
    if plan.detached:
        answer["not_ours"] = [
            {"kind": item.kind, "name": item.name, "id": item.uid, "reason": item.reason}
            for item in plan.detached[:MOST_CHANGES]
        ]
        if len(plan.detached) > MOST_CHANGES:
            answer["not_ours_not_shown"] = f"{len(plan.detached) - MOST_CHANGES} more, in {uri}"
    if plan.warnings:
        answer["warnings"] = list(plan.warnings[:MOST_CHANGES])
        if len(plan.warnings) > MOST_CHANGES:
            answer["warnings_not_shown"] = f"{len(plan.warnings) - MOST_CHANGES} more, in {uri}"
    answer["next"] = _next_step(plan, applicable=applicable)
    return answer


def _next_step(plan: Plan, *, applicable: bool) -> str:
    if not plan.complete:
        return "This plan is incomplete and cannot be applied: a system could not be read."
    if not plan.pending:
        return "There is nothing to apply."
    if applicable:
        return "Show this to the person who asked. To carry out exactly this: apply_plan(digest)."
    return (
        "This server changes nothing. A person applies with: reconcile apply --apply "
        "(or starts the server with --allow-writes)."
    )


def change_answer(change: Change) -> dict[str, Any]:
    """One change: where, what, which fields, and why it is refused if it is."""
    answer: dict[str, Any] = {"address": change.address, "action": change.action.value}
    if change.desired is not None and change.desired.source.file:
        answer["file"] = str(change.desired.source)
    if change.fields:
        names = [item.name for item in change.fields]
        answer["fields"] = names[:_MOST_FIELDS]
        if len(names) > _MOST_FIELDS:
            answer["more_fields"] = len(names) - _MOST_FIELDS
    if change.used_by:
        answer["used_by"] = list(change.used_by[:_MOST_FIELDS])
    if change.refusal is not None:
        answer["refused"] = {
            "as": change.refusal.kind.value,
            "reason": change.refusal.reason,
            "fix": change.refusal.fix,
        }
    return answer


def outcomes_answer(plan: Plan, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What became of an applied plan; what was not applied comes first and in full."""
    failed = [item for item in outcomes if item.status is not Status.APPLIED]
    applied = [item for item in outcomes if item.status is Status.APPLIED]
    line = apply_line(outcomes, len(plan.refused))
    answer: dict[str, Any] = {
        "summary": line if outcomes or plan.refused else "There was nothing to apply.",
        "not_applied": [
            {
                "address": item.change.address,
                "status": item.status.value,
                "reason": item.message,
                "fix": item.fix,
            }
            for item in failed
        ],
        "applied": [
            {"address": item.change.address, "action": item.change.action.value, "id": item.uid}
            for item in applied[:MOST_CHANGES]
        ],
    }
    if len(applied) > MOST_CHANGES:
        answer["not_shown"] = f"{len(applied) - MOST_CHANGES} more that were applied"
    if plan.refused:
        answer["refused"] = [change_answer(change) for change in plan.refused]
    return answer


def proposal_answer(proposal: Proposal) -> dict[str, Any]:
    """A branch with one commit, and what a person does with it."""
    answer: dict[str, Any] = {
        "summary": "Proposed on a new branch. No live system and no work tree was changed.",
        "branch": proposal.branch,
        "commit": proposal.commit,
        "file": proposal.file,
        "differs": list(proposal.addresses),
        "next": list(proposal.open_with),
    }
    if proposal.existed:
        answer["summary"] = "The very same proposal was there already."
    return answer


def desired_answer(desired: Resource, manifest: Any) -> dict[str, Any]:
    """What a manifest states: the document itself, and the form in which it is compared."""
    exact = Exact(manifest)
    answer: dict[str, Any] = {"file": str(desired.source), "manifest": exact}
    if (size := len(exact.text())) > _LARGEST_MANIFEST:
        answer["manifest"] = None
        answer["manifest_left_out"] = f"it has {size} characters: a person edits the file itself"
    return {**answer, "compared": redact(desired.spec)}


def object_answer(
    address: str, desired: Mapping[str, Any] | None, live: Iterable[LiveResource], stack: str
) -> dict[str, Any]:
    """Both sides of one address: what the manifest states and every live object of that name."""
    answer: dict[str, Any] = {"address": address, "desired": desired, "live": []}
    for item in live:
        found: dict[str, Any] = {
            "id": item.uid,
            "name": item.name,
            "owner": owner_of(item, stack),
            "spec": redact(item.spec),
        }
        if item.updated_by or item.updated_at:
            found["last_change"] = {"by": item.updated_by, "at": item.updated_at}
        answer["live"].append(found)
    return answer


def owner_of(live: LiveResource, stack: str) -> str:
    """Who owns a live object, in words."""
    if live.detached:
        return f"nobody: {live.detached}"
    if live.mark is None:
        return "nobody: it has no mark of a stack"
    if live.mark.stack == stack:
        return f"this stack ({stack})" + (", protected" if live.mark.protect else "")
    return f"stack {live.mark.stack}"
