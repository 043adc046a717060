"""One container with the agent in it: created, started, waited for, diagnosed and removed.

Create and start are two steps under a name chosen before, so that whatever fails in between is
found and removed. Nothing is ever restarted: what setup did would be lost without a word.
"""

import contextlib
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import ConflictError, ProviderError, RayfineError
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.in_container.faults import Redactor
from reconciler.rayfine.runtime.agent_archive import COMMAND, pack
from reconciler.rayfine.runtime.agent_client import AgentClient, new_token
from reconciler.rayfine.runtime.agent_connections import ConnectionLostError, Endpoint
from reconciler.rayfine.runtime.errors import LoadError
from reconciler.rayfine.runtime.load_options import DEFAULT_RAY_PORT, LoadOptions
from reconciler.rayfine.runtime.network import own_networks
from reconciler.rayfine.runtime.owner import LAUNCH, process_labels
from reconciler.rayfine.runtime.replica import LINES, LastWords, Replica, cause_of

AGENT_PORT = 8466
CLIENT_PORT = 10001
"""Of Ray's client server, where the image's own `ray start` names no other."""

ENV_FILE = "/app/env.py"
GENERATED_COMMAND = (
    "ray",
    "start",
    "--head",
    "--port=6379",
    "--include-dashboard=false",
    "--block",
)
"""What images with a generated Dockerfile run by themselves; here the agent starts Ray leaner."""

_CLIENT_PORT = re.compile(r"--ray-client-server-port[= ](\d{1,5})\b")
_PORT_TAKEN = re.compile(r"already allocated|address already in use", re.IGNORECASE)
_MIB = 1 << 20
_OBJECT_STORE = 80 * _MIB
_POLL = 0.02
_LOOKS = 100
"""How often a container whose agent is lost is looked at, `_POLL` seconds apart."""
_FREEZES = 8
"""On a busy machine with cgroup v1, runc gives up freezing now and then."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One container to be. `image` is what the engine says of the image."""

    name: str
    image: Mapping[str, Any]
    options: LoadOptions
    publish: str = "127.0.0.1"
    reach: str = "127.0.0.1"
    token: str = field(default_factory=new_token, repr=False)
    ray_token: str = field(default_factory=new_token, repr=False)
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def engine(self) -> str:
        """What the agent is to run."""
        return "ray-head" if self.options.transport == "ray-client" else self.options.engine

    @property
    def client_port(self) -> int | None:
        """Where Ray's client server is published: 0 any free port, None nowhere."""
        if self.options.transport != "ray-client":
            return None
        return self.options.ray_port if self.options.ray_port != DEFAULT_RAY_PORT else 0


STARTED: set[str] = set()
"""Launches of this process whose containers may still be there."""


