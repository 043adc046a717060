"""A saved plan: written as the JSON plan, read back as a `Plan`. Never a live object is touched.

What is read back is enough to print the plan again and to compare it with a fresh one; it is never
carried out itself: apply makes a new plan and refuses if it differs.
"""

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reconciler.core.diff import FieldChange
from reconciler.core.header import Header
from reconciler.core.mark import Mark, Written, hash_id
from reconciler.core.plan import (
    DOCUMENT_DIGEST,
    PLAN_FORMAT,
    Action,
    Change,
    Plan,
    PlanRow,
    ReadFailure,
    Refusal,
    RefusalKind,
    Unmanaged,
    digest_document,
    digest_rows,
)
from reconciler.core.plan_values import named_at, spec_of, value_at
from reconciler.core.resource import (
    UNKNOWN,
    KindTraits,
    LiveResource,
    Replacement,
    Resource,
    ResourceKey,
    Secret,
    Source,
    Spec,
    has_secrets,
)
from reconciler.core.selection import Selection
from reconciler.errors import ReconcileError, StalePlanError
from reconciler.planfile.format import PLAN_JSON
from reconciler.planfile.review import read_cause, read_review
from reconciler.support.plain_file import os_errors_as, read_plain
from reconciler.support.strict_json import parse_json

_MAKE_ONE = "make one with: reconcile plan --out FILE"
_MOST_BYTES = 128 << 20
_MOST_VALUES = 4_000_000
"""Mappings and lists, each of which takes up to 60 times its length in the file."""
_DEEPEST = 100
"""Manifests may be nested 64 deep at most; what is printed is walked by recursion."""
_SIDES = {  # whether an action has something live and something desired
    Action.CREATE: (False, True),
    Action.DELETE: (True, False),
    **dict.fromkeys((Action.UPDATE, Action.REPLACE, Action.ADOPT, Action.UNCHANGED), (True, True)),
}


