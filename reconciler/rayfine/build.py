"""`build_image_from_env`: a directory -> an image, by the same code as the kind `RayfineImage`.

The same inputs give the same digest and labels, so an image that was built here is adopted by a
manifest that states it, and never built again.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from reconciler.rayfine.docker.build_display import BuildDisplay, shown
from reconciler.rayfine.docker.build_log import Progress
from reconciler.rayfine.docker.builder import Making, make_image
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.image.hashcache import user_cache
from reconciler.rayfine.image.inputs import DEFAULT_BASE, ImageSource, Surroundings, prepare
from reconciler.rayfine.image.lockfile import LOCK_FILE, read_lock
from reconciler.support.terminal import open_screen


def build_image_from_env(
    env_path: str,
    image_tag: str,
    base_image: str = DEFAULT_BASE,
    nocache: bool = False,
    quiet: bool = False,
) -> str:
    """Build an image from a directory with env.py; its id.

    Progress is shown on standard error, live on a terminal, unless `quiet`; `nocache` builds anew
    what is there. `reconciler.lock` is looked for in the directory and above it. Raises
    `BuildError` that names the file, or the step that failed.
    """
    directory = Path(env_path)
    around = Surroundings(lock=read_lock(_lock_file(directory)), cache_directory=user_cache())
    source = ImageSource(path=directory, tag=image_tag, base_image=_stated(base_image))
    build = prepare(source, around)
    with closing(Engine()) as engine, _display(build.tag, quiet=quiet) as progress:
        image_id = make_image(engine, build, Making(progress, {}, nocache))
        engine.tag(image_id, build.tag)
    return image_id


@contextmanager
def _display(tag: str, *, quiet: bool) -> Iterator[Progress]:
    """Where news of the build go: to standard error, or nowhere."""
    if quiet:
        yield lambda _line: None
        return
    with (
        open_screen(colour="NO_COLOR" not in os.environ) as screen,
        shown(BuildDisplay(screen, tag)) as display,
    ):
        yield display.news


def _stated(base_image: str) -> str:
    """The default says the same as leaving it out, as a manifest does."""
    return "" if base_image == DEFAULT_BASE else base_image


def _lock_file(directory: Path) -> Path:
    places = [directory.absolute(), *directory.absolute().parents]
    found = (place / LOCK_FILE for place in places if (place / LOCK_FILE).is_file())
    return next(found, directory / LOCK_FILE)
