"""Ray with its client server, for a driver on the caller's side: no call comes through here."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import Any

from . import faults
from .codec import encode
from .engines import Engine, Request
from .faults import CONFLICT, Answer
from .ray_engine import quieten
from .wire import Wire

_PROBE_SECONDS = 0.1
_LONGEST_START = 120.0


class RayHead(Engine):
    """A Ray head: the image's own, or a lean one."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings`: `num_cpus`, `object_store` (bytes), `join` (a command), `client_port`."""
        self._settings = settings

    def start(self) -> None:
        quieten()
        from importlib import metadata  # noqa: PLC0415 (Python 3.8 has it, and only this needs it)

        self.ray_version = metadata.version("ray")
        own = self._settings["join"]
        head = subprocess.Popen(  # noqa: S603 (the image's own, or ours)
            own or self._command(),
            stdin=subprocess.DEVNULL,
            stdout=None if own else subprocess.DEVNULL,  # a page of advice
        )
        deadline = time.monotonic() + _LONGEST_START
        while not self._answers():
            if head.poll() not in (None, 0):
                raise RuntimeError("`ray start` ended with exit code %s" % head.returncode)
            if time.monotonic() > deadline:
                raise RuntimeError("Ray's client server does not answer inside the container")
            time.sleep(_PROBE_SECONDS)
        self.state = "ready"

    def _command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
            "--include-dashboard=false",
            "--num-cpus=%d" % self._settings["num_cpus"],
            "--object-store-memory=%d" % self._settings["object_store"],
            "--ray-client-server-port=%d" % self._settings["client_port"],
        ]

    def _answers(self) -> bool:
        """Whether it listens, seen from inside: a published port accepts long before that."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self._settings["client_port"])) == 0

    def setup(self, variables: dict[str, str], request: Request) -> Answer:  # noqa: ARG002 (refused)
        return CONFLICT, encode(faults.plain("request", "setup goes through Ray Client"))

    def ask(self, request: Request, client: Wire | None) -> Answer | None:  # noqa: ARG002 (refused)
        return CONFLICT, encode(faults.plain("request", "calls go through Ray Client"))

    def stop(self) -> None:
        """Nothing: it ends with the container."""
