"""`load_env(..., transport="ray-client")`: containers with a Ray head and a driver process each."""

import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata
from typing import Any

from reconciler.errors import RayfineError
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.agent_archive import DIRECTORY, PACKAGE
from reconciler.rayfine.runtime.agent_client import AgentClient, new_token
from reconciler.rayfine.runtime.agent_connections import Endpoint
from reconciler.rayfine.runtime.child import Child
from reconciler.rayfine.runtime.container import ENV_FILE, Container
from reconciler.rayfine.runtime.crew import all_errors
from reconciler.rayfine.runtime.errors import LoadError
from reconciler.rayfine.runtime.load_options import LoadOptions
from reconciler.rayfine.runtime.local_containers import start_local
from reconciler.rayfine.runtime.replica import Replica, start_together

_CONNECT_SECONDS = 45.0
"""Ray itself gives up after 30."""


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
            return start_together([partial(OverClient, item, options) for item in containers])
        except NotConnectedError:
            all_errors([container.remove for container in containers])
            if time.monotonic() > deadline:
                raise
        except BaseException:
            all_errors([container.remove for container in containers])
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
    return ".".join(version.split(" ", maxsplit=1)[0].split(".")[:2])


class NotConnectedError(LoadError):
    """Ray Client did not connect."""


def _connect(driver: Child, settings: Mapping[str, Any]) -> int:
    """The port at which a driver that is connected answers. Raises `NotConnectedError`."""
    answer = driver.ask(settings, _CONNECT_SECONDS)
    if port := int(answer.get("port", 0)):
        return port
    why = answer.get("fault") or driver.last_words() or "no answer in time"
    raise NotConnectedError(
        f"Ray Client cannot connect: {why}",
        where=settings["address"],
        fix="see the reason above, or leave transport out",
    )


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
        """Connect. Raises `NotConnectedError`; the container is left to the caller then."""
        self.name = container.name
        self._container = container
        token = new_token()
        settings = {
            "address": f"ray://{container.launch.reach}:{container.client_port}",
            "root": f"/{DIRECTORY}",
            "package": PACKAGE,
            "token": token,
            "ray_token": container.launch.ray_token,
            "file": ENV_FILE,
            "lease": options.lease,
            "max_concurrency": options.max_concurrency,
        }
        self._driver = Child("reconciler.rayfine.driver")
        try:
            port = _connect(self._driver, settings)
        except BaseException:
            self._driver.end()
            raise
        endpoint = Endpoint("127.0.0.1", port, token)
        self.client = _Client(endpoint, container.client)

    def hide(self, variables: Mapping[str, str]) -> None:
        self._container.hide(variables)

    def explain(self, error: Exception) -> RayfineError:
        words = self._driver.last_words()
        return self._container.explain(Exception(words) if words else error)

    def remove(self) -> None:
        self.client.close()
        self._driver.end()
        self._container.remove()
