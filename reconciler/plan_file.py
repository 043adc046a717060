"""A saved plan: written as the JSON plan, read back as a `Plan`. Never a live object is touched.

What is read back is enough to print the plan again and to compare it with a fresh one; it is never
carried out itself: apply makes a new plan and refuses if it differs.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.diff import FieldChange
from reconciler.errors import ReconcileError, StalePlanError
from reconciler.plan import (
    PLAN_FORMAT,
    Action,
    Change,
    Plan,
    ReadFailure,
    Refusal,
    RefusalKind,
    Unmanaged,
)
from reconciler.resource import (
    LiveResource,
    Resource,
    ResourceKey,
    Secret,
    Source,
    digest_spec,
)


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read from a file, and what the file says about its making."""

    plan: Plan
    digest: str
    description: str
    commit: str


def write_plan_file(path: Path, text: str) -> None:
    """Write the file whole or not at all; readable by its owner and group only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o640)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
        return SavedPlan(
            _plan(document, own), own["digest"], own["target_description"], own["commit"] or ""
        )
    except KeyError as error:
        raise _no_plan(path, f"it has no {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise _no_plan(path, "a value in it has the wrong type") from error


def require_same(saved: SavedPlan, fresh: Plan) -> None:
    """Raise `StalePlanError`, naming every address that moved, unless both plans are the same."""
    if saved.digest == fresh.digest():
        return
    lines = list(_moves(saved.plan, fresh))
    if saved.plan.target != fresh.target:
        lines.insert(0, f"target: approved {saved.plan.target}, now {fresh.target}")
    listing = "\n".join(f"  {line}" for line in lines)
    raise StalePlanError(
        f"the saved plan is stale; nothing was changed\n{listing}",
        fix="make and review a new plan: reconcile plan --out FILE",
    )


def _moves(saved: Plan, fresh: Plan) -> Iterable[str]:
    before = {change.address: change for change in saved.changes}
    after = {change.address: change for change in fresh.changes}
    for address in sorted(before.keys() | after.keys()):
        old, new = before.get(address), after.get(address)
        moved = []
        if _side_digest(old.desired if old else None) != _side_digest(new.desired if new else None):
            moved.append("the manifest")
        if _side_digest(old.live if old else None) != _side_digest(new.live if new else None):
            moved.append("the live object")
        approved = old.action.value if old else "nothing"
        now = new.action.value if new else "nothing"
        if moved or approved != now:
            why = f" ({' and '.join(moved)} changed)" if moved else ""
            yield f"{address}: approved {approved}, now {now}{why}"


def _side_digest(side: Resource | LiveResource | None) -> str:
    if side is None:
        return ""
    raw = getattr(side, "raw", None)
    if isinstance(raw, str):
        return raw
    if isinstance(side, Resource) and _DIGEST in side.exports:
        return side.exports[_DIGEST]
    return digest_spec(side.spec)


_DIGEST = "saved digest"


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
        desired = Resource(
            key,
            after,
            Source(source["file"], source["line"]),
            exports={_DIGEST: own["desired_digest"]},
        )
    if before is not None:
        live = LiveResource(
            key.kind,
            own["live_id"],
            key.id,
            before,
            unknown_fields=tuple(own["unknown_fields"]),
            notes=tuple(own["notes"]),
            raw=own["live_digest"],
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
