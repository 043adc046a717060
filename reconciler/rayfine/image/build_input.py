"""What a person states of an image, and its directory -> everything a build and a plan need.

`prepare` is shared by the provider and by `build_image_from_env`, so that the same inputs give the
same digest and the same labels whoever builds. It reads the directory and the lock file's content,
and never calls an engine or a registry.
"""

import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.errors import BuildError
from reconciler.rayfine.image import methods as env_methods
from reconciler.rayfine.image.context import (
    Context,
    follow_link,
    read_context,
    read_regular_file,
)
from reconciler.rayfine.image.digest import (
    content_digest,
    context_table,
    short_digest,
    source_tag,
)
from reconciler.rayfine.image.dockerfile import (
    BASE_ARGUMENT,
    DEFAULT_DOCKERFILE,
    MAX_BYTES,
    REQUIREMENTS,
    Dockerfile,
    generate,
)
from reconciler.rayfine.image.lockfile import Base, LockFile
from reconciler.rayfine.image.reference import normalise_tag, parse_reference

DEFAULT_BASE = "rayproject/ray:latest"
DEFAULT_PLATFORM = "linux/amd64"


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image as it is written down. `path` is the directory itself; empty text means unset."""

    path: Path
    tag: str
    base_image: str = ""
    dockerfile: str = ""
    platform: str = DEFAULT_PLATFORM
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an image depends on outside its directory, and where digests are remembered.

    `default_base` is the target's own, for images that state none.
    """

    lock: LockFile = field(default_factory=LockFile)
    default_base: str = ""
    cache_directory: Path | None = None


@dataclass(frozen=True, slots=True)
class BuildInput:
    """A build that could start now. `spec` is the canonical spec of the kind, without `push`."""

    source: ImageSource
    tag: str
    digest: str
    spec: Mapping[str, Any]
    context: Context
    dockerfile_path: str
    dockerfile: bytes
    build_args: Mapping[str, str]
    bases: tuple[Base, ...]
    methods: Mapping[str, str]
    warnings: tuple[str, ...]

    @property
    def source_tag(self) -> str:
        """`REPOSITORY:src-<digest>`, the tag that always means this content."""
        return source_tag(parse_reference(self.tag).repository, self.digest)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """The Dockerfile of a build: `identity` is its value in the spec, `data` what is sent."""

    path: str
    identity: str
    original: bytes
    data: bytes
    bases: tuple[Base, ...]
    arguments: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def prepare(source: ImageSource, around: Surroundings) -> BuildInput:
    """Read an image's directory. Raises `BuildError` that names the file and what to do."""
    tag = normalise_tag(source.tag)
    context = read_context(source.path, around.cache_directory)
    if context.find(env_methods.ENTRY_POINT) is None:
        raise BuildError(
            f"there is no {env_methods.ENTRY_POINT} in the directory, or .dockerignore leaves "
            "it out",
            where=str(source.path),
            fix="an environment needs it: see the README of rayfine",
        )
    path = _dockerfile_path(source, context)
    recipe = _given(path, source, context, around) if path else _generated(source, context, around)
    name = env_methods.ENTRY_POINT
    methods = env_methods.read_methods(_read(context, name), str(context.root / name))
    identity = ", ".join(base.identity for base in recipe.bases) or "scratch"
    rows = [entry for entry in context.entries if entry.path != recipe.path]
    spec: dict[str, Any] = {
        "tag": tag,
        "platform": "" if source.platform == DEFAULT_PLATFORM else source.platform,
        "base": identity,
        "dockerfile": recipe.identity,
        "build_args": dict(source.build_args),
        "context": context_table(rows),
        "labels": dict(source.labels),
    }
    inputs = {**spec, "context": {}, "recipe": recipe.original.decode(errors="surrogateescape")}
    return BuildInput(
        source=source,
        tag=tag,
        digest=content_digest(inputs, rows),
        spec={name: value for name, value in spec.items() if value},
        context=context,
        dockerfile_path=recipe.path,
        dockerfile=recipe.data,
        build_args={**source.build_args, **recipe.arguments},
        bases=recipe.bases,
        methods=methods,
        warnings=tuple(_warnings(recipe, methods, context)),
    )


