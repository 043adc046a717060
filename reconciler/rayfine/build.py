"""`build_image_from_env`: a directory -> an image, by the same code as the kind `RayfineImage`.

The same inputs give the same digest and labels, so an image that was built here is adopted by a
manifest that states it, and never built again.
"""

import sys
from contextlib import closing
from pathlib import Path

from reconciler.rayfine.docker.builder import Making, make_image
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.image.hashcache import user_cache
from reconciler.rayfine.image.inputs import DEFAULT_BASE, ImageSource, Surroundings, prepare
from reconciler.rayfine.image.lockfile import LOCK_FILE, read_lock


def build_image_from_env(
    env_path: str,
    image_tag: str,
    base_image: str = DEFAULT_BASE,
    nocache: bool = False,
    quiet: bool = False,
) -> str:
    """Build an image from a directory with env.py; its id.

    `reconciler.lock` is looked for in the directory and above it. Raises `BuildError` that names
    the file, or the step that failed.
    """
    directory = Path(env_path)
    around = Surroundings(lock=read_lock(_lock_file(directory)), cache_directory=user_cache())
    source = ImageSource(path=directory, tag=image_tag, base_image=_stated(base_image))
    build = prepare(source, around)
    with closing(Engine()) as engine:
        image_id = make_image(engine, build, Making(_silent if quiet else _show, {}, nocache))
        engine.tag(image_id, build.tag)
    return image_id


def _stated(base_image: str) -> str:
    """The default says the same as leaving it out, as a manifest does."""
    return "" if base_image == DEFAULT_BASE else base_image


def _lock_file(directory: Path) -> Path:
    places = [directory.absolute(), *directory.absolute().parents]
    found = (place / LOCK_FILE for place in places if (place / LOCK_FILE).is_file())
    return next(found, directory / LOCK_FILE)


def _show(line: str) -> None:
    """Progress for people: on standard error, so that output stays clean."""
    sys.stderr.write(f"{line}\n")


def _silent(_line: str) -> None:
    """Nothing is shown."""
