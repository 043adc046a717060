"""What every Run:ai asset states: scope, description, workload types. Authoring model -> canonical.

`expand_meta` gives the part of the canonical spec that both kinds share, and collects what only
the whole document can tell to be wrong. Limits are checked twice on purpose: by the field's
validator when the loader hands its `LoadContext` to pydantic, so that a limit is reported beside
every other fault, and on expansion, so that no caller can forget them.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from reconciler.core.mark import Mark
from reconciler.core.ownership import holds_mark, text_limit
from reconciler.core.references import references
from reconciler.core.resource import (
    Resource,
    ResourceKey,
    Spec,
)
from reconciler.core.secrecy import conceal_resource
from reconciler.kinds.api_fields import FALSE, TEXT, TRUE, ApiField, api_fields, canonical_values
from reconciler.kinds.base import (
    Document,
    FieldError,
    Kind,
    Limits,
    LoadContext,
    Scope,
    Strict,
    field_fault,
)
from reconciler.support.suggest import did_you_mean

Fault = tuple[tuple[str | int, ...], str, str]
"""Path below the document, what is wrong, how to fix it."""

WORKLOAD_TYPES = ("workspace", "training", "inference", "distributed")
ASSET_IDENTITY = ("name", "scope", "scope_id")
ASSET_IMMUTABLE = frozenset({"scope", "scope_id", "workload_types"})


def context_of(info: ValidationInfo) -> LoadContext | None:
    """The `LoadContext` the loader validates with, if it hands one over."""
    return info.context if isinstance(info.context, LoadContext) else None


def scope_fault(scope: str, limits: Limits) -> tuple[str, str] | None:
    """What is wrong with a scope that `limits.allowed_scopes` leaves out."""
    if scope in limits.allowed_scopes:
        return None
    return (
        f"scope {scope!r} is not in the allowed list: {', '.join(limits.allowed_scopes)}",
        f"choose one of these, or allow it under {limits.source('allowed_scopes', scope)}",
    )


def _check_scope(scope: str, info: ValidationInfo) -> str:
    context = context_of(info)
    if context and (fault := scope_fault(scope, context.limits)):
        raise field_fault(*fault)
    return scope


def _spell_framework(value: Any) -> Any:
    """`TensorFlow`, as the Run:ai guide spells it, is `TF` to the API."""
    return "TF" if value == "TensorFlow" else value


class WorkloadTypes(Strict):
    """Which workloads the asset may be used for. Cannot be changed in place later."""

    workspace: StrictBool = Field(default=False, description="Interactive workspaces.")
    training: StrictBool = Field(default=False, description="Training on one worker.")
    inference: StrictBool = Field(default=False, description="Serving a model.")
    distributed: StrictBool = Field(default=False, description="Training on several workers.")
    distFramework: Annotated[  # noqa: N815  (the Run:ai guide's and the API's own spelling)
        Literal["MPI", "PyTorch", "TF", "XGBoost"] | None,
        BeforeValidator(
            _spell_framework,
            json_schema_input_type=Literal["MPI", "PyTorch", "TF", "TensorFlow", "XGBoost"],
        ),
    ] = Field(default=None, description="Needed with `distributed: true`.", examples=["PyTorch"])

    @model_validator(mode="after")
    def _check_distributed(self) -> "WorkloadTypes":
        if self.distributed and self.distFramework is None:
            raise field_fault(
                "distributed workloads need a framework",
                "write workload_types as a mapping with distributed: true and "
                "distFramework: PyTorch (or MPI, TF, XGBoost)",
                ("distributed",),
            )
        if self.distFramework is not None and not self.distributed:
            raise field_fault(
                "distFramework has a meaning only with distributed: true",
                "add distributed: true, or remove distFramework",
                ("distFramework",),
            )
        return self


def _list_to_mapping(value: Any) -> Any:
    if isinstance(value, str):
        raise field_fault("`workload_types` must be a list or a mapping", f"write [{value}]")
    if not isinstance(value, list):
        return value
    for index, item in enumerate(value):
        if item not in WORKLOAD_TYPES:
            raise field_fault(
                f"there is no workload type {item!r}"
                if isinstance(item, str)
                else "a workload type is text",
                did_you_mean(str(item), WORKLOAD_TYPES, "it may be"),
                (index,),
            )
    return dict.fromkeys(value, True)


WorkloadTypesField = Annotated[
    WorkloadTypes | None,
    BeforeValidator(
        _list_to_mapping,
        json_schema_input_type=WorkloadTypes
        | list[Literal["workspace", "training", "inference", "distributed"]]
        | None,
    ),
]


class AssetList(NamedTuple):
    """A list of the API.

    `right` is what an access rule calls what an account may view, create, edit and delete;
    `below_since` the version since which it knows `includeDescendants`, which older ones ignore.
    """

    path: str
    right: str
    below_since: tuple[int, int]


DATA_SOURCES = AssetList("/api/v1/asset/datasource", "data sources", (2, 24))
"""One list for all kinds of data sources."""


class AssetKind(Kind):
    """A kind of asset. In the API it has `meta` and `spec`, and is in lists of `entries`."""

    system = "runai"
    states = ("words", "endpoint", "listing", "api_kind")
    endpoint: str
    """The path to create one, and below it of each."""
    listing: AssetList
    api_kind: str
    """Its `meta.kind`."""
    nested: str = ""
    """The name of its spec in a list of several kinds, if that is not `api_kind`."""
    since: Mapping[str, tuple[int, int]] = {}
    """Since which version a server has a place in the canonical spec, where not all have it."""

    @cached_property
    def fields(self) -> tuple[ApiField, ...]:
        """What the API has in `spec`."""
        return api_fields(self.model, AssetSpec)

    def expand(self, document: Document, context: LoadContext) -> Sequence[Resource]:
        """One asset, each field of which stands for itself. Raises `FieldError`."""
        faults: list[Fault] = []
        spec = expand_meta(document, context, faults)
        spec.update(canonical_values(self.fields, document.spec))
        check_description(document, context, secrets=False, faults=faults)
        if faults:
            raise FieldError(*faults)
        return (conceal_resource(asset_resource(self.traits.name, document, spec)),)

    def state(self, spec: Spec) -> dict[str, Any]:
        """What a manifest says under `spec` for a canonical spec: the reverse of `expand`.

        What no manifest can say is kept, so that it is refused when the manifest is loaded.
        """
        stated = {name: value for name, value in spec.items() if name != "name"}
        for row in self.fields:
            if row.name in stated:
                stated[row.name] = row.codec.state(stated[row.name])
        if types := stated.get("workload_types"):
            stated["workload_types"] = _state_types(types)
        return self.in_order(stated)

    def fold(self, stated: Mapping[str, Any], part: Spec) -> dict[str, Any] | None:  # noqa: ARG002
        """The stated spec with another object in it, where manifests of this kind can state both.

        `part` is the canonical spec of that object, of the kind that is `part_of` this one.
        """
        return None

    def in_order(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """The fields in the order of the docs."""
        known = {name: stated[name] for name in self.model.model_fields if name in stated}
        return {**known, **stated}


class AssetSpec(Strict):
    """The fields that environment and compute assets share."""

    name: str | None = Field(
        default=None, description="May repeat metadata.name; a different name is an error."
    )
    scope: Annotated[Scope, AfterValidator(_check_scope)] = Field(
        description="Who can use the asset.", examples=["cluster"]
    )
    scope_id: str | None = Field(
        default=None,
        min_length=1,
        description="Name or id of the cluster, department or project; CLUSTER/NAME where a name "
        "exists in several clusters, id:ID or name:NAME where it is the id of one and the name of "
        "another. A cluster is found by itself when there is exactly one.",
        examples=["team-a", "main/team-a"],
    )
    description: str | None = Field(
        default=None,
        max_length=250,
        description="Shown in the Run:ai user interface, beside the mark of ownership.",
        examples=["ML training environment with GPU support"],
    )
    workload_types: WorkloadTypesField = Field(
        default=None,
        description="A list, or a mapping where distributed training needs its framework.",
        examples=[["workspace", "training"]],
    )


Text = Annotated[str | None, TEXT]
_Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
NeededText = Annotated[_Filled, TEXT]
CredentialName = Annotated[_Filled | None, TEXT]
"""Name or id of a credential; the kind lists the field in `credentials`."""
Flag = Annotated[StrictBool | None, WithJsonSchema({"type": "boolean"})]
"""true or false; absent leaves it to the server's default."""
FalseFlag = Annotated[Flag, TRUE]
"""The same where that is documented as false."""
TrueFlag = Annotated[Flag, FALSE]
"""The same where it is documented as true, and sent all the same."""


