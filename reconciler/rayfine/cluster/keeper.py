"""Runs on a node of the cluster, as an actor: one container of that node's Docker engine.

Shipped to the node with the Docker SDK (see placer.py): the node needs Ray and Docker alone.
Answers are plain data.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from reconciler.errors import ProviderError, ReconcileError
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.container import Container, Launch
from reconciler.rayfine.runtime.load_options import Limits, LoadOptions
from reconciler.rayfine.runtime.local_containers import find_image, start_ready
from reconciler.rayfine.runtime.orphans import guard_against_orphans


class Keeper:
    """Keeps one container. When this process ends, however it does, its watcher removes that."""

    def __init__(self, address: str) -> None:
        """`address` is the node's, as the cluster knows it."""
        self._address = address
        self._docker = Engine()
        self._container: Container | None = None

    def probe(self) -> dict[str, Any]:
        """Whether there is a Docker engine here: an error if not."""
        try:
            self._docker.check()
        except ProviderError as error:
            return _told(error)
        return {}

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start the container and wait until it is ready. `given`: `name`, `token`, `options`."""
        try:
            guard_against_orphans(self._docker, "")
            limits = Limits(**given["options"]["limits"])
            options = LoadOptions(**{**given["options"], "limits": limits})
            launch = Launch(
                given["name"],
                find_image(self._docker, options.image),
                options,
                publish=self._address,
                reach=self._address,
                token=given["token"],
            )
            self._container = start_ready(self._docker, launch)
        except ReconcileError as error:
            return _told(error)
        return {"port": self._container.client.endpoint.port}

    def explain(self, error: str) -> dict[str, Any]:
        """Why the connection to the container was lost. Secrets are taken out by who asked."""
        assert self._container is not None
        return {"error": asdict(self._container.last_words(Exception(error)))}

    def remove(self) -> dict[str, Any]:
        try:
            if self._container is not None:
                self._container.remove()
        except ReconcileError as error:
            return _told(error)
        return {}


def _told(error: ReconcileError) -> dict[str, Any]:
    return {"error": {"what": error.what, "where": error.where, "fix": error.fix}}
