"""Connected to a Ray cluster, for one environment: `python -m reconciler.rayfine.cluster.placer`.

Lines of JSON on standard input, one line of JSON as the answer to each: `ok`, and `{"error": {what,
where, fix}}` if it went wrong. It ends with standard input, and with it the job and every keeper.

    {"op": "connect", "address": ...}
    {"op": "start", "launches": [...]}      -> {"started": [{"port", "host", "node"} or {"error"}]}
    {"op": "explain", "name": ..., "error": ...}    -> {"told": LastWords}
    {"op": "remove", "name": ...}

The code that runs on the nodes goes there with the job: this package and the Docker SDK, which
needs only what Ray brings along.
"""

import contextlib
import importlib.util
import json
import os
import random
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REMOVE_SECONDS = 30.0
EXPLAIN_SECONDS = 10.0
PROBE_SECONDS = 60.0
FAREWELL_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A keeper, and the id and address of the node that it is on."""

    keeper: Any
    node: str
    address: str


class Placer:
    """The connection, and the keepers by the name of their container."""

    def __init__(self) -> None:
        self._ray: Any = None
        self._class: Any = None
        self._keepers: dict[str, Kept] = {}

    def connect(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Join the cluster as a driver."""
        import ray  # noqa: PLC0415 (only where Ray is wanted)

        self._ray = ray
        try:
            ray.init(
                given["address"],
                log_to_driver=False,
                logging_level="error",
                runtime_env={
                    "py_modules": [_package("reconciler"), _package("docker")],
                    "excludes": ["__pycache__"],
                    # A watcher outlives its keeper, to remove the container: runtime/orphans.py.
                    "env_vars": {"RAY_kill_child_processes_on_worker_exit": "0"},
                },
            )
        except Exception as error:
            if "ersion" not in str(error) or "mismatch" not in str(error).lower():
                raise
            return _error(" ".join(str(error).split()), "", _SAME_VERSIONS)
        from reconciler.rayfine.cluster.keeper import Keeper  # noqa: PLC0415 (goes to the nodes)

        self._class = ray.remote(num_cpus=0, max_restarts=0, max_concurrency=4)(Keeper)
        return {}

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start every launch on the nodes in turn, side by side."""
        launches = given["launches"]
        usable, faults = self._usable(len(launches))
        if not usable:
            listing = "; ".join(f"{address}: {fault}" for address, fault in faults.items())
            return _error(f"no node of the Ray cluster has Docker ({listing})", "", _NO_DOCKER)
        work = []
        for number, launch in enumerate(launches):
            kept = usable[number % len(usable)]
            if number >= len(usable):
                kept = self._keep(kept.node, kept.address)
            self._keepers[launch["name"]] = kept
            work.append((kept.keeper.start.remote(launch), kept))
        started = [
            {
                **self._get(reference, kept, given["seconds"]),
                "host": kept.address,
                "node": kept.node,
            }
            for reference, kept in work
        ]
        return {"started": started}

    def _usable(self, count: int) -> tuple[list[Kept], dict[str, str]]:
        """Keepers on up to so many nodes with Docker; why the others that were asked have none.

        In any order, so that one environment after the other does not fill the same node; and no
        more nodes are asked than are needed, since each costs it a process.
        """
        nodes = [(node["NodeID"], node["NodeManagerAddress"]) for node in self._alive()]
        random.shuffle(nodes)
        usable: list[Kept] = []
        faults: dict[str, str] = {}
        while nodes and len(usable) < count:
            missing = count - len(usable)
            asked = [self._keep(*node) for node in nodes[:missing]]
            nodes = nodes[missing:]
            for kept, fault in zip(asked, self._probe(asked), strict=True):
                if fault:
                    faults[kept.address] = fault
                    self._ray.kill(kept.keeper)
                else:
                    usable.append(kept)
        return usable, faults

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _keep(self, node: str, address: str) -> Kept:
        from ray.util.scheduling_strategies import (  # noqa: PLC0415 (only where Ray is wanted)
            NodeAffinitySchedulingStrategy,
        )

        here = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        keeper = self._class.options(scheduling_strategy=here).remote(address)
        return Kept(keeper, node, address)

    def _probe(self, asked: Sequence[Kept]) -> list[str]:
        """Why each of their nodes cannot be used; empty for one that can."""
        found = []
        deadline = time.monotonic() + PROBE_SECONDS
        for kept, reference in [(kept, kept.keeper.probe.remote()) for kept in asked]:
            left = max(deadline - time.monotonic(), 0.1)
            answer = self._get(reference, kept, left)
            found.append(str(answer["error"]["what"]) if "error" in answer else "")
        return found

    def explain(self, given: Mapping[str, Any]) -> dict[str, Any]:
        kept = self._keepers[given["name"]]
        found = self._get(kept.keeper.explain.remote(given["error"]), kept, EXPLAIN_SECONDS)
        return {"told": found["error"]}

    def remove(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a container.

        Of a node or a cluster that is lost nothing can be asked: its keepers end, and what they
        kept with them, or by its lease.
        """
        if given["name"] not in self._keepers:
            return {}
        kept = self._keepers.pop(given["name"])
        try:
            found: dict[str, Any] = self._ray.get(
                kept.keeper.remove.remote(), timeout=REMOVE_SECONDS
            )
        except self._ray.exceptions.RayActorError:
            return {}
        except Exception as error:
            if self._is_lost(error):
                return {}
            raise
        self._ray.kill(kept.keeper)
        return found

    def failed(self, error: Exception) -> dict[str, Any]:
        if self._is_lost(error):
            return _error("the connection to it was lost", "", _ENDED)
        return _error(f"{type(error).__name__}: {error}"[:2000], "", "see the reason above")

    def _is_lost(self, error: Exception) -> bool:
        """Whether there was a connection, and is none any more."""
        if self._class is None:
            return False
        return isinstance(error, ConnectionError) or not self._ray.is_initialized()

    def end(self) -> None:
        if self._ray is not None:
            for work in [kept.keeper.remove.remote() for kept in self._keepers.values()]:
                with contextlib.suppress(self._ray.exceptions.RayError):
                    self._ray.get(work, timeout=REMOVE_SECONDS)
            self._ray.shutdown()

    def _get(self, reference: Any, kept: Kept, seconds: float) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._ray.get(reference, timeout=seconds)
        except self._ray.exceptions.RayError as error:
            return _error(self._words(error, kept), "", _AGAIN)
        return found

    def _words(self, error: Exception, kept: Kept) -> str:
        node = f"node {kept.address} of the Ray cluster"
        if type(error).__name__ in ("GetTimeoutError", "ActorUnavailableError"):
            return f"{node} does not answer: it may be lost"
        last = str(error).strip().splitlines()[-1]
        if not isinstance(error, self._ray.exceptions.RayActorError):
            return f"{type(error).__name__}: {last}"
        if kept.node not in [node["NodeID"] for node in self._alive()]:
            return f"{node} was lost: it is no part of the cluster any more"
        return f"{node} ended the process that kept the container: {last}"


