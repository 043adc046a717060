"""Warm containers: started, ready for setup, paused, and claimed by `load_env`.

One belongs to the content of one image and to one set of limits. It is used once: after that it
is removed like any other.
"""

import atexit
import contextlib
import threading
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reconciler.errors import ReconcileError
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.forks import anew_after_fork
from reconciler.rayfine.runtime.container import Container
from reconciler.rayfine.runtime.load_options import LoadOptions
from reconciler.rayfine.runtime.local_containers import (
    find_image,
    launch_of,
    new_identity,
    start_ready,
)
from reconciler.rayfine.runtime.orphans import guard_against_orphans
from reconciler.rayfine.runtime.replica import Replica


@dataclass(frozen=True, slots=True)
class _Warm:
    container: Container
    refill: bool


class WarmPool:
    """The warm containers of this process."""

    def __init__(self) -> None:
        self.after_fork()
        anew_after_fork(self)

    def after_fork(self) -> None:
        """The containers are the parent's."""
        self._lock = threading.Lock()
        self._ready: dict[Hashable, list[_Warm]] = {}
        self._engines: dict[str, Engine] = {}

    def add(self, options: LoadOptions, count: int, *, refill: bool) -> None:
        """Start so many containers for these options. Raises `LoadError`."""
        docker = Engine(options.docker_host or None)
        guard_against_orphans(docker, options.docker_host)
        image = find_image(docker, options.image)
        with self._lock:  # connected already, which saves the claim a third of its time
            self._engines[options.docker_host] = docker
        for _ in range(count):
            self._start(docker, options, image, refill=refill)

    def count(self) -> int:
        with self._lock:
            return sum(map(len, self._ready.values()))

    def claim(self, options: LoadOptions, identity: str) -> Sequence[Replica]:
        """A container for exactly these options, or nothing."""
        if options.replicas != 1 or not self.count():
            return ()
        docker = self._engines.get(options.docker_host)
        if docker is None:
            return ()
        image = find_image(docker, options.image)
        with self._lock:
            ready = self._ready.get(_key(options, image), [])
            warm = ready.pop() if ready else None
        if warm is None:
            return ()
        try:
            if options.container_name:
                warm.container.rename(identity)
            warm.container.unpause()
        except ReconcileError:
            with contextlib.suppress(ReconcileError):
                warm.container.remove()
            return ()
        if warm.refill:
            again = threading.Thread(target=self._refill, args=(options,), daemon=True)
            again.start()
        return (warm.container,)

    def clear(self) -> None:
        with self._lock:
            found = [item for items in self._ready.values() for item in items]
            self._ready = {}
        for item in found:
            with contextlib.suppress(ReconcileError):
                item.container.remove()

    def _refill(self, options: LoadOptions) -> None:
        with contextlib.suppress(ReconcileError):
            self.add(options, 1, refill=True)

    def _start(
        self, docker: Engine, options: LoadOptions, image: dict[str, Any], *, refill: bool
    ) -> None:
        launch = launch_of(docker, options, image, new_identity(options.image))
        container = start_ready(docker, launch)
        try:
            container.pause()
        except BaseException:
            container.remove()
            raise
        with self._lock:
            atexit.unregister(self.clear)  # again: a fork may have lost it
            atexit.register(self.clear)
            self._ready.setdefault(_key(options, image), []).append(_Warm(container, refill))


def _key(options: LoadOptions, image: dict[str, Any]) -> Hashable:
    """What a warm container has to have been started with."""
    anybodys = replace(options, image="", container_name="", ray_port=0, timeout=0, call_timeout=0)
    return image["Id"], anybodys


POOL = WarmPool()
