"""What a sandbox holds from the start: organisation units, credentials, assets and usage.

Reads a YAML file into frozen models, strictly and with every problem in one error; seeding.py puts
them into a database. The form:

    clusters:
      - name: main
        departments:
          - name: default
            projects: [team-a, {name: team-b, id: 33}]
    credentials:
      - {name: hf-token, type: generic-secret, scope: project, project: team-a, keys: [TOKEN]}
    assets:
      - {kind: environment, name: jupyter, scope: project, project: team-b, spec: {image: busybox}}
    usage:
      - {kind: environment, name: jupyter, workspaces: [notebook-1], templates: [starter]}

Ids may be given (`uuid` of a cluster, `id` of a department or project); otherwise they follow from
the names, projects aside, which are counted. A unit is named by its name, or by CLUSTER/NAME where
the name alone is ambiguous. Credentials have no values: the API never returns any. The `meta` and
`spec` of an asset are those of a request to create it, and are checked like one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from reconciler.errors import ManifestError, Problem, SeedError
from reconciler.field_errors import explain
from reconciler.sandbox.api_schema import VERSIONS, load_contract
from reconciler.strict_yaml import MAX_BYTES, Positions, load
from reconciler.support.plain_file import os_errors_as, read_plain

if TYPE_CHECKING:
    _Kind = str
else:
    _Kind = Literal[tuple(load_contract(VERSIONS[-1]).specs)]
Name = Annotated[str, Field(min_length=1, max_length=250)]
CredentialType = Literal[
    "generic-secret", "password", "access-key", "docker-registry", "ngc-api-key"
]


def _name_alone(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ProjectSeed(_Model):
    """A project; its id is a positive number of 32 bits."""

    name: Name
    id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class DepartmentSeed(_Model):
    """A department with its projects."""

    name: Name
    id: Name | None = None
    projects: tuple[Annotated[ProjectSeed, BeforeValidator(_name_alone)], ...] = ()


class ClusterSeed(_Model):
    """A cluster with its departments."""

    name: Name
    uuid: Annotated[UUID, Field(strict=False)] | None = None
    departments: tuple[DepartmentSeed, ...] = ()


class _Placed(_Model):
    """What is in a scope, whose unit is named by its name."""

    name: Name
    scope: Literal["tenant", "cluster", "department", "project"] = "tenant"
    cluster: Name | None = None
    department: Name | None = None
    project: Name | None = None

    @model_validator(mode="after")
    def _check_unit(self) -> Self:
        for scope in ("cluster", "department", "project"):
            given = getattr(self, scope) is not None
            if given != (self.scope == scope):
                raise ValueError(
                    f"needs `{scope}: NAME`" if not given else f"`{scope}` is for scope {scope}"
                )
        return self

    @property
    def unit(self) -> str | None:
        """The name of the unit of the scope; None for the tenant."""
        return self.cluster or self.department or self.project


class CredentialSeed(_Placed):
    """A credential asset."""

    type: CredentialType
    keys: tuple[Name, ...] = ()


class AssetSeed(_Placed):
    """An asset that somebody has made, with the `meta` and `spec` of a request to create it."""

    kind: Literal["environment", "compute", "nfs", "hostPath", "git", "s3"]
    meta: dict[str, Any] = {}
    spec: dict[str, Any] = {}


class WorkloadSeed(_Model):
    """A workload that uses an asset."""

    name: Name
    status: Name = "Running"


Workloads = tuple[Annotated[WorkloadSeed, BeforeValidator(_name_alone)], ...]


class UsageSeed(_Model):
    """What uses the assets created with one kind and name, in whatever scope."""

    kind: _Kind
    name: Name
    workspaces: Workloads = ()
    trainings: Workloads = ()
    distributed: Workloads = ()
    inferences: Workloads = ()
    templates: tuple[Name, ...] = ()


class Seed(_Model):
    """The whole content of a seed file."""

    clusters: tuple[ClusterSeed, ...] = ()
    credentials: tuple[CredentialSeed, ...] = ()
    assets: tuple[AssetSeed, ...] = ()
    usage: tuple[UsageSeed, ...] = ()


DEFAULT_SEED = Seed(
    clusters=(
        ClusterSeed(
            name="main",
            departments=(
                DepartmentSeed(
                    name="default",
                    projects=(ProjectSeed(name="team-a"), ProjectSeed(name="team-b")),
                ),
            ),
        ),
    )
)


@dataclass(frozen=True)
class SeedFile:
    """A seed, and where its values are written; `path` None is the default organisation."""

    seed: Seed
    path: Path | None = None
    data: bytes = b""

    def where(self, *place: str | int) -> str:
        """FILE:LINE:COLUMN of the value at a place, e.g. `("clusters", 0, "name")`."""
        line, column = Positions(self.data).at(0, place)
        return f"{self.path}:{line}:{column}"


def load_seed(path: Path) -> SeedFile:
    """Read a seed file; a SeedError lists all that is wrong with it."""
    fix = "Name an existing YAML file."
    with os_errors_as(SeedError, "the seed file cannot be read", path, fix):
        data = read_plain(path, MAX_BYTES)
    try:
        documents = load(data, str(path))
    except ManifestError as error:
        raise _faulty(error.problems) from error
    if len(documents) > 1:
        raise SeedError(
            f"there are {len(documents)} documents in the seed file",
            where=str(path),
            fix="Write one: clusters, credentials, assets and usage.",
        )
    content: Any = documents[0].data if documents else None
    content = {} if content is None else content
    try:
        return SeedFile(Seed.model_validate(_with_tuples(content)), path, data)
    except ValidationError as error:
        positions = Positions(data)
        raise _faulty(
            Problem(
                str(path),
                *positions.at(0, fault.path, key=fault.at_key),
                fault.message,
                fault.fix,
            )
            for fault in explain(error, content, Seed)
        ) from error


def _faulty(problems: Iterable[Problem]) -> SeedError:
    """One error for all problems; a single one keeps its parts."""
    ordered = sorted(set(problems))
    if len(ordered) > 1:
        return SeedError("\n".join(str(problem) for problem in ordered))
    (one,) = ordered
    return SeedError(one.message, where=f"{one.file}:{one.line}:{one.column}", fix=one.fix)


def _with_tuples(value: object) -> object:
    """Turn lists into tuples, which is what strict validation of frozen models wants."""
    if isinstance(value, list):
        return tuple(_with_tuples(each) for each in value)
    if isinstance(value, dict):
        return {name: _with_tuples(each) for name, each in value.items()}
    return value
