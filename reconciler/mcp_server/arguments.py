"""What each tool takes: checked before anything is read, and the source of the JSON Schemas.

Nothing is coerced and nothing unknown is ignored: a model that errs is told so in words.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reconciler.errors import ReconcileError
from reconciler.field_errors import explain
from reconciler.kinds.registry import KIND_TRAITS, KindName

Model = TypeVar("Model", bound=BaseModel)
*_KINDS, _LAST_KIND = reversed(KIND_TRAITS)

Address = Annotated[
    str,
    Field(
        min_length=3,
        max_length=300,
        description="KIND.ID, for example RunaiEnvironment.ml-training-env",
        examples=["RunaiEnvironment.ml-training-env"],
    ),
]
Pattern = Annotated[str, Field(min_length=1, max_length=300)]
Since = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=300,
        description="A Git ref, such as origin/main: say whose change each one is, this branch's "
        "since it left that ref, or drift. Leave it out if nobody asked.",
    ),
]


class Arguments(BaseModel):
    """Arguments of one tool."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class NoArguments(Arguments):
    """A tool that takes none."""


class PlanArguments(Arguments):
    """What to plan."""

    only: list[Pattern] = Field(
        default=[],
        max_length=100,
        description="Plan these addresses only, and what they need. Globs are allowed, for "
        "example RunaiEnvironment.team-*. Leave it out to plan everything.",
    )
    exclude: list[Pattern] = Field(
        default=[], max_length=100, description="Leave these addresses out. Globs are allowed."
    )
    since: Since = None


class AddressArguments(Arguments):
    """One object."""

    address: Address


class ExplainArguments(AddressArguments):
    """One object, and what to compare it with in Git."""

    since: Since = None


class ListArguments(Arguments):
    """Which objects to list."""

    kind: str | None = Field(
        default=None,
        description=f"{', '.join(_KINDS)} or {_LAST_KIND}; leave it out for all kinds.",
    )
    name_contains: str = Field(
        default="", max_length=300, description="Only objects whose name contains this text."
    )


class Metadata(BaseModel):
    """`metadata` of a manifest; what else may stand there is judged with the manifest."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=300)


class Manifest(Arguments):
    """A manifest as it stands in a file; its `spec` is judged with the other manifests."""

    apiVersion: Literal["reconciler/v1"] = "reconciler/v1"  # noqa: N815  (its name in a manifest)
    kind: KindName
    metadata: Metadata
    spec: dict[str, Any]


class ManifestArguments(Arguments):
    """A manifest to propose."""

    manifest: Manifest = Field(
        description="The whole manifest as it is to be. For a change: take `desired.manifest` of "
        "the tool `get` and alter it; what is left out goes back to its default.",
        examples=[
            {
                "kind": "RunaiEnvironment",
                "metadata": {"name": "ml-training-env"},
                "spec": {"scope": "cluster", "image": "busybox", "workload_types": ["training"]},
            }
        ],
    )


class ApplyArguments(Arguments):
    """Which plan to carry out."""

    digest: str = Field(
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="The `digest` that the tool `plan` returned for the plan that was reviewed.",
        examples=["sha256:" + "0123456789abcdef" * 4],
    )


def read_arguments(model: type[Model], given: dict[str, Any]) -> Model:
    """The checked arguments. Raises `ReconcileError` that names everything that is wrong."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = explain(error, given, model)
        raise ReconcileError(
            "; ".join(f"{item.message}{f' ({item.fix})' if item.fix else ''}" for item in faults),
            where="arguments",
            fix="call the tool again with arguments that fit its schema; nothing was done",
        ) from error
