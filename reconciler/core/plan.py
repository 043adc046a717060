"""A plan: the ordered changes between what is stated and what is live, and their digests. Pure.

A plan is a value: it can be rendered, digested, filtered and handed to apply.
`planner` makes it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from reconciler.core.diff import FieldChange
from reconciler.core.resource import (
    KindTraits,
    LiveResource,
    Replacement,
    Resource,
    ResourceKey,
    digest_spec,
    has_secrets,
)

PLAN_FORMAT = "1.0"
DOCUMENT_DIGEST = "document_digest"


class Action(StrEnum):
    """What a change does to the live system."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    ADOPT = "adopt"
    UNCHANGED = "unchanged"


class RefusalKind(StrEnum):
    """Why a wanted change is not carried out."""

    BLOCKED = "blocked"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A wanted change that will not happen, why, and what clears it.

    `allow` is what a `Reconcile-Allow` trailer has to say to clear it, empty if none can.
    """

    kind: RefusalKind
    reason: str
    fix: str
    allow: str = ""


_UNKNOWN_KIND = KindTraits("", frozenset(), (), 0)


@dataclass(frozen=True, slots=True)
class Change:
    """One planned action on one address.

    `deposed` names (6 hex digits) a leftover of an interrupted replacement of the same address.
    `used_by` lists what refers to a live object that is to be destroyed. `part_of` names the object
    that the same manifest states first, `parts` those that it states beside this one: all of them
    are changed, or none. `holders` refer to an output that a replacement gives another value: they
    are changed with it. `hint` says what may have been meant instead. `doubles` are the live
    objects with the mark of this address where there are several: which is right, nobody can tell.
    `traits` are those of its kind, as far as a plan tells them.
    """

    key: ResourceKey
    action: Action
    desired: Resource | None = None
    live: LiveResource | None = None
    fields: tuple[FieldChange, ...] = ()
    refusal: Refusal | None = None
    deposed: str | None = None
    used_by: tuple[str, ...] = ()
    part_of: ResourceKey | None = None
    parts: tuple[ResourceKey, ...] = ()
    holders: tuple[ResourceKey, ...] = ()
    hint: str = ""
    doubles: tuple[LiveResource, ...] = ()
    traits: KindTraits = field(default=_UNKNOWN_KIND, repr=False)

    @property
    def address(self) -> str:
        """`KIND.ID`; `KIND.ID (deposed 1a2b3c)` for the leftover of a replacement."""
        return f"{self.key.address} (deposed {self.deposed})" if self.deposed else self.key.address

    @property
    def pending(self) -> bool:
        """Whether apply would carry this change out."""
        return self.action is not Action.UNCHANGED and self.refusal is None

    @property
    def waits_for(self) -> tuple[ResourceKey, ...]:
        """What has to be carried out before, if it is in the plan."""
        needed = self.desired.depends_on if self.desired else ()
        return (*needed, self.part_of) if self.part_of else needed

    @property
    def needs(self) -> tuple[tuple[ResourceKey, str], ...]:
        """What this change must not be made without, each with how, in words."""
        needed = self.desired.depends_on if self.desired else ()
        beside = (*self.parts, self.part_of) if self.part_of else self.parts
        return (
            *((key, "depends on") for key in needed),
            *((key, "is stated together with") for key in beside),
            *((key, "is referred to by") for key in self.holders),
        )

    @property
    def destroys(self) -> bool:
        """Whether the change, if carried out, ends the life of a live object."""
        return self.action in (Action.DELETE, Action.REPLACE)

    @property
    def destroys_besides(self) -> str:
        """What ends with the live object, in words; empty for nothing."""
        return self.traits.destroys if self.destroys else ""

    @property
    def deletes_first(self) -> bool:
        """Whether the old object goes before the new one is created."""
        return self.action is Action.REPLACE and self.traits.replacement is Replacement.DELETE_FIRST


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """A system that could not be read: nothing of these kinds is planned."""

    system: str
    kinds: tuple[str, ...]
    reason: str
    fix: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmanaged:
    """A live object that is listed but never changed; `reason` says why it is not ours."""

    kind: str
    name: str
    uid: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """All changes, sorted for printing, and what was seen beside them.

    `owned` counts the live objects of this stack, `unowned` those that belong to no stack and that
    no manifest states, `stated` the resources of the manifests,
    `restricted` says in words what was chosen, `left_out` counts the addresses that were not.
    `released` are live objects that manifests of a base stated and nothing can say to be ours.
    `accepted` says what of other histories the plan may change, and `gone` which manifests HEAD
    has and the disk has not: see `lineage`. `rows_read` are the rows, by address, of a
    plan that was read back from a file, which holds less of each object than a digest covers.
    """

    target: str
    stack: str
    changes: tuple[Change, ...]
    detached: tuple[Unmanaged, ...] = ()
    released: tuple[Unmanaged, ...] = ()
    failures: tuple[ReadFailure, ...] = ()
    owned: int = 0
    unowned: int = 0
    stated: int = 0
    restricted: tuple[str, ...] = ()
    left_out: int = 0
    warnings: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    rows_read: "Mapping[str, PlanRow]" = field(default_factory=dict)

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that apply would carry out."""
        return tuple(change for change in self.changes if change.pending)

    @property
    def refused(self) -> tuple[Change, ...]:
        """The changes that are wanted but blocked or in conflict."""
        return tuple(change for change in self.changes if change.refusal is not None)

    def digest(self) -> str:
        """`sha256:<hex>` over target, stack, format, what is accepted and all rows."""
        return digest_rows(self.target, self.stack, self.rows, self.accepted)

    @cached_property
    def rows(self) -> "tuple[PlanRow, ...]":
        """The row of every change, in order; worked out once, because several outputs need it."""
        read = self.rows_read
        return tuple(read.get(change.address) or row_of(change) for change in self.changes)


