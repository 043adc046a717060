"""`load_env(..., transport="ray-client")`: containers with a Ray head and a driver process each."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from reconciler.errors import RayfineError
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.client import AgentClient, Endpoint, new_token
from reconciler.rayfine.runtime.container import ENV_FILE, Container
from reconciler.rayfine.runtime.errors import LoadError
from reconciler.rayfine.runtime.local import start_local
from reconciler.rayfine.runtime.options import LoadOptions
from reconciler.rayfine.runtime.parallel import all_errors
from reconciler.rayfine.runtime.parcel import DIRECTORY, PACKAGE
from reconciler.rayfine.runtime.replica import Replica

_LAST_LINES = 5
_CONNECT_SECONDS = 45.0
"""Ray itself gives up after 30."""

_SOURCES = Path(__file__).parents[3]
"""The directory with this package, for the driver to import it from."""


def start_over_client(docker: Engine, options: LoadOptions, identity: str) -> Sequence[Replica]:
    """Start every replica and connect to it. Raises `LoadError`, and then leaves none behind.

    Ray's client server may hang for good on the first connection of its life, while it starts the
    server for it (a fork beside the threads of gRPC). Then all is started anew, as time allows.
    """
    deadline = time.monotonic() + options.timeout
    while True:
        containers = start_local(docker, options, identity)
        try:
            for container in containers:
                require_same_versions(container)
            return _connect(containers, options)
        except NotConnectedError:
            all_errors([container.remove for container in containers])
            if time.monotonic() > deadline:
                raise
        except BaseException:
            all_errors([container.remove for container in containers])
            raise


def _connect(containers: Sequence[Container], options: LoadOptions) -> Sequence[Replica]:
    with ThreadPoolExecutor(min(len(containers), 8)) as pool:
        work = [pool.submit(OverClient, container, options) for container in containers]
    try:
        return [item.result() for item in work]
    except BaseException:
        all_errors([item.result().remove for item in work if item.exception() is None])
        raise


def require_same_versions(container: Container) -> None:
    """Raise `LoadError` unless Ray and Python are the same here and inside: Ray Client asks it."""
    health = container.client.health()
    there = (str(health.get("ray")), _minor(str(health.get("python"))))
    try:
        here = (metadata.version("ray"), _minor(sys.version))
    except metadata.PackageNotFoundError as error:
        raise LoadError(
            "Ray Client needs Ray on this side as well",
            where=f"container {container.name}",
            fix=f"install it: pip install 'ray[client]=={there[0]}'; or leave transport out",
        ) from error
    if here != there:
        raise LoadError(
            f"the image has Ray {there[0]} on Python {there[1]}, this side Ray {here[0]} on "
            f"Python {here[1]}, and Ray Client needs the same on both",
            where=f"container {container.name}",
            fix="install those versions here, or leave transport out: then none is needed here",
        )


def _minor(version: str) -> str:
    return ".".join(version.split(maxsplit=1)[0].split(".")[:2])


class NotConnectedError(LoadError):
    """Ray Client did not connect."""


class Driver:
    """The process that holds the connection; it ends when this process does."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Start it and wait until it is connected. Raises `NotConnectedError`."""
        path = os.pathsep.join([str(_SOURCES), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reconciler.rayfine.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # an interrupt at the terminal is for its owner
            text=True,
        )
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        late = threading.Timer(_CONNECT_SECONDS, self._process.kill)
        late.start()
        try:
            self.port = self._begin(settings)
        except BaseException:
            self.end()
            raise
        finally:
            late.cancel()

    def _begin(self, settings: Mapping[str, Any]) -> int:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it ended at once: its answer is empty
            process.stdin.write(json.dumps(dict(settings)) + "\n")
            process.stdin.flush()
        answer = json.loads(process.stdout.readline() or "{}")
        if "port" in answer:
            return int(answer["port"])
        why = answer.get("fault") or self.last_words() or "it did not connect in time"
        raise NotConnectedError(
            f"Ray Client cannot connect: {why}",
            where=settings["address"],
            fix="see the reason above, or leave transport out",
        )

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self._lines.append(line.rstrip()[:500])

    def last_words(self) -> str:
        """The last lines that it printed, on one line."""
        return " / ".join(self._lines)

    def end(self) -> None:
        """End it at once; what it holds is only a connection."""
        self._process.kill()
        self._process.wait()
        self._listener.join(1)  # what it had started may hold its standard error a little longer
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class _Client(AgentClient):
    """Calls go to the driver; the container's own agent is kept alive, and knows env.py as text."""

    def __init__(self, endpoint: Endpoint, inside: AgentClient) -> None:
        super().__init__(endpoint)
        self._inside = inside

    def heartbeat(self) -> None:
        self._inside.heartbeat()
        super().heartbeat()

    def methods(self) -> Mapping[str, Mapping[str, str]]:
        return super().methods() or self._inside.methods()


class OverClient(Replica):
    """A container, and the driver that is connected to the Ray in it."""

    def __init__(self, container: Container, options: LoadOptions) -> None:
        """Connect. Raises `LoadError`; the container is left to the caller then."""
        self.name = container.name
        self._container = container
        token = new_token()
        settings = {
            "address": f"ray://{container.launch.reach}:{container.client_port}",
            "root": f"/{DIRECTORY}",
            "package": PACKAGE,
            "token": token,
            "file": ENV_FILE,
            "lease": options.lease,
        }
        self._driver = Driver(settings)
        endpoint = Endpoint("127.0.0.1", self._driver.port, token)
        self.client = _Client(endpoint, container.client)

    def hide(self, redact: Callable[[str], str]) -> None:
        self._container.hide(redact)

    def explain(self, error: Exception) -> RayfineError:
        words = self._driver.last_words()
        return self._container.explain(Exception(words) if words else error)

    def remove(self) -> None:
        self.client.close()
        self._driver.end()
        self._container.remove()