class _UnfitError(Exception):
    """Parts of a plan, each of its right type, that do not fit one another."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read from a file: to be shown, and to compare a fresh plan with."""

    plan: Plan
    header: Header
    version: str = ""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All that the file says, to be written again."""

    def recorded_live(self) -> tuple[LiveResource, ...]:
        """The live side as it was: objects of the stack with their marks, others without."""
        return tuple(change.live for change in self.plan.changes if change.live is not None)


def read_plan_file(path: Path) -> SavedPlan:
    """Read a saved plan. Raises `ReconcileError` if it is no plan, or of another format."""
    try:
        with os_errors_as(ReconcileError, "cannot read the plan", path, _MAKE_ONE):
            document = _parse(read_plain(path, _MOST_BYTES))
    except ValueError as error:
        raise _no_plan(path, "it is not JSON") from error
    if not isinstance(document, dict):
        raise _no_plan(path, "it is not a JSON object")
    if "format_version" not in document:
        raise _no_plan(path, "it has no format_version")
    _check(path, document)
    own = document["reconciler"]
    try:
        plan = _plan(document, own)
    except _UnfitError as error:
        raise _no_plan(path, str(error)) from error
    causes = {
        _row(item).address: read_cause(item["reconciler"]["cause"])
        for item in document["resource_changes"]
        if item["reconciler"].get("cause")
    }
    header = Header(
        plan.target,
        own["target_description"],
        own["commit"] or "",
        read_review(own["review"], causes),
        offline=own["offline"],
        selection=_selection(own),
    )
    return SavedPlan(plan, header, own["version"], document)


def _parse(data: bytes) -> Any:
    if data.count(b"{") + data.count(b"[") > _MOST_VALUES:
        raise OSError(errno.EFBIG, f"it has more than {_MOST_VALUES:,} mappings and lists")
    return parse_json(data)


def _check(path: Path, document: dict[str, Any]) -> None:
    """Raise `ReconcileError` unless this is a plan as it was saved, of a format that is known."""
    found = document["format_version"]
    if str(found).partition(".")[0] != PLAN_FORMAT.partition(".")[0]:
        raise StalePlanError(
            f"the plan has format {found!r}, this version reads {PLAN_FORMAT}",
            where=str(path),
            fix="make the plan again with this version of reconcile",
        )
    if _depth(document) > _DEEPEST:
        raise _no_plan(path, f"it is nested more than {_DEEPEST} deep")
    try:
        PLAN_JSON.validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        why = f"it has no {place}" if first["type"] == "missing" else f"{place}: {first['msg']}"
        raise _no_plan(path, why) from error
    own = document["reconciler"]
    rows = [_row(item) for item in document["resource_changes"]]
    accepted = own.get("accepted", ())
    digests = (digest_rows(own["target"], own["stack"], rows, accepted), digest_document(document))
    if digests != (own["digest"], own[DOCUMENT_DIGEST]):
        raise ReconcileError(
            "the plan was changed after it was saved: its digest does not fit what it says",
            where=str(path),
            fix="make and review a new plan: reconcile plan --out FILE",
        )


def _depth(document: dict[str, Any] | list[Any]) -> int:
    """How many mappings and lists lie in one another, counted to just above `_DEEPEST`."""
    level = [document]
    for depth in range(_DEEPEST + 1):
        if not level:
            return depth
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
    return _DEEPEST + 1


def _key(address: str) -> ResourceKey:
    kind, _, resource_id = address.partition(".")
    return ResourceKey(kind, resource_id)


def address_of(item: Mapping[str, Any]) -> str:
    """What a change of a file is about. Its own `address` is a word of the file, as any other."""
    key = ResourceKey(item["type"], item["name"])
    return Change(key, Action.UNCHANGED, deposed=item.get("deposed")).address


def _row(item: Mapping[str, Any]) -> PlanRow:
    own = item["reconciler"]
    return PlanRow(
        address_of(item), own["action"], own["desired_digest"] or "", own["live_digest"] or ""
    )


def _no_plan(path: Path, why: str) -> ReconcileError:
    return ReconcileError(
        f"this is no saved plan: {why}",
        where=str(path),
        fix=_MAKE_ONE,
    )


def _plan(document: Mapping[str, Any], own: Mapping[str, Any]) -> Plan:
    selection = _selection(own)
    items = document["resource_changes"]
    stated = {
        item["address"]: item for item in document["configuration"]["root_module"]["resources"]
    }
    rows = (_row(item) for item in items)
    return Plan(
        target=own["target"],
        stack=own["stack"],
        changes=tuple(_change(item, own["stack"], stated) for item in items),
        detached=_listed(own["detached"]),
        unowned=own.get("unowned", 0),
        released=_listed(own.get("released", ())),
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
        restricted=(str(selection),) if selection.given else (),
        left_out=own["selection"]["left_out"],
        accepted=tuple(own.get("accepted", ())),
        rows_read={row.address: row for row in rows},
        warnings=tuple(own["warnings"]),
    )


def _listed(items: Iterable[Mapping[str, Any]]) -> tuple[Unmanaged, ...]:
    return tuple(
        Unmanaged(item["type"], item["name"], item["id"], item["reason"]) for item in items
    )


def _selection(own: Mapping[str, Any]) -> Selection:
    return Selection(tuple(own["selection"]["only"]), tuple(own["selection"]["exclude"]))


def _change(item: Mapping[str, Any], stack: str, manifests: Mapping[str, Any]) -> Change:
    own, body = item["reconciler"], item["change"]
    key = ResourceKey(item["type"], item["name"])
    before, after = (
        None
        if body[side] is None
        else spec_of(body[side], body[f"{side}_sensitive"], own["names"][side], later)
        for side, later in (("before", {}), ("after", own.get("references", {})))
    )
    source = own["source"] or {"file": "", "line": 0}
    action = Action(own["action"])
    if (before is not None, after is not None) != _SIDES[action]:
        raise _UnfitError(f"{key.address}: its values are none of an action {action.value}")
    if before is not None and own["live_id"] is None:
        raise _UnfitError(f"{key.address}: it is live, and has no id")
    if not all(field["path"] for field in own["fields"]):
        raise _UnfitError(f"{key.address}: a field has no path")
    desired = live = None
    if after is not None:
        if key.address not in manifests:
            raise _UnfitError(f"{key.address}: it is asked for, and configuration has no manifest")
        manifest, metadata = manifests[key.address], body["after"].get("metadata", {})
        desired = Resource(
            key,
            {name: after[name] for name in after if name in manifest["expressions"]},
            Source(source["file"], source["line"]),
            protect=metadata.get("protect", False),
            adopt=metadata.get("adopt", False),
            depends_on=tuple(_key(address) for address in manifest["depends_on"]),
        )
    elif own.get("absent"):
        desired = Resource(key, {}, Source(source["file"], source["line"]), absent=True)
    if before is not None:
        live = LiveResource(
            key.kind,
            own["live_id"],
            str(before.get("name", key.id)),
            before,
            _mark(item, key, before, stack),
            unknown_fields=tuple(own["unknown_fields"]),
            notes=tuple(own["notes"]),
        )
    refusal = own["refusal"]
    return Change(
        key,
        Action(own["action"]),
        desired,
        live,
        tuple(_field(item, before, after) for item in own["fields"]),
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
        hint=own["hint"],
        traits=_traits(item),
    )


def _traits(item: Mapping[str, Any]) -> KindTraits:
    """What the plan tells of a kind, which this version may not know."""
    delete_first = item["change"]["actions"] == ["delete", "create"]
    return KindTraits(
        item["type"],
        frozenset(),
        (),
        0,
        replacement=Replacement.DELETE_FIRST if delete_first else Replacement.CREATE_FIRST,
        destroys=item["reconciler"].get("destroys", ""),
    )


def _mark(item: Mapping[str, Any], key: ResourceKey, spec: Any, stack: str) -> Mark | None:
    """The mark of the live object, as far as the plan tells it."""
    own = item["reconciler"]
    if own.get("live_protected") is None:
        return None
    ids = [field["before"] for field in own["fields"] if field["path"] == ["metadata", "id"]]
    name, sign, hashed = str(ids[0] if ids else key.id).rpartition(UNKNOWN)
    return Mark(
        stack,
        hashed if sign and name else hash_id(key.kind, hashed),
        protect=own["live_protected"],
        secrets=has_secrets(spec),
        deposed=item.get("deposed"),
        written=Written(
            **{name: text or "" for name, text in (own.get("live_written") or {}).items()}
        ),
    )


def _field(item: Mapping[str, Any], live: Spec | None, desired: Spec | None) -> FieldChange:
    path = tuple(item["path"])
    before = named_at(live, path, item["before"])
    after = named_at(desired, path, item["after"])
    if item.get("unknown"):
        after = value_at(desired, path)
    if item["sensitive"]:
        before = None if before is None else Secret("")
        after = None if after is None else Secret("")
    return FieldChange(path, before, after, item["forces_replacement"])
