"""Connected to a Ray cluster, for one environment: `python -m reconciler.rayfine.cluster.placer`.

Lines of JSON on standard input, one line of JSON as the answer to each: `ok`, and `{"error": {what,
where, fix}}` if it went wrong. It ends with standard input, and with it the job and every keeper.

    {"op": "connect", "address": ...}
    {"op": "start", "launches": [...]}      -> {"started": [{"port", "host", "node"} or {"error"}]}
    {"op": "explain", "name": ..., "error": ...}    -> {"told": {what, where, fix}}
    {"op": "remove", "name": ...}

The code that runs on the nodes goes there with the job: this package and the Docker SDK, which
needs only what Ray brings along.
"""

import contextlib
import importlib.util
import json
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REMOVE_SECONDS = 30.0
PROBE_SECONDS = 60.0
FAREWELL_SECONDS = 25.0


class Placer:
    """The connection, and the keepers by the name of their container."""

    def __init__(self) -> None:
        self._ray: Any = None
        self._class: Any = None
        self._keepers: dict[str, tuple[Any, str]] = {}

    def connect(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Join the cluster as a driver."""
        import ray  # noqa: PLC0415 (only where Ray is wanted)

        self._ray = ray
        ray.init(
            given["address"],
            log_to_driver=False,
            logging_level="error",
            runtime_env={
                "py_modules": [_package("reconciler"), _package("docker")],
                "excludes": ["__pycache__"],
                # A watcher outlives its keeper, to remove the container: see runtime/orphans.py.
                "env_vars": {"RAY_kill_child_processes_on_worker_exit": "0"},
            },
        )
        from reconciler.rayfine.cluster.keeper import Keeper  # noqa: PLC0415 (goes to the nodes)

        self._class = ray.remote(num_cpus=0, max_restarts=0, max_concurrency=4)(Keeper)
        return {}

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start every launch on the nodes in turn, side by side."""
        nodes = [(node["NodeID"], node["NodeManagerAddress"]) for node in self._alive()]
        faults = self._probe(nodes)
        usable = [node for node in nodes if not faults[node[0]]]
        if not usable:
            listing = "; ".join(f"{address}: {faults[node]}" for node, address in nodes)
            return _error(f"no node of the Ray cluster has Docker ({listing})", "", _NO_DOCKER)
        work = []
        for number, launch in enumerate(given["launches"]):
            node, address = usable[number % len(usable)]
            keeper = self._keep(node, address)
            self._keepers[launch["name"]] = (keeper, address)
            work.append((keeper.start.remote(launch), address, node))
        started = [
            {**self._get(reference, address, given["seconds"]), "host": address, "node": node}
            for reference, address, node in work
        ]
        return {"started": started}

    def _alive(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _keep(self, node: str, address: str) -> Any:
        from ray.util.scheduling_strategies import (  # noqa: PLC0415 (only where Ray is wanted)
            NodeAffinitySchedulingStrategy,
        )

        here = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        return self._class.options(scheduling_strategy=here).remote(address)

    def _probe(self, nodes: list[tuple[str, str]]) -> dict[str, str]:
        """Why a node cannot be used, by its id; empty for one that can."""
        work = {node: self._keep(node, address) for node, address in nodes}
        asked = {node: keeper.probe.remote() for node, keeper in work.items()}
        found = {}
        for node, reference in asked.items():
            try:
                found[node] = str(self._ray.get(reference, timeout=PROBE_SECONDS))
            except self._ray.exceptions.RayError as error:
                found[node] = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
        for keeper in work.values():
            self._ray.kill(keeper)
        return found

    def explain(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Why the connection to a container was lost."""
        keeper, address = self._keepers[given["name"]]
        found = self._get(keeper.explain.remote(given["error"]), address, REMOVE_SECONDS)
        return {"told": found["error"]}

    def remove(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Remove a container. One on a node that is gone, is gone as well, or ends by its lease."""
        if given["name"] not in self._keepers:
            return {}
        keeper, _ = self._keepers.pop(given["name"])
        try:
            found: dict[str, Any] = self._ray.get(keeper.remove.remote(), timeout=REMOVE_SECONDS)
        except self._ray.exceptions.RayActorError:
            return {}
        self._ray.kill(keeper)
        return found

    def end(self) -> None:
        """Remove what is left, and leave the cluster."""
        if self._ray is not None:
            for work in [keeper.remove.remote() for keeper, _ in self._keepers.values()]:
                with contextlib.suppress(self._ray.exceptions.RayError):
                    self._ray.get(work, timeout=REMOVE_SECONDS)
            self._ray.shutdown()

    def _get(self, reference: Any, address: str, seconds: float) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._ray.get(reference, timeout=seconds)
        except self._ray.exceptions.RayActorError:
            what = f"node {address} of the Ray cluster was lost, or ended what ran there"
            return _error(what, "", "load the environment again")
        except self._ray.exceptions.RayError as error:
            what = f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"
            return _error(what, "", "see Ray's logs on that node")
        return found


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
            answer = _error(f"{type(error).__name__}: {error}"[:2000], "", "see the reason above")
        told.write(json.dumps(answer) + "\n")
        told.flush()
    late = threading.Timer(FAREWELL_SECONDS, os._exit, [1])  # nodes may be lost: they have leases
    late.daemon = True
    late.start()
    placer.end()
    os._exit(0)


if __name__ == "__main__":
    main()
