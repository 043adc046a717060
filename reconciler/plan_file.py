"""A saved plan: written as the JSON plan, read back as a `Plan`. Never a live object is touched.

What is read back is enough to print the plan again and to compare it with a fresh one; it is never
carried out itself: apply makes a new plan and refuses if it differs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.diff import FieldChange
from reconciler.errors import ReconcileError, StalePlanError
from reconciler.guard import Approval
from reconciler.plan import (
    PLAN_FORMAT,
    Action,
    Change,
    Plan,
    PlanRow,
    ReadFailure,
    Refusal,
    RefusalKind,
    Unmanaged,
    digest_rows,
    row_of,
)
from reconciler.resource import (
    LiveResource,
    Resource,
    ResourceKey,
    Secret,
    Source,
)


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read from a file: to be shown, and `rows` to compare a fresh plan with."""

    plan: Plan
    rows: tuple[PlanRow, ...]
    description: str
    commit: str


def read_plan_file(path: Path) -> SavedPlan:
    """Read a saved plan. Raises `ReconcileError` if it is no plan, or of another format."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReconcileError(
            f"cannot read the plan: {error.strerror}",
            where=str(path),
            fix="make one with: reconcile plan --out FILE",
        ) from error
    except ValueError as error:
        raise _no_plan(path, "it is not JSON") from error
    try:
        found = document["format_version"]
        if str(found).partition(".")[0] != PLAN_FORMAT.partition(".")[0]:
            raise StalePlanError(
                f"the plan has format {found!r}, this version reads {PLAN_FORMAT}",
                where=str(path),
                fix="make the plan again with this version of reconcile",
            )
        own = document["reconciler"]
        rows = tuple(_row(item) for item in document["resource_changes"])
        if digest_rows(own["target"], own["stack"], rows) != own["digest"]:
            raise ReconcileError(
                "the plan was changed after it was saved: its digest does not fit its changes",
                where=str(path),
                fix="make and review a new plan: reconcile plan --out FILE",
            )
        return SavedPlan(_plan(document, own), rows, own["target_description"], own["commit"] or "")
    except KeyError as error:
        raise _no_plan(path, f"it has no {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise _no_plan(path, "a value in it has the wrong type") from error


def require_same(saved: SavedPlan, fresh: Plan, approval: Approval) -> None:
    """Raise `StalePlanError`, naming every address that moved, unless both plans are the same.

    A change that was refused when the plan was reviewed may be carried out only by an approval
    that is given now; otherwise a rule was loosened since the review.
    """
    lines = differences(saved.rows, saved.plan, fresh, approval)
    if saved.plan.target != fresh.target:
        lines.insert(0, f"target: approved {saved.plan.target}, now {fresh.target}")
    if saved.plan.stack != fresh.stack:
        lines.insert(0, f"stack: approved {saved.plan.stack}, now {fresh.stack}")
    if lines:
        listing = "\n".join(f"  {line}" for line in lines)
        raise StalePlanError(
            f"the saved plan is stale; nothing was changed\n{listing}",
            fix="make and review a new plan: reconcile plan --out FILE",
        )


def differences(
    rows: Sequence[PlanRow], reviewed: Plan, fresh: Plan, approval: Approval
) -> list[str]:
    """Every address at which a fresh plan is not the reviewed one, in words; none: the same.

    `rows` are those of the reviewed plan. What was refused then and is no longer counts, too.
    """
    lines = list(_moves(rows, [row_of(change) for change in fresh.changes]))
    if not approval.given:
        refused = {change.address: change.refusal for change in reviewed.refused}
        lines += [
            f"{change.address}: approved as {refused[change.address].kind.value}, "  # type: ignore[union-attr]  # refused
            "now it would be carried out"
            for change in fresh.pending
            if change.address in refused
        ]
    return lines


def _moves(saved: Sequence[PlanRow], fresh: Sequence[PlanRow]) -> Iterable[str]:
    nothing = PlanRow("", "nothing", "", "")
    before = {row.address: row for row in saved}
    after = {row.address: row for row in fresh}
    for address in sorted(before.keys() | after.keys()):
        old, new = before.get(address, nothing), after.get(address, nothing)
        moved = []
        if old.desired != new.desired:
            moved.append("the manifest")
        if old.live != new.live:
            moved.append("the live object")
        if moved or old.action != new.action:
            why = f" ({' and '.join(moved)} changed)" if moved else ""
            yield f"{address}: approved {old.action}, now {new.action}{why}"


def _row(item: Mapping[str, Any]) -> PlanRow:
    own = item["reconciler"]
    key = ResourceKey(item["type"], item["name"])
    address = Change(key, Action(own["action"]), deposed=item.get("deposed")).address
    return PlanRow(address, own["action"], own["desired_digest"] or "", own["live_digest"] or "")


def _no_plan(path: Path, why: str) -> ReconcileError:
    return ReconcileError(
        f"this is no saved plan: {why}",
        where=str(path),
        fix="make one with: reconcile plan --out FILE",
    )


def _plan(document: Mapping[str, Any], own: Mapping[str, Any]) -> Plan:
    return Plan(
        target=own["target"],
        stack=own["stack"],
        changes=tuple(_change(item) for item in document["resource_changes"]),
        detached=tuple(
            Unmanaged(item["type"], item["name"], item["id"], item["reason"])
            for item in own["detached"]
        ),
        failures=tuple(
            ReadFailure(
                item["system"],
                tuple(item["types"]),
                item["reason"],
                item["fix"],
                tuple(item["addresses"]),
            )
            for item in own["failures"]
        ),
        owned=own["owned"],
        warnings=tuple(own["warnings"]),
    )


def _change(item: Mapping[str, Any]) -> Change:
    own, body = item["reconciler"], item["change"]
    key = ResourceKey(item["type"], item["name"])
    before = _specs(body["before"], body["before_sensitive"])
    after = _specs(body["after"], body["after_sensitive"])
    source = own["source"] or {"file": "", "line": 0}
    desired = live = None
    if after is not None:
        desired = Resource(key, after, Source(source["file"], source["line"]))
    if before is not None:
        live = LiveResource(
            key.kind,
            own["live_id"],
            key.id,
            before,
            unknown_fields=tuple(own["unknown_fields"]),
            notes=tuple(own["notes"]),
        )
    refusal = own["refusal"]
    return Change(
        key,
        Action(own["action"]),
        desired,
        live,
        tuple(_field(item) for item in own["fields"]),
        Refusal(RefusalKind(refusal["kind"]), refusal["reason"], refusal["fix"])
        if refusal
        else None,
        item.get("deposed"),
        tuple(own["used_by"]),
    )


def _field(item: Mapping[str, Any]) -> FieldChange:
    before, after = item["before"], item["after"]
    if item["sensitive"]:
        before = None if before is None else Secret("")
        after = None if after is None else Secret("")
    return FieldChange(tuple(item["path"]), before, after, item["forces_replacement"])


def _specs(values: Any, sensitive: Any) -> Any:
    """The spec with a `Secret` (of no text) wherever the plan says that a value is sensitive."""
    if sensitive is True:
        return Secret("")
    if isinstance(values, Mapping) and isinstance(sensitive, Mapping):
        return {name: _specs(value, sensitive.get(name)) for name, value in values.items()}
    return values
