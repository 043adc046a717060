"""The contract of a kind on the manifest side: an authoring model and its expansion to resources.

A kind turns what a person writes under `metadata` and `spec` into resources whose spec is in the
kind's canonical form (see `core.resource`). It reads no network; only the variables that the
context hands to it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from reconciler.core.resource import KindTraits, Resource, Source

ID_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$"

Scope = Literal["tenant", "cluster", "department", "project"]
"""Who can use an object of a control plane, from everybody down to one project."""
SCOPES: tuple[Scope, ...] = get_args(Scope)
SYSTEMS = ("docker", "runai")
"""The sections of a target that a kind may name as its system."""


class Strict(BaseModel):
    """A frozen model that refuses fields it does not know and never repeats input in errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        defer_build=True,
    )


class Metadata(Strict):
    """What every manifest says beside its spec."""

    name: str = Field(
        min_length=1,
        max_length=253,
        description="Name on the live system.",
        examples=["ml-training-env"],
    )
    id: str | None = Field(
        default=None,
        pattern=ID_PATTERN,
        description="Address in the stack (KIND.ID); the name by default. Keep it on a rename.",
        examples=["ml-training-env"],
    )
    protect: StrictBool = Field(
        default=False, description="Refuse to delete or replace the live object."
    )
    adopt: StrictBool = Field(
        default=False, description="Take over an unowned live object of this name and change it."
    )
    ensure: Literal["present", "absent"] = Field(
        default="present",
        description="`absent` deletes an object of a kind that bears no mark; others are deleted "
        "by removing their manifest.",
    )
    moved_from: str | None = Field(
        default=None,
        pattern=ID_PATTERN,
        description="The id this resource had before.",
        examples=["old-training-env"],
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What a manifest may ask for at most. Memory counts in GiB (2**30 bytes).

    `sources` pairs a limit, or a scope, with where to change it, if that is not reconciler.yaml.
    """

    max_cpu_cores: float = 32
    max_memory_gb: float = 256
    max_gpus: int = 8
    allowed_scopes: tuple[str, ...] = SCOPES
    sources: tuple[tuple[str, str], ...] = ()

    def source(self, limit: str, scope: str = "") -> str:
        """Where a limit is changed, in words; of the allowed scopes, for one of them."""
        return dict(self.sources).get(scope or limit, f"limits.{limit} in reconciler.yaml")


@dataclass(frozen=True, slots=True)
class LoadContext:
    """What a kind may know beside the document.

    A kind's model gets it as pydantic's validation context, too. `variables` holds the environment
    variables that manifests may read (already filtered by `env_allow`); None means that values are
    not read at all (`validate`).
    """

    root: Path
    stack: str
    limits: Limits = field(default_factory=Limits)
    env_allow: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One validated manifest document."""

    metadata: Metadata
    spec: Any
    source: Source


class Kind(ABC):
    """One kind of manifest, and what others have to know of it."""

    traits: KindTraits
    model: type[Strict]
    """The authoring model of `spec`."""
    system: str
    """The section of a target that names the system of its objects: `docker` or `runai`."""
    words: str
    """Its objects, as people call them."""
    files: tuple[str, ...] = ()
    """Fields of `spec` that name what an object is made of: paths relative to reconciler.yaml."""
    credentials: tuple[str, ...] = ()
    """Where a canonical spec names a credential, which its system knows by an id: `field_paths`."""
    opener: str = ""
    """`module:function` that opens its provider; see `providers.base.Opening`.

    For a kind of another package: what comes with reconciler has the providers of its systems.
    """
    states: tuple[str, ...] = ("words", "opener")
    """What a kind has to state besides `traits` and `model`."""

    @property
    def short(self) -> str:
        """The kind for people who type it: `environment`, `host-path`."""
        word = self.words.removesuffix(" assets").removesuffix(" data sources")
        return word.lower().replace(" ", "-")

    @abstractmethod
    def expand(self, document: Document, context: LoadContext) -> Sequence[Resource]:
        """The resources one document states: usually one. Raises `FieldError` for a bad field."""

    def inputs(self, spec: Any) -> list[str]:
        """The paths in `files` of a spec, which may have faults."""
        found = [spec.get(name) for name in self.files] if isinstance(spec, Mapping) else []
        return [path for path in found if isinstance(path, str)]

    def implies(self, spec: Any) -> Mapping[str, Any]:
        """By kind, what a spec as it is written, with faults perhaps, says of each object."""
        return {self.traits.name: spec}


class FieldError(Exception):
    """Faults found after the model was validated: (path below the document, what, fix) each."""

    def __init__(self, *faults: tuple[tuple[str | int, ...], str, str]) -> None:
        super().__init__(faults[0][1])
        self.faults = faults


def field_fault(what: str, fix: str = "", at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """An error for pydantic validators; `at` is a path below the validated value."""
    return PydanticCustomError("manifest", "{what}", {"what": what, "fix": fix, "at": at})
