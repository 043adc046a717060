"""Manifests of images -> resolved resources and their prepared builds, from the disk alone."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.core.resource import Resource, ResourceKey, reveal
from reconciler.core.secrecy import conceal
from reconciler.errors import BuildError, ManifestError, Problem
from reconciler.rayfine.image.build_input import (
    DEFAULT_PLATFORM,
    BuildInput,
    ImageSource,
    Surroundings,
    check_entry_point,
    prepare,
)


@dataclass(frozen=True, slots=True)
class Desired:
    """A resolved image. Its `outputs` are `image`, the `:src-` tag, and `digest`."""

    resource: Resource
    build: BuildInput


def resolve_images(
    resources: Sequence[Resource], root: Path, around: Surroundings
) -> Mapping[ResourceKey, Desired]:
    """Prepare every image. Raises one `ManifestError` with the faults of all of them."""
    problems: list[Problem] = []
    found: dict[ResourceKey, Desired] = {}
    tags: dict[str, Resource] = {}
    for resource in resources:
        with _collected(resource, root, problems):
            build = prepare(image_source(resource, root), around)
            other = tags.setdefault(build.tag, resource)
            if other is not resource:
                raise BuildError(
                    f"{other.key.address} has the tag {build.tag} already",
                    fix="give each image a tag of its own",
                )
            found[resource.key] = Desired(_resolved(resource, build), build)
        if resource.key not in found:  # whatever it was, env.py may be wrong as well
            with _collected(resource, root, problems):
                check_entry_point(image_source(resource, root))
    if problems:
        raise ManifestError(problems)
    return found


def image_source(resource: Resource, root: Path) -> ImageSource:
    """What an unresolved resource states. Raises `BuildError` for a path that leads outwards."""
    spec = reveal(resource.spec)
    directory = root / spec["path"]
    real, inside = os.path.realpath(directory), os.path.realpath(root)
    if real != inside and not real.startswith(f"{inside.rstrip('/')}/"):
        raise BuildError(
            f"the path {spec['path']} leads out of the directory of reconciler.yaml",
            fix="move the environment into the repository",
        )
    return ImageSource(
        path=directory,
        tag=spec["tag"],
        base_image=spec.get("base_image", ""),
        dockerfile=spec.get("dockerfile", ""),
        platform=spec.get("platform", DEFAULT_PLATFORM),
        build_args=spec.get("build_args", {}),
        labels=spec.get("labels", {}),
    )


def _resolved(resource: Resource, build: BuildInput) -> Resource:
    push = {"push": True} if resource.spec.get("push") else {}
    return replace(
        resource,
        spec=conceal({**build.spec, **push}),
        outputs={"image": build.source_tag, "digest": build.digest},
        warnings=(*resource.warnings, *build.warnings),
    )


@contextmanager
def _collected(resource: Resource, root: Path, problems: list[Problem]) -> Iterator[None]:
    """Note an error within the block: at the file of the image that it is about, if it is of one.

    All else is said of the manifest.
    """
    try:
        yield
    except BuildError as error:
        problems.append(_problem(error, resource, root))


def _problem(error: BuildError, resource: Resource, root: Path) -> Problem:
    path, _, line = error.where.rpartition(":")
    if not line.isdecimal():
        path, line = error.where, "0"
    directory, top = os.path.realpath(os.path.dirname(path)), os.path.realpath(root)  # noqa: PTH120
    is_file = os.path.lexists(path) and not Path(path).is_dir()
    if is_file and os.path.commonpath((directory, top)) == top:
        file = Path(os.path.abspath(path))  # noqa: PTH100  (a link is named as it is written)
        for start in (Path(os.path.abspath(root)), Path(top)):  # noqa: PTH100
            if file.is_relative_to(start):
                name = file.relative_to(start).as_posix()
                return Problem(name, int(line), int(line != "0"), error.what, error.fix)
    what = f"{error.where}: {error.what}" if error.where else error.what
    return Problem(resource.source.file, resource.source.line, 1, what, error.fix)
