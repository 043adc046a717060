"""Assets: create, read, replace, delete.

Works on bytes and query values and gives JSON text, so that it knows nothing of HTTP; app.py
carries both over the network.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reconciler.sandbox.answers import ApiError, dump
from reconciler.sandbox.api_schema import Contract
from reconciler.sandbox.asset_store import Asset, AssetFilter, AssetStore, Place
from reconciler.sandbox.database import CLIENT_ID, Database
from reconciler.sandbox.json_types import refuse
from reconciler.sandbox.org_units import TENANT_ID, TENANT_WIDE, OrgUnits, ScopeIds
from reconciler.sandbox.queries import Query, read_choice
from reconciler.sandbox.rendering import make_renderer
from reconciler.sandbox.switches import Behaviour
from reconciler.sandbox.usage import NO_USAGE, read_usage
from reconciler.sandbox.validation import Body, BodyReader

_SCOPE_FIELDS = {"cluster": "clusterId", "department": "departmentId", "project": "projectId"}
_STATUS = dump({"status": "No issues found", "issues": []})
_TYPE_FILTERS = {
    "isTraining": "training",
    "isWorkspace": "workspace",
    "isInference": "inference",
    "isDistributed": "distributed",
}


class Assets:
    """The assets of one kind of the contract, such as `environment`."""

    def __init__(
        self, kind: str, database: Database, behaviour: Behaviour, contract: Contract
    ) -> None:
        self._kind = kind
        self._database = database
        self._behaviour = behaviour
        self._store = AssetStore(database, behaviour.visibility_lag)
        self._units = OrgUnits(database)
        self._reader = BodyReader(kind, contract, behaviour.unknown_fields)
        self._render = make_renderer(behaviour, contract, kind)
        self._known = contract.meta["properties"].keys()
        self._held = kind in contract.held

    def create(self, raw: bytes) -> str:
        """Store a new asset from the body of a POST; the answer is the whole asset."""
        asset = self._place(self._reader.read_creation(raw))
        self._store.add(asset)
        return self._render(asset.body)

    def update(self, asset_id: str, raw: bytes) -> str:
        """Replace spec, name and description; the answer is the whole asset."""
        body = self._reader.read_update(raw)
        asset = self._store.change(
            self._kind, asset_id.lower(), lambda asset: self._edit(asset, body)
        )
        return self._render(asset.body)

    def delete(self, asset_id: str) -> str:
        """Delete an asset, in use or not; where the kind is held, a 412 if it is."""
        self._store.remove(self._kind, asset_id.lower(), self._trace)
        return dump({"code": 202, "message": "Request has been accepted."})

    def get(self, asset_id: str, query: Query) -> str:
        """One asset."""
        extras = self._extras(query)
        asset = self._store.get(self._kind, asset_id.lower())
        return self._answer(asset.first_name, asset.body, extras)

    def list(self, query: Query) -> str:
        """The assets that the filters leave, in the order of creation."""
        return f'{{"entries":[{",".join(self.entries(query))}]}}'

    def entries(self, query: Query) -> Sequence[str]:
        """The text of each of them."""
        extras = self._extras(query)
        found = self._store.find(self._kind, self._filter(query))
        return [self._answer(*each, extras) for each in found]

    def _answer(
        self, first_name: str, body: str, extras: tuple[dict[str, str] | None, bool]
    ) -> str:
        """Add `usedBy` and `status` to the text of an asset, before its closing brace."""
        usage, with_status = extras
        text = self._render(body)
        if usage is not None:
            text = f'{text[:-1]},"usedBy":{usage.get(first_name, NO_USAGE)}}}'
        if with_status:
            text = f'{text[:-1]},"status":{_STATUS}}}'
        return text

    def _extras(self, query: Query) -> tuple[dict[str, str] | None, bool]:
        """The usage by asset name, if it is asked for, and whether the status is.

        Compliance with a project's policies is not answered, since a sandbox has no policies.
        """
        usage = read_usage(self._database, self._kind) if query.get("usageInfo") else None
        return usage, bool(query.get("statusInfo"))

    def _filter(self, query: Query) -> AssetFilter:
        partial = self._behaviour.name_filter == "partial"
        return AssetFilter(
            name=None if partial else query.get("name"),
            name_part=query.get("name") if partial else None,
            scope=read_choice(query, "scope", ("tenant", *_SCOPE_FIELDS)),
            places=self._places(query),
            supports=tuple(
                (name, query[flag]) for flag, name in _TYPE_FILTERS.items() if flag in query
            ),
            framework=query.get("distributedFramework"),
        )

    def _places(self, query: Query) -> tuple[Place, ...] | None:
        """The places that the scope ids of a list select; None for everywhere."""
        descend = query.get("includeDescendants")
        if descend and "scope" in query:
            raise ApiError(400, "includeDescendants and scope are mutually exclusive.")
        branch = self._units.branch(
            ScopeIds(query.get("clusterId"), query.get("departmentId"), query.get("projectId"))
        )
        if branch is None:
            if self._behaviour.unfiltered_list == "refuse" and "scope" not in query:
                raise ApiError(400, "A list needs a scope or the id of one.")
            return None
        below = self._units.places_below(branch) if descend else ()
        return (*TENANT_WIDE, *branch.places(), *below)

    def _place(self, body: Body) -> Asset:
        """Complete meta of a new asset, after a check that its scope exists."""
        meta = body.meta
        scope = meta["scope"]
        if scope == "system":
            raise refuse("meta.scope", "system is for internal use; choose tenant or below")
        _check_scope_ids(meta)
        ids = ScopeIds(meta.get("clusterId"), meta.get("departmentId"), meta.get("projectId"))
        branch = self._units.branch(ids)
        if branch and branch.project:
            meta["projectName"] = branch.project.name
        if "clusterId" in meta:
            meta["clusterId"] = meta["clusterId"].lower()
        asset_id = str(uuid.uuid4())
        now = _now()
        meta |= {"id": asset_id, "kind": self._kind, "tenantId": TENANT_ID}
        meta |= {"createdBy": CLIENT_ID, "createdAt": now, **self._updated(now, 0)}
        scope_id = str(meta[_SCOPE_FIELDS[scope]]) if scope in _SCOPE_FIELDS else ""
        text = dump({"meta": meta, "spec": body.spec})
        name = meta["name"]
        return Asset(asset_id, self._kind, name, scope, scope_id, name, text)

    def _edit(self, asset: Asset, body: Body) -> Asset:
        _check_changeable(asset)
        meta = json.loads(asset.body)["meta"]
        meta.pop("description", None)
        meta |= {**body.meta, **self._updated(_now(), meta.get("updateCount", 0) + 1)}
        return replace(asset, name=meta["name"], body=dump({"meta": meta, "spec": body.spec}))

    def _updated(self, now: str, count: int) -> dict[str, object]:
        """Who changed an asset and when, as far as this version says."""
        stamp = {"updatedBy": CLIENT_ID, "updatedAt": now, "updateCount": count}
        return {name: value for name, value in stamp.items() if name in self._known}

    def _trace(self, asset: Asset) -> Asset | None:
        """What reads go on to show of a deleted asset; None for nothing."""
        _check_changeable(asset)
        if self._held and asset.first_name in read_usage(self._database, self._kind):
            raise ApiError(412, f"{asset.name} is in use; it cannot be deleted.")
        if self._behaviour.deleted_entries == "gone" or "deletedAt" not in self._known:
            return None
        body = json.loads(asset.body)
        body["meta"] |= {"deletedAt": _now(), "deletedBy": CLIENT_ID}
        return replace(asset, body=dump(body))


def _check_scope_ids(meta: dict[str, Any]) -> None:
    """The id of the scope itself is required; ids of scopes below it make no sense."""
    scopes = ["tenant", *_SCOPE_FIELDS]
    depth = scopes.index(meta["scope"])
    own = _SCOPE_FIELDS.get(meta["scope"])
    if own is not None and own not in meta:
        raise refuse(f"meta.{own}", f"is required for scope {meta['scope']}")
    for scope in scopes[depth + 1 :]:
        if _SCOPE_FIELDS[scope] in meta:
            raise refuse(f"meta.{_SCOPE_FIELDS[scope]}", f"does not apply to {meta['scope']} scope")


def _check_changeable(asset: Asset) -> None:
    if asset.scope == "system":
        raise ApiError(403, f"{asset.name} is a built-in asset; it cannot be changed or deleted.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
