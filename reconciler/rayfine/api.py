"""The public functions: building images, loading environments, and what is loaded."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

from reconciler.rayfine.cluster.replicas import start_on_cluster
from reconciler.rayfine.docker.build_progress import BuildDisplay, Progress, displayed
from reconciler.rayfine.docker.builder import Making, make_image
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.image.build_input import DEFAULT_BASE, ImageSource, Surroundings, prepare
from reconciler.rayfine.image.hashcache import user_cache
from reconciler.rayfine.image.lockfile import LOCK_FILE, read_lock
from reconciler.rayfine.runtime.active_environments import ACTIVE
from reconciler.rayfine.runtime.environment_wrapper import EnvironmentWrapper
from reconciler.rayfine.runtime.errors import LoadError
from reconciler.rayfine.runtime.load_options import LoadOptions, read_options
from reconciler.rayfine.runtime.local_containers import new_identity, reach, start_local
from reconciler.rayfine.runtime.orphans import guard_against_orphans
from reconciler.rayfine.runtime.pool import POOL
from reconciler.rayfine.runtime.ray_client import start_over_client
from reconciler.rayfine.runtime.replica import Replica
from reconciler.rayfine.runtime.served import connect
from reconciler.support.terminal import open_screen


def _start_local(options: LoadOptions, identity: str) -> Sequence[Replica]:
    """Containers of the engine at `docker_host`, or on nodes of the cluster at `ray_address`."""
    if options.ray_address:
        return start_on_cluster(options, identity)
    docker = Engine(options.docker_host or None)
    guard_against_orphans(docker, options.docker_host)
    if options.transport == "ray-client":
        return start_over_client(docker, options, identity)
    if options.warm and (claimed := POOL.claim(options, identity)):
        return claimed
    return start_local(docker, options, identity)


def _start_remote(options: LoadOptions, identity: str) -> Sequence[Replica]:
    """Containers of the engine at `host`, or the environment that is served at `url`."""
    if bool(options.url) == bool(options.host):
        raise LoadError(
            "remote mode needs to know where",
            where=options.image,
            fix="give either host= (another Docker engine), or url= and token=",
        )
    if options.url:
        return connect(options, identity)
    reach(options.host)
    docker = Engine(options.host, tls=options.tls)
    guard_against_orphans(docker, options.host, options.tls)
    return start_local(docker, options, identity)


def load_env(
    image: str,
    mode: str = "local",
    container_name: str | None = None,
    ray_port: int = 10001,
    **kwargs: Any,
) -> EnvironmentWrapper:
    """Start an environment from a built image; it is ready for `setup` on return.

    Options: `engine` ("ray" or "process"), `replicas`, `memory`, `cpus`, `pids`, `shm_size`
    (`"2g"` or bytes), `timeout` (seconds to start), `call_timeout` (seconds per call, default an
    hour, 0 for none), `lease` (seconds without a heartbeat until it ends itself), `docker_host`,
    `network` (in place of ours), `max_concurrency` (see below), `warm` (False: never take a
    container of the warm pool), `transport` ("ray-client": calls go through Ray Client, published
    at `ray_port`, by default at any free port),
    `ray_address` ("ray://HOST:10001": replicas on the nodes of that Ray cluster with Docker).
    Ray's rule for actors holds in both engines: synchronous methods run one after the other,
    asynchronous ones side by side. With `max_concurrency` N, up to N of either kind run at once.
    In mode "remote": either `host`, an engine at `ssh://`, or at `tcp://` with `tls` as the Docker
    SDK takes it; or `url` and `token` of `reconcile serve`, `ca_file` (PEM, for `https://`).
    Raises `LoadError`.
    """
    options = read_options(
        {
            **kwargs,
            "image": image,
            "mode": mode,
            "container_name": container_name,
            "ray_port": ray_port,
        }
    )
    if options.mode not in ("local", "remote"):
        fix = "use 'local' or 'remote'"
        raise LoadError(f"there is no mode {options.mode!r}", where=image, fix=fix)
    identity = options.container_name or new_identity(options.image)
    if identity in ACTIVE.ids():
        raise LoadError(
            "an environment with this name is active already",
            where=identity,
            fix="clean it up first, or choose another container_name",
        )
    start = _start_local if options.mode == "local" else _start_remote
    replicas = start(options, identity)
    return EnvironmentWrapper(
        identity,
        replicas,
        ACTIVE,
        call_timeout=options.call_timeout,
        side_by_side=max(8, options.max_concurrency),
    )


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
    if quiet:
        yield lambda _line: None
        return
    with (
        open_screen(colour="NO_COLOR" not in os.environ) as screen,
        displayed(BuildDisplay(screen, tag)) as display,
    ):
        yield display.news


def _stated(base_image: str) -> str:
    """The default says the same as leaving it out, as a manifest does."""
    return "" if base_image == DEFAULT_BASE else base_image


def _lock_file(directory: Path) -> Path:
    places = [directory.absolute(), *directory.absolute().parents]
    found = (place / LOCK_FILE for place in places if (place / LOCK_FILE).is_file())
    return next(found, directory / LOCK_FILE)


def list_active_environments() -> list[str]:
    """The ids of all active environments of this process, in the order of loading."""
    return ACTIVE.ids()


def cleanup_all_environments() -> None:
    """Clean up all environments of this process. It happens at exit by itself."""
    ACTIVE.cleanup_all()


def get_environment(env_id: str) -> EnvironmentWrapper:
    """An active environment by its id. Raises `EnvironmentNotFoundError`, a `KeyError`."""
    return cast("EnvironmentWrapper", ACTIVE.get(env_id))


def warm_up(image: str, count: int = 1, *, refill: bool = False, **options: Any) -> None:
    """Keep so many containers of an image ready and paused for `load_env` with the same options.

    With `refill`, a claimed one is replaced in the background.
    """
    POOL.add(read_options({**options, "image": image}), count, refill=refill)