class PlanRow(NamedTuple):
    """What is approved of one change: where, what, and the digests of both sides."""

    address: str
    action: str
    desired: str
    live: str


def row_of(change: Change) -> PlanRow:
    """The row of a change. Positions, times and overrides are no part of it."""
    return PlanRow(
        change.address,
        change.action.value,
        digest_desired(change.desired),
        digest_live(change.live),
    )


def digest_rows(
    target: str, stack: str, rows: Iterable[PlanRow], accepted: Iterable[str] = ()
) -> str:
    """`sha256:<hex>` over target, stack, format version, what is accepted, and the sorted rows."""
    return _sha256([PLAN_FORMAT, target, stack, sorted(rows), *accepted])


def digest_document(document: Mapping[str, Any]) -> str:
    """`sha256:<hex>` over a JSON plan as a whole, in whatever form its text is written."""
    own = {name: item for name, item in document["reconciler"].items() if name != DOCUMENT_DIGEST}
    text = json.dumps({**document, "reconciler": own}, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def digest_desired(resource: Resource | None) -> str:
    """`sha256:<hex>` of what a manifest states, its metadata included; empty for None."""
    if resource is None:
        return ""
    metadata = [resource.protect, resource.adopt, resource.moved_from]
    metadata += ["absent"] if resource.absent else []
    metadata += [resource.fingerprint] if resource.fingerprint else []
    return _sha256([digest_spec(resource.spec), metadata])


def digest_live(live: LiveResource | None) -> str:
    """`sha256:<hex>` of a live object, its id and mark included; empty for None.

    Secrets enter no digest. Where an object has some, the time of its last change stands for them.
    """
    if live is None:
        return ""
    parts = astuple(live.mark) if live.mark is not None else ()
    mark = [*parts[:5], *(part for part in parts[5:] if any(part))] or None
    changed = live.updated_at if has_secrets(live.spec) else None
    return _sha256([digest_spec(live.spec), live.uid, mark, live.detached, changed])


def _sha256(values: list[Any]) -> str:
    text = json.dumps(values, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def select(plan: Plan, changes: Iterable[Change]) -> Plan:
    """The same plan with these changes only, in the plan's own order."""
    wanted = {(change.key, change.deposed) for change in changes}
    kept = tuple(change for change in plan.changes if (change.key, change.deposed) in wanted)
    return replace(plan, changes=kept)


def is_digest(text: str) -> bool:
    """Whether this is the form of a plan's digest."""
    return re.fullmatch(r"sha256:[0-9a-f]{64}", text) is not None
