"""Assets: an entry of the API -> `LiveResource`, and a resource -> the body of a request. Pure.

All kinds share `meta`; their `spec` goes through the codecs of their fields. Reading runs for every
asset of a control plane, so it works on plain dicts. What a scope id is called, and that a
project's is a number, is known here alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.mark import Mark
from reconciler.core.ownership import Holder, read_mark, write_mark
from reconciler.core.resource import (
    LiveResource,
    Secret,
    Spec,
    reveal,
)
from reconciler.core.secrecy import conceal
from reconciler.git.head import Provenance
from reconciler.kinds.api_fields import ApiField, Shape, shape_of
from reconciler.kinds.pull_policy import default_pull_policy
from reconciler.providers.runai.known_fields import keep_unknown, unknown_fields
from reconciler.providers.runai.naming import NameBook

SCOPE_IDS = {"cluster": "clusterId", "department": "departmentId", "project": "projectId"}
"""API field of `meta` that holds the id of a scope."""

WORKLOAD_TYPES = ("workspace", "training", "inference", "distributed")
_IN_META = frozenset({"name", "scope", "scope_id", "description", "workload_types"})


@dataclass(frozen=True)
class AssetMapping:
    """How assets of one kind are read and written.

    `defaults` names, by canonical field (dotted, `*` for any one key), the values that this
    control plane fills in where nothing was sent: they count as absent. `origin` tells, when an
    asset is written, from what. `names` puts the names of ids into what is read, those of
    credentials where `credentials` says.
    """

    kind: str
    fields: Sequence[ApiField]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    origin: Callable[[], Provenance] = Provenance
    mark_key: bytes = field(default=b"", repr=False)
    names: NameBook | None = None
    credentials: Sequence[str] = ()
    shape: Shape = field(init=False)
    unsaid: Mapping[str, Any] = field(init=False)
    by_api_name: Mapping[str, ApiField] = field(init=False)
    by_name: Mapping[str, ApiField] = field(init=False)

    def __post_init__(self) -> None:
        """Index the fields once."""
        object.__setattr__(self, "shape", shape_of(self.fields))
        unsaid = {row.api_name: row.codec.unsaid for row in self.fields}
        unsaid = {name: value for name, value in unsaid.items() if value is not None}
        object.__setattr__(self, "unsaid", unsaid)
        object.__setattr__(self, "by_api_name", {row.api_name: row for row in self.fields})
        object.__setattr__(self, "by_name", {row.name: row for row in self.fields})

    def read(self, entry: Mapping[str, Any]) -> LiveResource | None:
        """One entry of a list; None for what is never ours: system assets, unknown scopes.

        Raises `ValueError`, `KeyError` or `TypeError` for what is not an asset: one of ours that
        is not recognised would be created once more.
        """
        meta, raw = entry["meta"], entry["spec"]
        if raw is None:
            raw = {}
        elif not isinstance(raw, dict):
            raise TypeError(f"spec is no object but {type(raw).__name__}")
        scope = _text(meta, "scope")
        if scope != "tenant" and scope not in SCOPE_IDS:
            return None
        name, uid, scope_id = _text(meta, "name"), _text(meta, "id"), _read_scope_id(meta, scope)
        spec = self._read_spec(raw)
        found = read_mark(meta.get("description"), self._holder(scope, scope_id, name))
        if found.text and (text := found.text.strip()):
            spec["description"] = text
        if (types := meta.get("workloadSupportedTypes")) and (types := _read_types(types)):
            spec["workload_types"] = types
        if self.defaults:
            self.drop_defaults(spec)
        spec["name"], spec["scope"] = name, scope
        if scope_id:
            spec["scope_id"] = scope_id
        mark = found.mark
        if (mark is None or mark.secrets) and (variables := spec.get("environment_variables")):
            spec["environment_variables"] = _hide(variables)
        if self.names is not None:
            self.names.add_to(spec, self.credentials)
        return LiveResource(
            kind=self.kind,
            uid=uid,
            name=name,
            spec=conceal(spec),
            mark=mark,
            detached=found.detached,
            unknown_fields=unknown_fields(raw, self.shape),
            updated_by=meta.get("updatedBy"),
            updated_at=meta.get("updatedAt"),
            created_at=meta.get("createdAt"),
            raw=entry,
        )

    def _read_spec(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        json.dumps(raw, allow_nan=False)  # a number that is none of JSON would be in a plan
        spec: dict[str, Any] = {}
        rows = self.by_api_name
        for api_name, value in raw.items():
            if value is None or (row := rows.get(api_name)) is None:
                continue
            result = row.codec.read(value)
            if result is not None:
                spec[row.name] = result
        policy = spec.get("image_pull_policy")
        if policy and "image" in spec and policy == default_pull_policy(spec["image"]):
            del spec["image_pull_policy"]
        return spec

    def drop_defaults(self, spec: dict[str, Any]) -> None:
        """Take out of a canonical spec what equals a default of this control plane."""
        for dotted, value in self.defaults.items():
            _drop(spec, dotted.split("."), value)

    def create_body(
        self, spec: Spec, mark: Mark, raw: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The body of a POST, which keeps what we do not know of `raw`, the spec it replaces."""
        meta = {**self._meta(spec, self.written(mark)), "scope": spec["scope"]}
        if spec["scope"] in SCOPE_IDS:
            meta[SCOPE_IDS[spec["scope"]]] = write_scope_id(spec["scope"], spec["scope_id"])
        if types := spec.get("workload_types"):
            meta["workloadSupportedTypes"] = _write_types(types)
        return {"meta": meta, "spec": self._write_spec(spec, raw or {})}

    def update_body(self, spec: Spec, mark: Mark, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a PUT, which keeps what we do not know of the live spec `raw`."""
        return {"meta": self._meta(spec, self.written(mark)), "spec": self._write_spec(spec, raw)}

    def written(self, mark: Mark) -> Mark:
        """The mark of what is written now."""
        return replace(mark, written=self.origin().written)

    def rename_body(self, live: LiveResource, name: str, mark: Mark) -> dict[str, Any]:
        """The body of a PUT that changes nothing but the name and the mark.

        The text of the description is cut where the mark leaves no room for it.
        """
        spec = {**live.spec, "name": name}
        return {"meta": self._meta(spec, mark), "spec": live.raw.get("spec") or {}}

    def _holder(self, scope: str, scope_id: str, name: str) -> Holder:
        return Holder(self.kind, scope, scope_id, name, self.mark_key)

    @staticmethod
    def former_body(live: LiveResource) -> dict[str, Any]:
        """The body of a PUT that makes an asset what it was when it was read."""
        meta, spec = live.raw["meta"], live.raw.get("spec") or {}
        kept = {name: meta[name] for name in ("name", "description") if meta.get(name)}
        return {"meta": kept, "spec": spec}

    def _meta(self, spec: Spec, mark: Mark) -> dict[str, Any]:
        holder = self._holder(spec["scope"], spec.get("scope_id", ""), spec["name"])
        text = write_mark(spec.get("description", ""), mark, holder, self.origin().place)
        return {"name": spec["name"], "description": text}

    def _write_spec(self, spec: Spec, raw: Mapping[str, Any]) -> dict[str, Any]:
        body = dict(self.unsaid)
        body |= {
            self.by_name[name].api_name: self.by_name[name].codec.write(reveal(value))
            for name, value in spec.items()
            if name not in _IN_META
        }
        keep_unknown(raw, body, self.shape)
        return body


def write_scope_id(scope: str, scope_id: str) -> str | int:
    """A scope id as the API wants it: a project's is a number."""
    return int(scope_id) if scope == "project" else scope_id


def _text(meta: Mapping[str, Any], field: str) -> str:
    value = meta[field]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{field} of an asset is {value!r}")
    return value


def _read_scope_id(meta: Mapping[str, Any], scope: str) -> str:
    """The id of an asset's scope, empty for a tenant."""
    if scope == "tenant":
        return ""
    value = meta[SCOPE_IDS[scope]]
    if not isinstance(value, str | int) or value == "":
        raise ValueError(f"{SCOPE_IDS[scope]} of an asset is {value!r}")
    return str(value)


def _read_types(types: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = {name: True for name in WORKLOAD_TYPES if types.get(name)}
    if read.get("distributed") and types.get("distFramework"):
        read["dist_framework"] = types["distFramework"]
    return read


def _write_types(types: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {name: bool(types.get(name)) for name in WORKLOAD_TYPES}
    if framework := types.get("dist_framework"):
        body["distFramework"] = framework
    return body


def _hide(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Values that must not be shown: they came from a variable, or are not ours."""
    return {
        name: {**item, "value": Secret(item["value"])}
        if isinstance(item, dict) and "value" in item
        else Secret(item)
        if isinstance(item, str)
        else item
        for name, item in variables.items()
    }


def _drop(spec: dict[str, Any], path: Sequence[str], value: Any) -> None:
    name, rest = path[0], path[1:]
    for key in list(spec) if name == "*" else [name]:
        if key not in spec:
            continue
        if not rest:
            if spec[key] == value:
                del spec[key]
        elif isinstance(spec[key], dict):
            spec[key] = dict(spec[key])
            _drop(spec[key], rest, value)
            if not spec[key]:
                del spec[key]