_AGAIN = "load the environment again; Ray's own logs on that node may say more"
_ENDED = "load the environment again; what ran there ends with its job, at the latest by its lease"
_SAME_VERSIONS = (
    "use the cluster's versions here, as Ray asks of every driver: pip install "
    "'ray[client]==VERSION', on the same Python"
)
_NO_DOCKER = (
    "install Docker on the nodes, and let the user of Ray there use it: the group docker, or "
    "DOCKER_HOST where `ray start` runs"
)


def _package(name: str) -> str:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent)


def _error(what: str, where: str, fix: str) -> dict[str, Any]:
    return {"error": {"what": what, "where": where, "fix": fix}}


def main() -> None:
    """Answer until standard input ends."""
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what Ray prints is no answer of ours
    placer = Placer()
    operations = {
        "connect": placer.connect,
        "start": placer.start,
        "explain": placer.explain,
        "remove": placer.remove,
    }
    for line in sys.stdin:
        given = json.loads(line)
        try:
            answer = {"ok": True, **operations[given["op"]](given)}
        except Exception as error:  # noqa: BLE001 (its owner tells it in its own words)
            answer = placer.failed(error)
        told.write(json.dumps(answer) + "\n")
        told.flush()
    late = threading.Timer(FAREWELL_SECONDS, os._exit, [1])  # nodes may be lost: they have leases
    late.daemon = True
    late.start()
    placer.end()
    os._exit(0)


if __name__ == "__main__":
    main()
