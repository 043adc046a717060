"""What is left when this process is killed: a small process of its own waits for that.

A killed process cannot clean up, and a container that was only created, or is paused, cannot end
itself. So the first start of a container starts a watcher, which does nothing but wait for the end
of this process, then removes its containers and ends. It has no secrets, and costs one idle
interpreter.

`sweep` is for the case in which the watcher was killed, too. It looks only at containers with the
labels of `owner`; stopped, paused and merely created ones as well. One whose process lives, or of
which nothing is known, stays; so does one that has the labels from its image, which somebody made
of a container of ours. With a container go its anonymous volumes, and no others.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reconciler.errors import ReconcileError
from reconciler.rayfine.docker.connect import DockerTls, read_tls
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.forks import anew_after_fork, let_go
from reconciler.rayfine.runtime.container import STARTED, remove_container
from reconciler.rayfine.runtime.owner import LAUNCH, SESSION, Owner, judge, process_labels

_STOPPED = ("created", "exited", "dead")


@dataclass(frozen=True, slots=True)
class Found:
    """A container of some process. `state` is the engine's word: created, running, paused, ..."""

    name: str
    state: str
    labels: Mapping[str, str]
    image: str

    @property
    def is_orphan(self) -> bool:
        """Whether nobody can need it any more."""
        owner = judge(self.labels)
        return owner is Owner.GONE or (owner is Owner.REBOOTED and self.state in _STOPPED)


def find_containers(docker: Engine) -> list[Found]:
    """Every container with an environment on this engine, whoever started it."""
    with docker.session() as client:
        found: list[dict[str, Any]] = client.containers(
            all=True, filters={"label": [SESSION, LAUNCH]}
        )
    return [
        Found(
            str(item["Names"][0]).removeprefix("/"), item["State"], item["Labels"], item["ImageID"]
        )
        for item in found
        if item.get("Names")
    ]


def sweep(docker: Engine) -> tuple[str, ...]:
    """Remove every orphan; their names."""
    return tuple(_remove(docker, [item for item in find_containers(docker) if item.is_orphan]))


def sweep_session(docker: Engine, session: str) -> tuple[str, ...]:
    """Remove every container of one session, of which the caller knows that it has ended."""
    found = find_containers(docker)
    return tuple(_remove(docker, [item for item in found if item.labels[SESSION] == session]))


def _remove(docker: Engine, found: list[Found]) -> Iterator[str]:
    for item in found:
        if _is_created_by_its_launch(docker, item):
            remove_container(docker, item.name, item.labels[LAUNCH])
            yield item.name


def _is_created_by_its_launch(docker: Engine, item: Found) -> bool:
    """Whether it was given the labels itself. Without its image nothing is known of that."""
    image = docker.inspect(item.image)
    if image is None:
        return False
    inherited = (image.get("Config") or {}).get("Labels") or {}
    return bool(inherited.get(LAUNCH) != item.labels[LAUNCH])


ROUNDS = (0.0, 1.0, 3.0, 6.0, 10.0, 15.0)
"""Pauses before each look, in seconds: a request that the killed process had sent may come late."""

_START = """
import json, os, select, sys
parent, paths, session, host, tls = json.loads(sys.argv[1])
said = b""
while os.getppid() == parent:
    if select.select([0], [], [], 1.0)[0]:
        chunk = os.read(0, 16)
        said += chunk
        if not chunk:
            break
if said != b"done":
    sys.path[:] = paths
    from reconciler.rayfine.runtime.orphans import remove_all
    remove_all(session, host, tls)
"""


class Watchers:
    """The watchers of this process, one per engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        anew_after_fork(self)

    def after_fork(self) -> None:
        """They are the parent's, and would be kept by a copy of the pipe that they wait at."""
        STARTED.clear()
        self._lock = threading.Lock()
        for watcher in self._running.values():
            let_go(watcher)
        self._running = {}

    def ensure(self, host: str, tls: DockerTls | None = None) -> bool:
        """Have one for this engine; whether it was started now."""
        with self._lock:
            known = self._running.get(host)
            if known is not None and known.poll() is None:
                return False
            if not self._running:
                atexit.unregister(self.release)
                atexit.register(self.release)
            self._running[host] = _start(host, tls)
            return known is None

    def release(self) -> None:
        """Let them go: this process ends in order.

        Where it was interrupted while it cleaned up, they do the rest.
        """
        with self._lock:
            mine = list(self._running.values())
            self._running = {}
        for watcher in mine:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                if STARTED:
                    let_go(watcher)
                else:
                    watcher.communicate(b"done", timeout=5)


def _start(host: str, tls: DockerTls | None) -> "subprocess.Popen[bytes]":
    paths = [str(Path(item).absolute()) for item in sys.path]  # it starts elsewhere
    said = json.dumps([os.getpid(), paths, process_labels()[SESSION], host, tls and asdict(tls)])
    return subprocess.Popen(  # noqa: S603 (our own interpreter)
        [sys.executable, "-S", "-E", "-c", _START, said],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def remove_all(session: str, host: str, tls: dict[str, Any] | None) -> None:
    """Remove the containers of a session that has ended, and look again for latecomers."""
    docker = Engine(host or None, tls=read_tls(tls))
    for pause in ROUNDS:
        time.sleep(pause)
        with contextlib.suppress(ReconcileError):
            sweep_session(docker, session)


def guard_against_orphans(docker: Engine, host: str, tls: DockerTls | None = None) -> None:
    """Start the watcher; the first time, also remove what others have left behind."""
    if WATCHERS.ensure(host, tls):
        with contextlib.suppress(ReconcileError):
            sweep(docker)


WATCHERS = Watchers()