class Container(Replica):
    """A started container. Its name is for people: others may change it, or take it."""

    def __init__(self, docker: Engine, launch: Launch, found: str, port: int) -> None:
        """`found`: its id on the engine."""
        self.name = launch.name
        self._id = found
        self.launch = launch
        self._docker = docker
        self.client_port = 0
        self._redact = Redactor({})
        self._tunnel = docker.tunnel()
        self._path = self._tunnel.forward(port) if self._tunnel else ""
        self.client = AgentClient(Endpoint(launch.reach, port, launch.token, path=self._path))

    def hide(self, variables: Mapping[str, str]) -> None:
        self._redact.add(variables)

    def explain(self, error: Exception) -> RayfineError:
        return self.last_words(error).as_error(self._redact)

    def last_words(self, error: Exception) -> LastWords:
        """Why its agent does not answer, and its output as it is, secrets and all."""
        if self._tunnel is not None and self._tunnel.ends(0.5):
            what = f"the ssh connection was lost: {self._tunnel.trouble() or error}"
            return LastWords(what, self._tunnel.address, "load the environment again")
        found = self._state(_LOOKS)
        what, fix = cause_of(found)
        if not what:
            what = f"its agent was lost: {error}"
        output = "" if found is None else self._output()
        return LastWords(what, f"container {self.name}", fix, output)

    def remove(self) -> None:
        self.client.close()
        if self._tunnel is not None:
            self._tunnel.drop(self._path)
        remove_container(self._docker, self._id, self.launch.identity)

    def wait_ready(self) -> None:
        """Return when env.py can be set up. Raises `LoadError` as soon as it never will be."""
        deadline = time.monotonic() + self.launch.options.timeout
        while True:
            try:
                left = deadline - time.monotonic()
                health = self.client.health(max(min(left, 5.0), 0.1))
            except ConnectionLostError as error:
                if not (self._state() or {}).get("Running"):
                    raise self._failed(str(self.explain(error))) from error
                health = {"state": "starting"}
                time.sleep(_POLL)
            if health["state"] == "ready":
                return
            if health["state"] != "starting":
                raise self._failed(str(health["fault"]))
            if time.monotonic() > deadline:
                raise self._failed(f"it was not ready within {self.launch.options.timeout:g} s")

    def pause(self) -> None:
        """Stop its clock: no processor time, no lease."""
        for attempt in range(1, _FREEZES + 1):
            try:
                with self._docker.session() as client:
                    client.pause(self._id)
            except ProviderError as error:
                if "freeze" not in error.what or attempt == _FREEZES:
                    raise
                time.sleep(0.1 * attempt)
            else:
                return

    def unpause(self) -> None:
        with self._docker.session() as client:
            client.unpause(self._id)

    def rename(self, name: str) -> None:
        """Give it another name. Raises `ConflictError` if that is taken."""
        with self._docker.session() as client:
            client.rename(self._id, name)
        self.name = name

    def _failed(self, what: str) -> LoadError:
        fix = "see the reason above"
        if self.launch.engine == "ray" and "No module named 'ray'" in what:
            fix = "use an image with Ray, or load it with engine='process'"
        return LoadError(
            f"the environment did not start: {what}", where=f"container {self.name}", fix=fix
        )

    def _state(self, looks: int = 1) -> Mapping[str, Any] | None:
        """What the engine says of its state; None if there is no such container any more.

        A running one is looked at again, as the engine notices the end of a process a moment later.
        """
        with contextlib.suppress(ProviderError), self._docker.session() as client:
            state: Mapping[str, Any] = {}
            for look in range(looks):
                time.sleep(_POLL if look else 0)
                found = _inspect(client, self._id)
                if found is None:
                    return None
                state = found["State"]
                if not state.get("Running") or state.get("Paused"):
                    break
            return state
        return {"Unknown": True}

    def _output(self) -> str:
        with contextlib.suppress(ProviderError), self._docker.session() as client:
            raw = client.logs(self._id, tail=LINES, stdout=True, stderr=True)
            return bytes(raw).decode(errors="replace")
        return ""


def start_container(docker: Engine, launch: Launch) -> Container:
    """Create, fill and start; not waited for. Raises `LoadError`, and then leaves nothing."""
    STARTED.add(launch.identity)
    try:
        network = launch.options.network
        networks = (network,) if network else own_networks(docker)
        with docker.session() as client:
            made = _create(client, launch, networks[0])
            for other in networks[1:]:
                client.connect_container_to_network(made, other)
            client.put_archive(made, "/", pack(_settings(launch)))
            client.start(made)
            container = Container(docker, launch, made, _published(client, made, AGENT_PORT))
            if launch.client_port is not None:
                container.client_port = _published(client, made, port_inside(launch.image))
    except BaseException as error:
        # And the watcher looks again: a request that was interrupted may be carried out late.
        _remove(docker, launch.name, launch.identity)
        if isinstance(error, ConflictError):
            raise LoadError(
                f"the name is taken: {error.what}",
                where=f"container {launch.name}",
                fix="choose another container_name, or remove that container",
            ) from error
        if launch.client_port and _PORT_TAKEN.search(str(error)):
            raise LoadError(
                f"port {launch.client_port} is taken on this machine",
                where=f"container {launch.name}",
                fix="choose another ray_port, or leave it out for any free port",
            ) from error
        raise
    return container