def resource_id(document: Document) -> str:
    """`metadata.id`, by default the name."""
    return document.metadata.id or document.metadata.name


def asset_resource(
    kind: str,
    document: Document,
    spec: Mapping[str, Any],
    warnings: tuple[str, ...] = (),
) -> Resource:
    """The resource of one asset, with what `metadata` says of it, and what its spec refers to."""
    metadata = document.metadata
    return Resource(
        key=ResourceKey(kind, resource_id(document)),
        spec=spec,
        source=document.source,
        protect=metadata.protect,
        adopt=metadata.adopt,
        moved_from=metadata.moved_from,
        depends_on=tuple(dict.fromkeys(found.key for _, found in references(spec))),
        warnings=warnings,
    )


def expand_meta(document: Document, context: LoadContext, faults: list[Fault]) -> dict[str, Any]:
    """name, scope, scope_id, workload_types and description in canonical form."""
    spec: AssetSpec = document.spec
    _check_meta(document, context, faults)
    canonical: dict[str, Any] = {"name": document.metadata.name, "scope": spec.scope}
    if spec.scope_id is not None:
        canonical["scope_id"] = spec.scope_id.strip()
    if spec.workload_types is not None:
        types = _canonical_types(spec.workload_types)
        if types:
            canonical["workload_types"] = types
    if spec.description is not None and (text := spec.description.strip()):
        canonical["description"] = text
    return canonical


