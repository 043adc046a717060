"""A saved plan: written as the JSON plan, read back as a `Plan`. Never a live object is touched.

What is read back is enough to print the plan again and to compare it with a fresh one; it is never
carried out itself: apply makes a new plan and refuses if it differs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.diff import FieldChange
from reconciler.errors import ReconcileError, StalePlanError
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
)
from reconciler.resource import (
    LiveResource,
    Resource,
    ResourceKey,
    Secret,
    Source,
)
from reconciler.review import Cause, Edit, Origin, Review
from reconciler.selection import Selection


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read from a file: to be shown, and `rows` to compare a fresh plan with."""

    plan: Plan
    rows: tuple[PlanRow, ...]
    description: str
    commit: str
    version: str = ""
    selection: Selection = field(default_factory=Selection)
    review: Review = field(default_factory=Review)


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
        return SavedPlan(
            _plan(document, own),
            rows,
            own["target_description"],
            own["commit"] or "",
            own["version"],
            _selection(own.get("selection")),
            _review(document, own.get("review")),
        )
    except KeyError as error:
        raise _no_plan(path, f"it has no {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise _no_plan(path, "a value in it has the wrong type") from error


def _selection(given: Mapping[str, Any] | None) -> Selection:
    return Selection(tuple(given["only"]), tuple(given["exclude"])) if given else Selection()


def _review(document: Mapping[str, Any], given: Mapping[str, Any] | None) -> Review:
    if not given:
        return Review()
    causes = {}
    for item in document["resource_changes"]:
        if item["reconciler"].get("cause"):
            causes[_row(item).address] = _cause(item["reconciler"]["cause"])
    return Review(
        since=given["since"] or "",
        dirty=given["dirty"],
        causes=causes,
        reviewed=given["reviewed"] or "",
        differs=given["differs"],
        compared=given["compared"],
        news=dict(given["news"]),
        note=given["note"],
        config_from=given["config_from"] or "",
        overridden=tuple(given["overridden"]),
        allowances=tuple(given["allowances"]),
    )


def _cause(item: Mapping[str, Any]) -> Cause:
    edit = item["edit"]
    return Cause(
        Origin(item["origin"]),
        Edit(**edit) if edit else None,
        item["changed_by"] or "",
        item["changed_at"] or "",
    )


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
        digest_read=own["digest"],
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
        Refusal(
            RefusalKind(refusal["kind"]),
            refusal["reason"],
            refusal["fix"],
            refusal.get("allow") or "",
        )
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