def check_entry_point(source: ImageSource) -> None:
    """Parse env.py alone, if it is in the directory. Raises `BuildError` with its line."""
    path = source.path / env_methods.ENTRY_POINT
    real = Path(os.path.realpath(path))
    if path.is_file() and real.is_relative_to(os.path.realpath(source.path)):
        data = read_regular_file(real, env_methods.MAX_BYTES)
        env_methods.read_methods(data or b"", str(path))


def _dockerfile_path(source: ImageSource, context: Context) -> str:
    """The given Dockerfile relative to the context, empty if it is to be generated.

    Links are followed within the context, as the Docker CLI does: the file itself is named then.
    """
    names = (
        source.dockerfile or DEFAULT_DOCKERFILE,
        source.dockerfile or DEFAULT_DOCKERFILE.lower(),
    )
    for name in names:
        if source.dockerfile or os.path.lexists(context.root / name):
            where = str(source.path / posixpath.normpath(name))
            return follow_link(context.root, name, where, "correct spec.dockerfile")
    return ""


def _generated(source: ImageSource, context: Context, around: Surroundings) -> _Recipe:
    requirements: bytes | None = None
    if context.find(REQUIREMENTS) is not None:
        requirements = _read(context, REQUIREMENTS)
    data = generate(requirements).encode()
    given = source.build_args.get(BASE_ARGUMENT)
    base = around.lock.base(given or source.base_image or around.default_base or DEFAULT_BASE)
    return _Recipe(
        path=DEFAULT_DOCKERFILE,
        identity=f"generated:{short_digest(data)}",
        original=data,
        data=generate(requirements, tuple(source.build_args)).encode(),
        bases=(base,),
        arguments={BASE_ARGUMENT: base.pull},
    )


def _given(path: str, source: ImageSource, context: Context, around: Surroundings) -> _Recipe:
    data = read_regular_file(context.root / path, MAX_BYTES) or b""
    parsed = Dockerfile(data, str(source.path / path))
    arguments = dict(source.build_args)
    warnings: tuple[str, ...] = ()
    if parsed.declares(BASE_ARGUMENT):
        stated = source.base_image or around.default_base
        if stated or not parsed.default(BASE_ARGUMENT):
            arguments.setdefault(BASE_ARGUMENT, stated or DEFAULT_BASE)
    elif source.base_image:
        warnings = (
            f"base_image has no effect: {path} has no `ARG {BASE_ARGUMENT}` before its FROM",
        )
    uses = parsed.bases(arguments)
    bases: dict[str, Base] = {}
    for use in uses:
        try:
            bases[use.reference] = around.lock.base(use.reference)
        except BuildError as error:
            raise parsed.error(error.what, use.instruction, error.fix) from error
    pins = {text: base.pull for text, base in bases.items() if base.digest}
    left_out = "" if context.find(path) else ":not-copied"
    return _Recipe(
        path=path,
        identity=f"given:{path}:{short_digest(data)}{left_out}",
        original=data,
        data=parsed.pin(pins, arguments) if pins else data,
        bases=tuple(bases.values()),
        arguments={name: arguments[name] for name in arguments if parsed.declares(name)},
        warnings=warnings,
    )


def _read(context: Context, path: str) -> bytes:
    """A file of the context, or what a link there leads to."""
    where = str(context.root / path)
    full = context.root / follow_link(context.root, path, where, "correct the link")
    return read_regular_file(full, env_methods.MAX_BYTES) or b""


def _warnings(recipe: _Recipe, methods: Mapping[str, str], context: Context) -> Iterator[str]:
    yield from recipe.warnings
    for text in sorted({base.reference for base in recipe.bases if not base.pinned}):
        fix = "`reconcile lock` writes its digest to reconciler.lock"
        yield f"base image {text} is unpinned: {fix}"
    if not methods:
        found = "no public function and no class Actor with public methods"
        yield f"{env_methods.ENTRY_POINT} has {found}"
    for name in (".git", "__pycache__"):
        if any(f"/{name}/" in f"/{entry.path}" for entry in context.entries):
            fix = "add it to .dockerignore"
            yield f"the build context holds {name}, which differs on every machine: {fix}"
