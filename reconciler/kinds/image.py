"""The kind RayfineImage on the manifest side: what a person writes -> the unresolved spec.

The spec that `expand` gives holds what was written: `path`, `tag`, and where stated `base_image`,
`dockerfile`, `build_args`, `platform`, `labels`, `push`. The provider's `resolve` reads the build
context and turns it into the canonical spec (context, digest, base identity). Files are only
looked for here; `env.py` is never read, let alone run.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from reconciler.core.resource import KindTraits, Resource, ResourceKey
from reconciler.core.secrecy import conceal_resource
from reconciler.kinds.base import Document, FieldError, Kind, LoadContext, Strict, field_fault

DEFAULT_BASE_IMAGE = "rayproject/ray:latest"
DEFAULT_PLATFORM = "linux/amd64"
IMAGE = KindTraits("RayfineImage", immutable=frozenset(), identity=("tag",), rank=0)
OWN_LABEL_PREFIX = "io.reconciler."
"""Labels below it are the mark of ownership on an image."""
WRITTEN_LABELS = tuple(
    f"org.opencontainers.image.{name}"
    for name in ("base.digest", "base.name", "revision", "source", "title")
)
"""Standard labels that every build sets by itself."""

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_LONGEST_REFERENCE = 512


def split_reference(reference: str) -> tuple[str, str | None, str | None] | None:
    """Repository, tag and digest of an image reference, or None if it is none.

    The grammar is that of the distribution project's `reference` package. A repository on Docker
    Hub comes in its short form, as an engine lists it: `affine`, not `docker.io/library/affine`.
    """
    if len(reference) > _LONGEST_REFERENCE:
        return None
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        return None
    repository = re.sub(r"^(index\.)?docker\.io/", "", found["repository"])
    repository = repository.removeprefix("library/") or repository
    return repository, found["tag"], found["digest"]


def reference_form(reference: str) -> str:
    """How to write what is no image reference."""
    path, at, digest = reference.partition("@")
    name = path[path.rfind("/") + 1 :]
    tag = name[name.find(":") :] if ":" in name else ""
    lower = f"{path.removesuffix(tag).lower()}{tag}{at}{digest}"
    if split_reference(lower) is not None:
        return f"a repository is in lower case: {lower}"
    return _FORM


def _check_tag(value: str) -> str:
    parts = split_reference(value)
    if parts is None:
        raise field_fault("it is not an image tag", reference_form(value))
    repository, tag, digest = parts
    if digest is not None:
        raise field_fault("a tag must not have a digest", "delete the part from `@` on")
    if tag is not None and tag.startswith("src-"):
        raise field_fault("tags that start with src- are made by the build", "choose another")
    return f"{repository}:{tag or 'latest'}"


def _check_base(value: str) -> str:
    if split_reference(value) is None:
        raise field_fault("it is not an image reference", reference_form(value))
    return value


def _check_inner_path(value: str) -> str:
    if "\0" in value or "\\" in value:
        raise field_fault("it is not a path", "separate directories with `/`")
    path = PurePosixPath(value)
    if path.is_absolute():
        raise field_fault("it must be a relative path", "delete what comes before")
    if ".." in path.parts:
        raise field_fault("it must not lead outwards", "write a path without `..`")
    return path.as_posix()


def _check_argument(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
        raise field_fault("it is no name of a build argument", "use letters, digits and `_`")
    return name


def _check_label(name: str) -> str:
    if name.startswith(OWN_LABEL_PREFIX) or name in WRITTEN_LABELS:
        raise field_fault("this label is written by the reconciler itself", "choose another name")
    if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?", name) is None:
        raise field_fault("it is no name of a label", "use letters, digits, `.`, `_`, `/` and `-`")
    return name


_FORM = "write it as REPOSITORY:TAG in lower case, for example `affine:latest`"
InnerPath = Annotated[
    str,
    Field(min_length=1, json_schema_extra={"pattern": r"^(?!/)(?!(.*/)?\.\.(/|$))"}),
    AfterValidator(_check_inner_path),
]


class RayfineImageSpec(Strict):
    """What a manifest states of an image."""

    path: InnerPath = Field(
        description="Directory with env.py, relative to reconciler.yaml: the build context.",
        examples=["environments/affine"],
    )
    tag: Annotated[str, AfterValidator(_check_tag)] = Field(
        json_schema_extra={"pattern": r"^[^@\s]+$"},
        description="Name and tag of the image; `latest` if no tag is given.",
        examples=["affine:latest", "registry.example.com/ml/affine:v1"],
    )
    base_image: Annotated[str, AfterValidator(_check_base)] | None = Field(
        default=None,
        description=f"What the generated Dockerfile builds on; {DEFAULT_BASE_IMAGE} by default. "
        "Pin it with `reconcile lock`.",
        examples=[DEFAULT_BASE_IMAGE],
    )
    dockerfile: InnerPath | None = Field(
        default=None,
        description="A Dockerfile of your own, relative to `path`. By default `Dockerfile` there, "
        "or else one is generated.",
        examples=["Dockerfile"],
    )
    build_args: dict[Annotated[str, AfterValidator(_check_argument)], str] = Field(
        default_factory=dict,
        description="Build arguments. They end up in the image: never secrets.",
        examples=[{"PIP_VERSION": "24.0"}],
    )
    platform: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$")] = (
        Field(
            default=DEFAULT_PLATFORM,
            description="Platform to build for: OS/ARCHITECTURE.",
            examples=[DEFAULT_PLATFORM, "linux/arm64"],
        )
    )
    labels: dict[Annotated[str, AfterValidator(_check_label)], str] = Field(
        default_factory=dict,
        description="Labels to put on the image.",
        examples=[{"team": "affine"}],
    )
    push: bool = Field(
        default=False,
        strict=True,
        description="Push to the registry in the tag; the registry is then the live state.",
    )


class RayfineImage(Kind):
    """An image that is built from `environments/NAME/env.py`."""

    traits = IMAGE
    model = RayfineImageSpec
    system = "docker"
    words = "images"
    files = ("path",)

    def expand(self, document: Document, context: LoadContext) -> Sequence[Resource]:
        """One image. Raises `FieldError` where the context or a file in it is not there."""
        stated: RayfineImageSpec = document.spec
        try:
            _check_files(stated, context.root)
        except (OSError, RuntimeError) as error:  # too long a name, links in a circle, no rights
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            fault = f"the directory cannot be read: {why}"
            raise FieldError((("spec", "path"), fault, "name a readable directory")) from error
        written = stated.model_dump(exclude_defaults=True)
        spec: dict[str, Any] = {name: value for name, value in written.items() if value}
        metadata = document.metadata
        resource = Resource(
            key=ResourceKey(IMAGE.name, metadata.id or metadata.name),
            spec=spec,
            source=document.source,
            protect=metadata.protect,
            adopt=metadata.adopt,
            moved_from=metadata.moved_from,
        )
        return (conceal_resource(resource),)


def _check_files(stated: RayfineImageSpec, root: Path) -> None:
    """The context lies in the repository, and what the spec names lies in the context."""
    root = root.resolve()
    context = (root / stated.path).resolve()
    at_path = ("spec", "path")
    if not context.is_relative_to(root):
        fault = "the directory leads out of the one that reconciler.yaml is in"
        raise FieldError((at_path, fault, "move it there; links must not lead outwards"))
    if not context.is_dir():
        fix = "the path is relative to reconciler.yaml"
        raise FieldError((at_path, f"there is no directory {stated.path}", fix))
    faults = []
    if not (context / "env.py").is_file():
        fix = "add env.py: an Actor class, functions, or both"
        faults.append((at_path, f"there is no env.py in {stated.path}", fix))
    if stated.dockerfile is not None:
        dockerfile = (context / stated.dockerfile).resolve()
        if not dockerfile.is_relative_to(context) or not dockerfile.is_file():
            fix = "the path is relative to `path` and must not lead out of it"
            fault = f"there is no file {stated.dockerfile} in {stated.path}"
            faults.append((("spec", "dockerfile"), fault, fix))
    if faults:
        raise FieldError(*faults)
