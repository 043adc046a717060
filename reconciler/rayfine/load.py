"""`load_env`: options -> replicas, by mode -> an environment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reconciler.rayfine.cluster.replicas import start_on_cluster
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.remote.docker_host import start_remote
from reconciler.rayfine.remote.served import connect
from reconciler.rayfine.runtime.active_environments import ACTIVE
from reconciler.rayfine.runtime.environment import EnvironmentWrapper
from reconciler.rayfine.runtime.errors import LoadError
from reconciler.rayfine.runtime.local import new_identity, start_local
from reconciler.rayfine.runtime.options import LoadOptions, read_options
from reconciler.rayfine.runtime.orphans import guard_against_orphans
from reconciler.rayfine.runtime.pool import POOL
from reconciler.rayfine.runtime.ray_client import start_over_client
from reconciler.rayfine.runtime.replica import Replica

Backend = Callable[[LoadOptions, str], Sequence[Replica]]
"""Starts the replicas of an environment with this id, all ready for setup, or raises."""


def local_backend(options: LoadOptions, identity: str) -> Sequence[Replica]:
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


def remote_backend(options: LoadOptions, identity: str) -> Sequence[Replica]:
    """Containers of the engine at `host`, or the environment that is served at `url`."""
    if bool(options.url) == bool(options.host):
        raise LoadError(
            "remote mode needs to know where",
            where=options.image,
            fix="give either host= (another Docker engine), or url= and token=",
        )
    return connect(options, identity) if options.url else start_remote(options, identity)


BACKENDS: Mapping[str, Backend] = {"local": local_backend, "remote": remote_backend}


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
    backend = BACKENDS.get(options.mode)
    if backend is None:
        modes = " or ".join(repr(name) for name in sorted(BACKENDS))
        raise LoadError(f"there is no mode {options.mode!r}", where=image, fix=f"use {modes}")
    identity = options.container_name or new_identity(options.image)
    if identity in ACTIVE.ids():
        raise LoadError(
            "an environment with this name is active already",
            where=identity,
            fix="clean it up first, or choose another container_name",
        )
    replicas = backend(options, identity)
    return EnvironmentWrapper(
        identity,
        replicas,
        ACTIVE,
        call_timeout=options.call_timeout,
        side_by_side=max(8, options.max_concurrency),
    )
