"""A plan, outcomes or objects -> what a model needs of them first, as plain values. Pure.

`reconciler.mcp_server.truncation` makes them JSON of a bounded size. Texts of manifests and live
objects are data: they stand in fields of their own, or in backticks where a sentence names them.
No secret value enters.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from reconciler.agent import Proposal
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.plan_values import names_in
from reconciler.core.resource import LiveResource, Resource, Spec, redact
from reconciler.core.review_notes import Cause, Review
from reconciler.mcp_server.truncation import Exact, Part
from reconciler.render.explain import Explanation, explanation_document
from reconciler.render.model_text import delimited
from reconciler.render.summary import apply_line, plan_line, restriction

MOST_CHANGES = 20
"""Changes that a summary names; the plan's resource holds all of them."""
_CUT = re.compile(r"\.\.\. \(\d+ more characters\)$")
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_MOST_FIELDS = 12


def shown_forms(value: Any, stated: Any) -> Iterator[str]:
    """Texts in a value that look like an answer's shortened or escaped form of the real text.

    They end like a cut text, or hold an escape that no text of `stated` has.
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


def plan_answer(plan: Plan, review: Review, *, applicable: bool) -> dict[str, Any]:
    """The summary of a plan: counts, digest, and its changes with the destroys first."""
    wanted = [change for change in plan.changes if change.action is not Action.UNCHANGED]
    wanted.sort(key=lambda change: not change.destroys)
    answer: dict[str, Any] = {
        "summary": plan_line(plan),
        "digest": plan.digest(),
        "target": plan.target,
        "stack": plan.stack,
        "unchanged": len(plan.changes) - len(wanted),
        "changes": Part(
            [
                change_answer(change, plan) | _cause(review.causes.get(change.address))
                for change in wanted
            ],
            MOST_CHANGES,
        ),
    }
    if review.note:
        answer["not_attributed"] = review.note
    if review.config_from:
        answer["configuration_of"] = review.config_from
    if review.overridden:
        answer["overridden"] = list(review.overridden)
    if plan.restricted:
        answer["restricted"] = restriction(plan)
    if plan.failures:
        answer["unread"] = Part(
            [
                {"system": item.system, "reason": item.reason, "fix": item.fix}
                for item in plan.failures
            ]
        )
    if not_ours := (*plan.detached, *plan.released):
        answer["not_ours"] = Part(
            [
                {"kind": item.kind, "name": item.name, "id": item.uid, "reason": item.reason}
                for item in not_ours
            ],
            MOST_CHANGES,
        )
    if plan.warnings:
        answer["warnings"] = Part(plan.warnings, MOST_CHANGES)
    answer["next"] = _next_step(plan, applicable=applicable)
    return answer


def _next_step(plan: Plan, *, applicable: bool) -> str:
    if plan.failures:
        return "Nothing can be applied, because a system could not be read: see `unread`."
    if not plan.pending:
        return "There is nothing to apply."
    if applicable:
        return "Show this to the person who asked. To carry out exactly this: apply_plan(digest)."
    return (
        "This server changes nothing. A person applies with: reconcile apply --apply "
        "(or starts the server with --allow-writes)."
    )


def change_answer(change: Change, plan: Plan) -> dict[str, Any]:
    """One change of a plan: where, what, which fields, and why it is refused if it is."""
    answer: dict[str, Any] = {"address": change.address, "action": change.action.value}
    if change.desired is not None and change.desired.source.file:
        answer["file"] = str(change.desired.source)
    if change.fields:
        answer["fields"] = Part([item.name for item in change.fields], _MOST_FIELDS)
    if words := change.destroys_besides:
        answer["destroys_as_well"] = words
    if change.used_by:
        answer["used_by"] = Part(change.used_by, _MOST_FIELDS)
    names = _named_by(change, plan) if change.hint or change.refusal is not None else set()
    if change.hint:
        answer["hint"] = delimited(change.hint, names)
    if change.refusal is not None:
        answer["refused"] = {
            "as": change.refusal.kind.value,
            "reason": delimited(change.refusal.reason, names),
            "fix": delimited(change.refusal.fix, names),
        }
    return answer


def _cause(cause: Cause | None) -> dict[str, Any]:
    """Whose change it is, where that was asked: the side that moved, by whom, in which commit."""
    if cause is None:
        return {}
    found: dict[str, Any] = {"origin": cause.origin.value}
    if cause.edit is not None:
        found |= {name: text for name, text in asdict(cause.edit).items() if text}
    if cause.changed_by or cause.changed_at:
        found["live_change"] = {"by": cause.changed_by, "at": cause.changed_at}
    return {"cause": found}


def _named_by(change: Change, plan: Plan, used_by: Iterable[str] = ()) -> set[str]:
    """The texts of others that sentences about a change may name."""
    names = {each for item in plan.changes for each in (item.address, item.key.address)}
    names |= {*change.used_by, *used_by, *(item.name for item in change.fields)}
    if change.live is not None:
        names |= {change.live.uid, change.live.name}
    if change.desired is not None:
        names |= {str(change.desired.source), change.desired.source.file}
        names |= {key.address for key in change.desired.depends_on}
    return names


def explanation_answer(explained: Explanation, change: Change, plan: Plan) -> dict[str, Any]:
    """An explanation, with the texts of others in its sentences delimited."""
    names = _named_by(change, plan, explained.used_by)
    document = explanation_document(explained)
    for part in ("why", "applying"):
        document[part] = [delimited(sentence, names) for sentence in document[part]]
    for field in document["fields"]:
        field["words"] = delimited(field["words"], names)
    for part in ("fields", "used_by"):
        document[part] = Part(document[part]) if document[part] else ()
    return {name: item for name, item in document.items() if item}


def outcomes_answer(plan: Plan, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What became of an applied plan; what was not applied comes first."""
    failed = [item for item in outcomes if item.status is not Status.APPLIED]
    applied = [item for item in outcomes if item.status is Status.APPLIED]
    line = apply_line(outcomes, len(plan.refused))
    answer: dict[str, Any] = {
        "summary": line if outcomes or plan.refused else "There was nothing to apply.",
        "not_applied": Part(
            [
                {
                    "address": item.change.address,
                    "status": item.status.value,
                    "reason": item.message,
                    "fix": item.fix,
                }
                for item in failed
            ]
        ),
        "applied": Part(
            [
                {"address": item.change.address, "action": item.change.action.value, "id": item.uid}
                for item in applied
            ],
            MOST_CHANGES,
        ),
    }
    if plan.refused:
        answer["refused"] = Part([change_answer(change, plan) for change in plan.refused])
    return answer


