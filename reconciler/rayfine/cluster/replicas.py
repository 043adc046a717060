"""`load_env(..., ray_address=...)`: each replica on a node of a Ray cluster, called over HTTP."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import util
from typing import Any

from reconciler.errors import RayfineError
from reconciler.rayfine.in_container.faults import Redactor
from reconciler.rayfine.runtime.agent_client import AgentClient, new_token
from reconciler.rayfine.runtime.agent_connections import ConnectionLostError, Endpoint
from reconciler.rayfine.runtime.child import Child
from reconciler.rayfine.runtime.errors import EnvironmentEndedError, LoadError
from reconciler.rayfine.runtime.load_options import LoadOptions
from reconciler.rayfine.runtime.local_containers import replica_names
from reconciler.rayfine.runtime.replica import LastWords, Replica

_CONNECT_SECONDS = 60.0
_ATTEMPTS = 2
"""Ray's client server starts a process per driver, and on a busy head now and then fails to."""

_LISTEN_SECONDS = 10.0
_ASK_SECONDS = 45.0
_FAREWELL_SECONDS = 30.0
_MARGIN = 60.0
"""Seconds beyond the time limit of a start: Ray brings our code to the nodes first."""

_PLACER = "reconciler.rayfine.cluster.placer"
_ON_EVERY_NODE = (
    "the image has to be on every node with Docker: push it to a registry and pull it there, or "
    "load it: docker save IMAGE | ssh NODE docker load"
)


def start_on_cluster(options: LoadOptions, identity: str) -> Sequence[Replica]:
    """Start every replica and wait until all are ready. Raises `LoadError`, leaving none behind."""
    if util.find_spec("ray") is None:
        raise LoadError(
            "a Ray cluster needs Ray on this side as well",
            where=options.ray_address,
            fix="install the cluster's version: pip install 'ray[client]==VERSION'",
        )
    _require_listening(options.ray_address)
    stated = asdict(options)
    launches = [
        {"name": name, "token": new_token(), "options": stated}
        for name in replica_names(identity, options.replicas)
    ]
    placement = Placement(options.ray_address, len(launches))
    try:
        placement.connect()
        asked = {"op": "start", "launches": launches, "seconds": options.timeout + _MARGIN}
        found = placement.ask(asked, options.timeout + 2 * _MARGIN)
        _require_started(found["started"])
        pairs = zip(launches, found["started"], strict=True)
        replicas = [OnNode(launch, item, placement) for launch, item in pairs]
        for replica in replicas:
            replica.require_reachable()
    except BaseException:
        placement.end()
        raise
    return replicas


def _require_listening(address: str) -> None:
    """Raise `LoadError` where nothing listens: Ray itself would try for a minute or more."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return  # `auto`, or something that Ray has words about
    try:
        socket.create_connection((host.strip("[]"), int(port)), _LISTEN_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise LoadError(
            f"no Ray cluster answers: {error}",
            where=address,
            fix="see that the address is right and the cluster runs; ray:// has port 10001",
        ) from error


def _require_started(items: Sequence[Mapping[str, Any]]) -> None:
    for item in items:
        if "error" in item:
            told = item["error"]
            missing = "no such image" in told["what"]
            where = f"node {item['host']}"
            raise LoadError(
                told["what"],
                where=f"{where}, {told['where']}" if told["where"] else where,
                fix=_ON_EVERY_NODE if missing else told["fix"],
            )


class Placement:
    """The process that is connected to the cluster. It ends with the last of its replicas."""

    def __init__(self, address: str, replicas: int) -> None:
        self.address = address
        self._left = replicas
        self._child = Child(_PLACER)

    def connect(self) -> None:
        """Join the cluster. Raises `LoadError`."""
        message = {"op": "connect", "address": self.address}
        for left in reversed(range(_ATTEMPTS)):
            found = self._child.ask(message, _CONNECT_SECONDS)
            if not left or (found and "client server failed" not in str(found.get("error"))):
                break
            self._child.end()
            self._child = Child(_PLACER)
        self._checked(found)

    def ask(self, message: Mapping[str, Any], seconds: float = _ASK_SECONDS) -> dict[str, Any]:
        """The answer. Raises `LoadError` where it is an error, or does not come."""
        return self._checked(self._child.ask(message, seconds))

    def _checked(self, found: dict[str, Any]) -> dict[str, Any]:
        told = found.get("error")
        if told is None and found.get("ok"):
            return found
        if told is None:
            why = self._child.last_words() or "our connection to it gave no answer in time"
            told = {"what": why, "fix": "see that the address is right and the cluster runs"}
        raise LoadError(f"the Ray cluster: {told['what']}", where=self.address, fix=told["fix"])

    def remove(self, name: str) -> None:
        """Remove one replica's container; after the last one the connection ends."""
        try:
            self.ask({"op": "remove", "name": name})
        finally:
            self._left -= 1
            if self._left <= 0:
                self.end()

    def end(self) -> None:
        """Leave the cluster: the job ends, and with it whatever it still keeps there."""
        self._child.end(_FAREWELL_SECONDS)


class OnNode(Replica):
    """A container on a node of the cluster."""

    def __init__(
        self, launch: Mapping[str, Any], started: Mapping[str, Any], placement: Placement
    ) -> None:
        self.name = launch["name"]
        self.node = str(started["host"])
        self._placement = placement
        self._redact = Redactor({})
        self._removed = False
        endpoint = Endpoint(self.node, int(started["port"]), launch["token"])
        self.client = AgentClient(endpoint)

    def require_reachable(self) -> None:
        """Raise `LoadError` unless its agent answers here, and not only on its node."""
        try:
            self.client.health()
        except ConnectionLostError as error:
            port = self.client.endpoint.port
            raise LoadError(
                f"its container runs, but its port {port} cannot be reached from here: {error}",
                where=f"node {self.node}",
                fix="let this machine reach the nodes' ports (Docker takes free ones, on Linux "
                "32768 to 60999), or call from inside the cluster's network",
            ) from error

    def hide(self, variables: Mapping[str, str]) -> None:
        self._redact.add(variables)

    def explain(self, error: Exception) -> RayfineError:
        where = f"container {self.name} on node {self.node}"
        asked = {"op": "explain", "name": self.name, "error": str(error)}
        try:
            told = self._placement.ask(asked)["told"]
        except LoadError as lost:
            return EnvironmentEndedError(lost.what, where=where, fix=lost.fix)
        return LastWords(**{**told, "where": where}).as_error(self._redact)

    def remove(self) -> None:
        self.client.close()
        if not self._removed:
            self._removed = True
            self._placement.remove(self.name)