def remove_container(docker: Engine, name: str, identity: str) -> None:
    """Remove a container by its name or id, if it is the one of this launch."""
    _remove(docker, name, identity)
    STARTED.discard(identity)


def _remove(docker: Engine, name: str, identity: str) -> None:
    from docker.errors import NotFound  # noqa: PLC0415

    with docker.session() as client:
        found = _inspect(client, name)
        if found is None or (found["Config"].get("Labels") or {}).get(LAUNCH) != identity:
            return
        try:
            if found["State"].get("Paused"):
                client.unpause(found["Id"])
            client.remove_container(found["Id"], force=True, v=True)
        except NotFound:
            return
        except Exception as error:
            if "already in progress" not in str(error):
                raise


def _inspect(client: Any, name: str) -> dict[str, Any] | None:
    from docker.errors import NotFound  # noqa: PLC0415

    try:
        found: dict[str, Any] = client.inspect_container(name)
    except NotFound:
        return None
    return found


def _create(client: Any, launch: Launch, network: str) -> str:
    limits = launch.options.limits
    ray = launch.engine != "process"
    memory = limits.memory or _suitable_memory(client)
    ports: dict[int, tuple[str] | tuple[str, int]] = {AGENT_PORT: (launch.publish,)}
    if launch.client_port is not None:
        at = (launch.publish, launch.client_port) if launch.client_port else (launch.publish,)
        ports[port_inside(launch.image)] = at
    host = client.create_host_config(
        init=True,
        mem_limit=memory,
        memswap_limit=memory,
        nano_cpus=int(limits.cpus * 1e9) or None,
        pids_limit=limits.pids or (2048 if ray else 256) + launch.options.max_concurrency,
        shm_size=limits.shm or (4 * _OBJECT_STORE if ray else 64 * _MIB),
        security_opt=["no-new-privileges"],
        port_bindings=ports,
        log_config={"Type": "json-file", "Config": {"max-size": "8m", "max-file": "1"}},
        network_mode=network,
    )
    made = client.create_container(
        launch.image["Id"],
        entrypoint=list(COMMAND[:1]),
        command=list(COMMAND[1:]),
        name=launch.name,
        ports=list(ports),
        labels={**process_labels(), LAUNCH: launch.identity},
        host_config=host,
    )
    return str(made["Id"])


def _suitable_memory(client: Any) -> int:
    """Three quarters of the machine: one environment alone never takes all of it."""
    return int(client.info()["MemTotal"] * 0.75)


def _settings(launch: Launch) -> dict[str, Any]:
    return {
        "token": launch.token,
        "port": AGENT_PORT,
        "engine": launch.engine,
        "file": ENV_FILE,
        "lease": launch.options.lease,
        "max_concurrency": launch.options.max_concurrency,
        "num_cpus": max(int(launch.options.limits.cpus), 1),
        "object_store": _OBJECT_STORE,
        "join": own_head(launch.image),
        "client_port": port_inside(launch.image),
        "ray_token": launch.ray_token,
    }


def port_inside(image: Mapping[str, Any]) -> int:
    """Where Ray's client server listens inside, in containers of this image."""
    found = _CLIENT_PORT.search(" ".join(own_head(image)))
    return int(found[1]) if found else CLIENT_PORT


def own_head(image: Mapping[str, Any]) -> list[str]:
    """The image's own command, where that is a `ray start` of somebody's choice."""
    config = image.get("Config") or {}
    command: Sequence[str] = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    text = " ".join(command)
    if "ray start" not in text or "--head" not in text or tuple(command) == GENERATED_COMMAND:
        return []
    return list(command)


def _published(client: Any, container: str, inside: int) -> int:
    """The port on this side. Raises `LoadError` where the container ended at once."""
    for _ in range(100):
        found = client.inspect_container(container)
        ports = (found["NetworkSettings"]["Ports"] or {}).get(f"{inside}/tcp")
        if ports:
            return int(ports[0]["HostPort"])
        if not found["State"]["Running"]:
            break
        time.sleep(_POLL)
    state = found["State"]
    what, fix = cause_of(state)
    raise LoadError(what, where=f"image {found['Config']['Image'][:30]}", fix=fix)