def proposal_answer(proposal: Proposal) -> dict[str, Any]:
    """A branch with one commit, and what a person does with it."""
    answer: dict[str, Any] = {
        "summary": "Proposed on a new branch. No live system and no work tree was changed.",
        "branch": proposal.branch,
        "commit": proposal.commit,
        "file": proposal.file,
        "differs": Part(proposal.addresses),
        "next": list(proposal.open_with),
    }
    if proposal.existed:
        answer["summary"] = "The very same proposal was there already."
    return answer


def desired_answer(desired: Resource, manifest: Any) -> dict[str, Any]:
    """What a manifest states: the document itself, and the form in which it is compared."""
    return {
        "file": str(desired.source),
        "manifest": Exact(manifest),
        "compared": redact(desired.spec),
        **_names(desired.spec),
    }


def object_answer(
    address: str, desired: Mapping[str, Any] | None, live: Iterable[LiveResource], stack: str
) -> dict[str, Any]:
    """Both sides of one address: what the manifest states and every live object of that name."""
    found = []
    for item in live:
        shown: dict[str, Any] = {"id": item.uid, "name": item.name, **owner_of(item, stack)}
        shown |= {"spec": redact(item.spec), **_names(item.spec)}
        if item.updated_by or item.updated_at:
            shown["last_change"] = {"by": item.updated_by, "at": item.updated_at}
        found.append(shown)
    return {"address": address, "desired": desired, "live": Part(found)}


def _names(spec: Spec) -> dict[str, Any]:
    """The names of ids, in the shape of the spec, if there are any."""
    found = names_in(spec)
    return {"names": found} if found else {}


def owner_of(live: LiveResource, stack: str) -> dict[str, str]:
    """Who owns a live object, in words of ours; `detached` says why its mark does not count."""
    if live.detached:
        return {"owner": "nobody", "detached": live.detached}
    if live.mark is None:
        return {"owner": "nobody: it has no mark of a stack"}
    if live.mark.stack == stack:
        return {"owner": f"this stack ({stack})" + (", protected" if live.mark.protect else "")}
    return {"owner": "another stack", "owner_stack": live.mark.stack}