def _canonical_types(types: WorkloadTypes) -> dict[str, Any]:
    canonical: dict[str, Any] = {name: True for name in WORKLOAD_TYPES if getattr(types, name)}
    if types.distFramework is not None:
        canonical["dist_framework"] = types.distFramework
    return canonical


def _state_types(types: Mapping[str, Any]) -> Any:
    stated = {"distFramework" if name == "dist_framework" else name: types[name] for name in types}
    return [*stated] if all(value is True for value in stated.values()) else stated


def _check_meta(document: Document, context: LoadContext, faults: list[Fault]) -> None:
    spec: AssetSpec = document.spec
    name = document.metadata.name
    if spec.name is not None and spec.name != name:
        what = f"spec.name is {spec.name!r}, but metadata.name is {name!r}"
        faults.append((("spec", "name"), what, "remove spec.name: metadata.name is what counts"))
    fault = scope_fault(spec.scope, context.limits)
    if fault:
        faults.append((("spec", "scope"), *fault))
    if spec.scope == "tenant" and spec.scope_id is not None:
        fix = "remove scope_id, or choose another scope"
        faults.append((("spec", "scope_id"), "scope tenant takes no scope_id", fix))
    if spec.scope in ("department", "project") and spec.scope_id is None:
        what = f"scope {spec.scope} needs a scope_id"
        fix = f"add scope_id: the name or id of the {spec.scope}"
        faults.append((("spec", "scope"), what, fix))


def check_description(
    document: Document, context: LoadContext, secrets: bool, faults: list[Fault]
) -> None:
    """The description must leave room for the mark, and must not look like one."""
    if document.spec.description is None:
        return
    text = document.spec.description.strip()
    limit = _room(context.stack, document.metadata.protect, secrets)
    if len(text) > limit:
        what = f"the description has {len(text)} characters; {limit} fit beside the ownership mark"
        faults.append((("spec", "description"), what, f"shorten it by {len(text) - limit}"))
    if holds_mark(text):
        what = "the description holds an ownership mark, or a part of one"
        faults.append((("spec", "description"), what, "remove it: the mark is added on apply"))


@lru_cache(maxsize=64)
def _room(stack: str, protect: bool, secrets: bool) -> int:
    return text_limit(Mark(stack, "a" * 12, protect, secrets))
