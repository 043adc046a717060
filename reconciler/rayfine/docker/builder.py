"""A prepared build and an engine -> an image with its labels and its `:src-` tag.

The one place where images are made, for the provider and for `build_image_from_env`: existing
content is never built again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.errors import BuildError
from reconciler.rayfine.docker.build_log import Progress
from reconciler.rayfine.docker.engine import BuildRequest, Engine
from reconciler.rayfine.docker.labels import DIGEST, content_labels, mark_fits
from reconciler.rayfine.image.archive import stream_tar
from reconciler.rayfine.image.context import Context
from reconciler.rayfine.image.dockerignore import IGNORE_FILE
from reconciler.rayfine.image.inputs import BuildInput


@dataclass(frozen=True, slots=True)
class Making:
    """How to make an image: labels beside those of its content, and where news goes."""

    progress: Progress
    labels: Mapping[str, str]
    nocache: bool = False


def refuse_buildkit(build: BuildInput) -> None:
    """Raise `BuildError` for a Dockerfile that the engine's own builder cannot read."""
    if build.needs_buildkit:
        where, _, what = build.needs_buildkit.rpartition(": ")
        raise BuildError(
            f"this needs BuildKit, which is not supported: {what}",
            where=where,
            fix="write it without: COPY and RUN as in Docker's classic builder",
        )


def make_image(engine: Engine, build: BuildInput, making: Making) -> str:
    """Have this content on the engine, under its `:src-` tag and with these labels; its id.

    Content that is there is taken as it is, with other labels if need be; only else it is built.
    """
    refuse_buildkit(build)
    labels = {**content_labels(build), **making.labels}
    image_id = None if making.nocache else _existing(engine, build, replace(making, labels=labels))
    if image_id is None:
        request = BuildRequest(
            archive=stream_tar(build.context, _extra_files(build)),
            dockerfile=build.dockerfile_path,
            labels=labels,
            arguments=build.build_args,
            platform=build.source.platform,
            nocache=making.nocache,
        )
        image_id = engine.build(request, making.progress)
    engine.tag(image_id, build.source_tag)
    return image_id


def _extra_files(build: BuildInput) -> dict[str, bytes]:
    """The Dockerfile, and a .dockerignore that leaves itself out.

    The engine reads both, and then drops from the context what the latter says.
    """
    files = {build.dockerfile_path: build.dockerfile}
    if build.context.ignore_file and build.context.find(IGNORE_FILE) is None:
        files[IGNORE_FILE] = build.context.ignore_file
    return files


def _existing(engine: Engine, build: BuildInput, making: Making) -> str | None:
    """The image with this content and these labels, made of one with the same content."""
    found = engine.inspect(build.source_tag)
    settings = (found or {}).get("Config") or {}
    has = settings.get("Labels") or {}
    if found is None or has.get(DIGEST) != build.digest:
        return None
    if mark_fits(has, making.labels):
        return str(found["Id"])
    if settings.get("OnBuild"):
        return None  # FROM would carry these instructions out
    making.progress(f"the content is there as {build.source_tag}: only its labels are changed")
    nothing = Context(build.context.root, ())
    request = BuildRequest(
        archive=stream_tar(nothing, {"Dockerfile": f"FROM {found['Id']}\n".encode()}),
        dockerfile="Dockerfile",
        labels=making.labels,
        platform=build.source.platform,
    )
    return engine.build(request, making.progress)
