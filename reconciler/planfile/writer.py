"""A plan -> JSON with Terraform's field names, so that consumers of `terraform show -json` work.

What Terraform has no name for stands under the one key `reconciler`. The published JSON Schema is
`docs/schema/plan.schema.json`. No secret value enters: it is null, and named in `*_sensitive`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reconciler.core.diff import FieldChange
from reconciler.core.header import Header
from reconciler.core.plan import (
    DOCUMENT_DIGEST,
    PLAN_FORMAT,
    Action,
    Change,
    Plan,
    PlanRow,
    Unmanaged,
    digest_document,
)
from reconciler.core.plan_values import (
    after,
    before,
    is_protected,
    names_in,
    planned,
    references_in,
    secrets_in,
    unknown_in,
)
from reconciler.core.references import references
from reconciler.core.resource import SENSITIVE, redact
from reconciler.core.review_notes import Review
from reconciler.planfile.review import cause_json, review_json
from reconciler.render.escape import json_line
from reconciler.render.summary import count, is_complete, is_made
from reconciler.render.terraform import (
    FORMAT_OF,
    configuration,
    identity,
    planned_values,
    prior_state,
)

_ACTIONS = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.REPLACE: ["create", "delete"],
    Action.DELETE: ["delete"],
    Action.ADOPT: ["no-op"],
    Action.UNCHANGED: ["no-op"],
}


def render_json(plan: Plan, header: Header, made_at: datetime, version: str) -> str:
    """The plan as JSON on one line, as Terraform prints it. `made_at` is in UTC.

    Tools rely on the one line: terraform-compliance reads no more than that.
    """
    return json_line(plan_document(plan, header, made_at, version)) + "\n"


def plan_document(plan: Plan, header: Header, made_at: datetime, version: str) -> dict[str, Any]:
    """The JSON plan as plain values."""
    counts = count(plan.changes)
    changes = [
        _change(change, row, header.review)
        for change, row in zip(plan.changes, plan.rows, strict=True)
    ]
    document: dict[str, Any] = {
        "format_version": PLAN_FORMAT,
        "terraform_version": FORMAT_OF,
        "timestamp": made_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "applyable": header.is_applyable(plan),
        "complete": is_complete(plan),
        "errored": bool(plan.failures),
        "planned_values": planned_values(changes),
        "resource_changes": changes,
        "resource_drift": [],
        "prior_state": prior_state(changes),
        "configuration": configuration(plan.changes),
        "reconciler": {
            "version": version,
            "target": plan.target,
            "target_description": header.description,
            "stack": plan.stack,
            "commit": header.commit or None,
            "digest": plan.digest(),
            DOCUMENT_DIGEST: "",
            "offline": header.offline,
            "accepted": list(plan.accepted),
            "inputs": list(header.inputs),
            "selection": {
                "only": list(header.selection.only),
                "exclude": list(header.selection.exclude),
                "left_out": plan.left_out,
            },
            "review": review_json(header.review),
            "owned": plan.owned,
            "summary": {
                "import": counts.imports,
                "add": counts.adds,
                "change": counts.changes,
                "destroy": counts.destroys,
                "unchanged": counts.unchanged,
                "blocked": counts.blocked,
                "conflict": counts.conflicts,
            }
            if is_made(plan)
            else None,
            "detached": _listed(plan.detached),
            **({"unowned": plan.unowned} if plan.unowned else {}),
            **({"released": _listed(plan.released)} if plan.released else {}),
            "failures": [
                {
                    "system": failure.system,
                    "types": list(failure.kinds),
                    "reason": failure.reason,
                    "fix": failure.fix,
                    "addresses": list(failure.addresses),
                }
                for failure in plan.failures
            ],
            "warnings": list(plan.warnings),
        },
    }
    document["reconciler"][DOCUMENT_DIGEST] = digest_document(document)
    return document


def shown_values(change: Change) -> dict[str, Any]:
    """What a change shows of values: both sides, and the fields that differ."""
    live, spec = change.live, planned(change)
    actions = ["delete", "create"] if change.deletes_first else _ACTIONS[change.action]
    if change.action is Action.ADOPT and change.fields:
        actions = ["update"]
    new = {"id": True} if "create" in actions else {}
    body: dict[str, Any] = {
        "actions": actions,
        "before": before(change),
        "after": after(change),
        "after_unknown": unknown_in(references_in(change)) | new,
        "before_sensitive": secrets_in(live.spec) if live is not None else False,
        "after_sensitive": secrets_in(spec) if spec is not None else False,
    }
    forcing = [list(field.path) for field in change.fields if field.forces_replacement]
    if change.action is Action.REPLACE:
        body["replace_paths"] = forcing
    if change.action is Action.ADOPT and live is not None:
        body["importing"] = {"id": live.uid}
    return {"change": body, "fields": [_field(field) for field in change.fields]}


def _change(change: Change, row: PlanRow, review: Review) -> dict[str, Any]:
    values = shown_values(change)
    answer: dict[str, Any] = {**identity(change), "change": values["change"]}
    if change.deposed:
        answer["deposed"] = change.deposed
    reason = _reason(change)
    if reason:
        answer["action_reason"] = reason
    own = _own(change, row, review)
    own |= {"fields": values["fields"], **_remarkable(change)}
    return answer | {"reconciler": own}


def _remarkable(change: Change) -> dict[str, Any]:
    """What is said of few changes alone."""
    found: dict[str, Any] = {}
    if words := change.destroys_besides:
        found["destroys"] = words
    if change.desired is not None and change.desired.absent:
        found["absent"] = True
    if later := references_in(change):
        found["references"] = later
    return found


def _listed(items: Sequence[Unmanaged]) -> list[dict[str, str]]:
    return [
        {"type": item.kind, "name": item.name, "id": item.uid, "reason": item.reason}
        for item in items
    ]


def _own(change: Change, row: PlanRow, review: Review) -> dict[str, Any]:
    refusal = change.refusal
    source = change.desired.source if change.desired is not None else None
    return {
        "action": change.action.value,
        "applyable": change.pending,
        "fields": [],
        "source": {"file": source.file, "line": source.line} if source else None,
        "live_id": change.live.uid if change.live is not None else None,
        "desired_digest": row.desired or None,
        "live_digest": row.live or None,
        "live_protected": is_protected(change),
        "live_written": _written(change),
        "names": {
            "before": names_in(change.live.spec) if change.live is not None else {},
            "after": names_in(planned(change) or {}),
        },
        "cause": cause_json(review.causes.get(change.address)),
        "refusal": {
            "kind": refusal.kind.value,
            "reason": refusal.reason,
            "fix": refusal.fix,
            "allow": refusal.allow or None,
        }
        if refusal
        else None,
        "used_by": list(change.used_by),
        "hint": change.hint,
        "notes": list(change.live.notes) if change.live is not None else [],
        "unknown_fields": list(change.live.unknown_fields) if change.live is not None else [],
    }


def _written(change: Change) -> dict[str, str | None] | None:
    """What a live object of this stack was last written from; None where its mark does not say."""
    mark = change.live.mark if change.live is not None else None
    if mark is None or not any(mark.written):
        return None
    return {name: text or None for name, text in mark.written._asdict().items()}


def _field(field: FieldChange) -> dict[str, Any]:
    hidden = field.sensitive
    return {
        "path": list(field.path),
        "before": SENSITIVE if hidden and field.before is not None else redact(field.before),
        "after": SENSITIVE if hidden and field.after is not None else redact(field.after),
        "sensitive": field.sensitive,
        "forces_replacement": field.forces_replacement,
        **({"unknown": True} if any(references(field.after)) else {}),
    }


def _reason(change: Change) -> str | None:
    if change.action is Action.REPLACE:
        return "replace_because_cannot_update"
    if change.action is Action.DELETE and not change.deposed and change.desired is None:
        return "delete_because_no_resource_config"
    return None
