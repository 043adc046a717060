"""The types of a saved plan's JSON, as far as it is read back: see `docs/schema/plan.schema.json`.

A file may come from anywhere. What has passed these types can be printed and compared.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, StringConstraints, TypeAdapter, with_config
from typing_extensions import TypedDict

_STRICT = ConfigDict(strict=True)
_Kind = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z]{1,64}\z")]
"""A kind is printed as it is."""


@with_config(_STRICT)
class SourceJson(TypedDict):
    """Where a manifest stands."""

    file: str
    line: int


@with_config(_STRICT)
class EditJson(TypedDict):
    """A commit that changed a manifest."""

    commit: str
    author: str
    when: str
    subject: str
    file: str
    line: int


@with_config(_STRICT)
class CauseJson(TypedDict):
    """Whose change it is."""

    origin: Literal["branch", "drift", "both", "pending", "ahead"]
    edit: EditJson | None
    changed_by: str | None
    changed_at: str | None


@with_config(_STRICT)
class RefusalJson(TypedDict):
    """Why a change is not carried out."""

    kind: Literal["blocked", "conflict"]
    reason: str
    fix: str
    allow: NotRequired[str | None]


@with_config(_STRICT)
class FieldJson(TypedDict):
    """One field that differs."""

    path: list[str]
    before: Any
    after: Any
    sensitive: bool
    forces_replacement: bool
    unknown: NotRequired[bool]


@with_config(_STRICT)
class NamesJson(TypedDict):
    """The names of ids, in the shape of each side."""

    before: dict[str, Any]
    after: dict[str, Any]


@with_config(_STRICT)
class WrittenJson(TypedDict):
    """What a live object was last written from, as its mark says."""

    repository: str | None
    commit: str | None


@with_config(_STRICT)
class OwnChangeJson(TypedDict):
    """What Terraform has no name for, of one change."""

    action: Literal["create", "update", "replace", "delete", "adopt", "unchanged"]
    fields: list[FieldJson]
    source: SourceJson | None
    live_id: str | None
    desired_digest: str | None
    live_digest: str | None
    live_protected: bool | None
    live_written: NotRequired[WrittenJson | None]
    names: NamesJson
    cause: NotRequired[CauseJson | None]
    refusal: RefusalJson | None
    used_by: list[str]
    destroys: NotRequired[str]
    absent: NotRequired[bool]
    references: NotRequired[dict[str, Any]]
    hint: str
    notes: list[str]
    unknown_fields: list[str]


@with_config(_STRICT)
class MetadataJson(TypedDict):
    """What a manifest or a mark says beside the spec."""

    protect: NotRequired[bool]
    adopt: NotRequired[bool]


@with_config(_STRICT)
class SideJson(TypedDict):
    """One side of a change: a spec, and what stands beside it."""

    id: NotRequired[str]
    metadata: NotRequired[MetadataJson]


@with_config(_STRICT)
class ValuesJson(TypedDict):
    """Both sides of one change."""

    actions: list[str]
    before: SideJson | None
    after: SideJson | None
    before_sensitive: dict[str, Any] | Literal[False]
    after_sensitive: dict[str, Any] | Literal[False]


@with_config(_STRICT)
class ChangeJson(TypedDict):
    """One change."""

    type: _Kind
    name: str
    change: ValuesJson
    deposed: NotRequired[str]
    reconciler: OwnChangeJson


@with_config(_STRICT)
class DetachedJson(TypedDict):
    """A live object that bears a mark and is not ours."""

    type: _Kind
    name: str
    id: str
    reason: str


@with_config(_STRICT)
class FailureJson(TypedDict):
    """A system that could not be read."""

    system: str
    types: list[_Kind]
    reason: str
    fix: str
    addresses: list[str]


@with_config(_STRICT)
class SelectionJson(TypedDict):
    """What the plan was restricted to."""

    only: list[str]
    exclude: list[str]
    left_out: int


@with_config(_STRICT)
class ReviewJson(TypedDict):
    """What is known beside the plan."""

    since: str | None
    dirty: bool
    note: str
    reviewed: str | None
    differs: bool
    compared: bool
    uncompared: str
    news: dict[str, str]
    config_from: str | None
    overridden: list[str]
    allowances: list[str]


@with_config(_STRICT)
class OwnJson(TypedDict):
    """What Terraform has no name for, of the plan."""

    version: str
    target: str
    target_description: str
    stack: str
    commit: str | None
    digest: str
    document_digest: str
    offline: bool
    accepted: NotRequired[list[str]]
    inputs: NotRequired[list[str]]
    selection: SelectionJson
    review: ReviewJson
    owned: int
    detached: list[DetachedJson]
    unowned: NotRequired[int]
    released: NotRequired[list[DetachedJson]]
    failures: list[FailureJson]
    warnings: list[str]


@with_config(_STRICT)
class StatedJson(TypedDict):
    """What one manifest states, and what it depends on."""

    address: str
    expressions: dict[str, Any]
    depends_on: list[str]


@with_config(_STRICT)
class ModuleJson(TypedDict):
    """Every manifest."""

    resources: list[StatedJson]


@with_config(_STRICT)
class ConfigurationJson(TypedDict):
    """What the manifests state."""

    root_module: ModuleJson


@with_config(_STRICT)
class PlanJson(TypedDict):
    """A saved plan."""

    format_version: str
    resource_changes: list[ChangeJson]
    configuration: ConfigurationJson
    reconciler: OwnJson


PLAN_JSON = TypeAdapter(PlanJson)
