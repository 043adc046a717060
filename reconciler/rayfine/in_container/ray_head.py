"""Ray with its client server, for a driver on the caller's side: no call comes through here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from typing import Any

from . import faults
from .codec import encode
from .engines import Answer, Engine, Request
from .faults import CONFLICT
from .ray_engine import quieten

_PROBE_SECONDS = 0.1
_LONGEST_START = 120.0


class RayHead(Engine):
    """A Ray head: the image's own, or a lean one."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings`: `num_cpus`, `object_store` (bytes), `join` (a command), `client_port`."""
        self._settings = settings

    def start(self) -> None:
        quieten(self._settings["ray_token"])
        os.environ["GRPC_ENABLE_FORK_SUPPORT"] = (
            "0"  # its handlers hang what the client server forks
        )
        from importlib import metadata  # noqa: PLC0415 (Python 3.8 has it, and only this needs it)

        self.ray_version = metadata.version("ray")
        deadline = time.monotonic() + _LONGEST_START
        if self._settings["join"]:
            self._start_own(deadline)
        else:
            self._start_lean()
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError("Ray's client server does not answer inside the container")
            time.sleep(_PROBE_SECONDS)
        self.state = "ready"

    def _start_lean(self) -> None:
        """`ray start` returns when all of Ray runs; its client server alone is there before that.

        Whoever connects in between spoils that server for good.
        """
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head"),
            "--include-dashboard=false",
            "--num-cpus=%d" % self._settings["num_cpus"],
            "--object-store-memory=%d" % self._settings["object_store"],
            "--ray-client-server-port=%d" % self._settings["client_port"],
        ]
        # What it prints is a page of advice; errors are on its standard error.
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603 (ours)
        if code != 0:
            raise RuntimeError("`ray start` ended with exit code %s" % code)

    def _start_own(self, deadline: float) -> None:
        """The image's own command may stay in the foreground: a driver tells when all is there."""
        head = subprocess.Popen(self._settings["join"], stdin=subprocess.DEVNULL)  # noqa: S603 (the image's own)
        probe = [sys.executable, "-c", "import ray; ray.init(address='auto', log_to_driver=False)"]
        while subprocess.run(probe, capture_output=True, check=False).returncode != 0:  # noqa: S603 (ours)
            if head.poll() not in (None, 0):
                raise RuntimeError("`ray start` ended with exit code %s" % head.returncode)
            if time.monotonic() > deadline:
                raise RuntimeError("the image's own `ray start` brings up no Ray")

    def _answers(self) -> bool:
        """Whether it listens, seen from inside: a published port accepts long before that."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self._settings["client_port"])) == 0

    async def setup(self, variables: dict[str, str], request: Request) -> Answer:  # noqa: ARG002 (refused)
        return CONFLICT, encode(faults.plain("request", "setup goes through Ray Client"))

    async def ask(self, request: Request) -> Answer:  # noqa: ARG002 (refused)
        return CONFLICT, encode(faults.plain("request", "calls go through Ray Client"))

    def stop(self) -> None:
        """Nothing: it ends with the container."""
