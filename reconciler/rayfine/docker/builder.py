"""A prepared build and an engine -> an image with its labels and its `:src-` tag.

The one place where images are made, for the provider and for `build_image_from_env`: existing
content is never built again. What is sent is a normalised tar: sorted, with fixed times and owners,
and never whole in memory. Every file is hashed again on its way out and compared with its entry, so
that what is built is what was planned.
"""

import hashlib
import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.errors import BuildError
from reconciler.rayfine.docker.build_progress import Progress
from reconciler.rayfine.docker.engine import BuildRequest, Engine
from reconciler.rayfine.docker.labels import DIGEST, content_labels, mark_fits
from reconciler.rayfine.image.build_input import BuildInput
from reconciler.rayfine.image.context import BLOCK, Context, Entry, changed_while_read
from reconciler.rayfine.image.dockerignore import IGNORE_FILE
from reconciler.support.plain_file import open_plain, os_errors_as

FIXED_TIME = 315_619_200
"""1980-01-02 UTC: the zip format, and so building a wheel, knows no time before 1980."""


def stream_tar(context: Context, extra: dict[str, bytes]) -> Iterator[bytes]:
    """The archive of a context; `extra` adds files, or replaces the bytes of those in it."""
    known = {entry.path: entry for entry in context.entries}
    sent: set[str] = set()
    for path in sorted({*known, *extra}, key=str.encode):
        for directory in _new_parents(path, sent):
            yield _header(directory, tarfile.DIRTYPE, 0o755)
        if path in extra:
            data = extra[path]
            yield _header(path, tarfile.REGTYPE, 0o644, len(data))
            yield data + _padding(len(data))
        elif known[path].mode == "link":
            yield _header(path, tarfile.SYMTYPE, 0o777, target=known[path].target)
        else:
            yield from _file(context, known[path])
    yield bytes(2 * tarfile.BLOCKSIZE)


def _new_parents(path: str, sent: set[str]) -> Iterator[str]:
    missing = []
    directory = posixpath.dirname(path)
    while directory and directory not in sent:
        missing.append(directory)
        sent.add(directory)
        directory = posixpath.dirname(directory)
    yield from reversed(missing)


def _file(context: Context, entry: Entry) -> Iterator[bytes]:
    full = context.root / entry.path
    yield _header(entry.path, tarfile.REGTYPE, int(entry.mode, 8), entry.size)
    digest = hashlib.sha256()
    left = entry.size
    fix = "run again once the file is there"
    with (
        os_errors_as(BuildError, "cannot be read", full, fix),
        open_plain(full, follow=False) as stream,
    ):
        while left and (block := stream.read(min(BLOCK, left))):
            digest.update(block)
            left -= len(block)
            yield block
        longer = bool(stream.read(1))
    if left or longer or digest.hexdigest() != entry.digest:
        raise changed_while_read(full)
    yield _padding(entry.size)


def _header(name: str, kind: bytes, mode: int, size: int = 0, target: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, size, target
    info.mtime = FIXED_TIME
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


_LONGEST_IN_LINE = 16_000
"""The engine's parser takes lines of less than 64 KiB, and every character may need a backslash."""

_ESCAPED = re.compile(r'[\\"$]')


@dataclass(frozen=True, slots=True)
class Making:
    """How to make an image: labels beside those of its content, and where news goes."""

    progress: Progress
    labels: Mapping[str, str]
    nocache: bool = False


def make_image(engine: Engine, build: BuildInput, making: Making) -> str:
    """Have this content on the engine, under its `:src-` tag and with these labels; its id.

    Content that is there is taken as it is, with other labels if need be; only else it is built.
    """
    making = replace(making, labels={**content_labels(build), **making.labels})
    image_id = None if making.nocache else _existing(engine, build, making)
    if image_id is None:
        request = BuildRequest(
            archive=stream_tar(build.context, _extra_files(build)),
            dockerfile=build.dockerfile_path,
            arguments=build.build_args,
            platform=build.source.platform,
            nocache=making.nocache,
        )
        image_id = engine.build(request, making.progress)
        if _has_triggers(engine.inspect(image_id)):
            archive = stream_tar(build.context, _extra_files(build))
            again = replace(request, archive=archive, labels=making.labels, nocache=False)
            image_id = engine.build(again, making.progress)
        else:
            image_id = _label(engine, build, image_id, making)
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
    has = ((found or {}).get("Config") or {}).get("Labels") or {}
    if found is None or has.get(DIGEST) != build.digest:
        return None
    if mark_fits(has, making.labels):
        return str(found["Id"])
    if _has_triggers(found):
        return None
    making.progress(f"the content is there as {build.source_tag}: only its labels are changed")
    return _label(engine, build, found["Id"], making)


def _has_triggers(found: Mapping[str, Any] | None) -> bool:
    """Whether FROM this image would carry instructions out."""
    return bool(((found or {}).get("Config") or {}).get("OnBuild"))


def _label(engine: Engine, build: BuildInput, image_id: str, making: Making) -> str:
    """The same image with these labels: one step for all of them, where the engine takes each.

    Told as labels of the build, the engine makes a step, and a container, of every single one.
    """
    apart = {
        name: value
        for name, value in making.labels.items()
        if len(value) > _LONGEST_IN_LINE or not value.isprintable()
    }
    pairs = "".join(
        f' "{name}"="{_ESCAPED.sub(_escape, value)}" \\\n'
        for name, value in sorted(making.labels.items())
        if name not in apart
    )
    dockerfile = f"FROM {image_id}\nLABEL \\\n{pairs}\n"
    request = BuildRequest(
        archive=stream_tar(Context(build.context.root, ()), {"Dockerfile": dockerfile.encode()}),
        dockerfile="Dockerfile",
        labels=apart,
        platform=build.source.platform,
    )
    return engine.build(request, _say_nothing)


def _escape(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _say_nothing(_line: str) -> None:
    """Labels are no news."""
