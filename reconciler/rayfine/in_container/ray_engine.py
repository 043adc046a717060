"""env.py in an actor of Ray, whose direct driver is the agent.

Ray is started here with little (no dashboard, one CPU, a small object store), or joined where the
image's own command runs `ray start`. The actor is made before setup, so that setup is quick. What
goes through Ray are messages as bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from typing import Any

from . import faults, processes
from .codec import encode
from .engines import Answer, Engine, Limit, Request, Threads
from .faults import CONFLICT, GONE

_AT_ONCE = 4096
"""Requests that the actor takes in; the runner in it lets them take turns."""

_LONG = 1 << 20
_PROBE_SECONDS = 0.1
_LONGEST_START = 120.0

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ROTATION_MAX_BYTES": str(8 << 20),
    "RAY_ROTATION_BACKUP_COUNT": "1",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TQDM_PATCH_PRINT": "0",
    "RAY_max_direct_call_object_size": str(2 << 20),  # up to here without the object store
}


def quieten(token: str) -> None:
    """Let what is started from here do and say little, unless the image says otherwise.

    `token` is what a Ray that knows tokens asks of all that speak to it: its ports can be reached.
    """
    os.environ.update({k: v for k, v in _QUIET.items() if k not in os.environ})
    if "RAY_AUTH_MODE" not in os.environ:
        know_token(token)


def know_token(token: str) -> None:
    """Show this token to Ray, or ask for it, in this process and those that it starts."""
    os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token})


class RayEngine(Engine):
    """An actor per setup; the one for the next is made ahead."""

    package = __package__
    """The name of this package where the actor runs."""

    def __init__(self, root: str, settings: dict[str, Any]) -> None:
        """`settings`: `num_cpus`, `object_store` (bytes), `join` (a command, or empty)."""
        super().__init__()
        self._root = root
        self._settings = settings
        self._threads = Threads()
        self._ray: Any = None
        self._class: Any = None
        self._used = False
        self._kills = processes.oom_kills()

    def start(self) -> None:
        quieten(self._settings["ray_token"])
        head = self._start_head()
        import ray  # noqa: PLC0415 (only where Ray is wanted)

        self._ray = ray
        if head is None:
            ray.init(
                num_cpus=self._settings["num_cpus"],
                include_dashboard=False,
                object_store_memory=self._settings["object_store"],
                log_to_driver=True,
                logging_level="warning",
            )
        else:
            self._join(head)
        self._class = self._make_class()
        self.current = self._new_actor()
        ray.get(self.current.ping.remote())
        self.state = "ready"

    def _start_head(self) -> Any:
        """Run the image's own `ray start`, where it has one."""
        command = self._settings["join"]
        if not command:
            return None
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 (the image's own)

    def _join(self, head: Any) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self._ray.init(address="auto", log_to_driver=True, logging_level="warning")
            except ConnectionError:
                if head.poll() not in (None, 0) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _make_class(self) -> Any:
        """The class of the actor, made without pickling anything of this package by name."""
        package, root, most = self.package, self._root, self._settings["max_concurrency"]

        class RayfineActor:
            def __init__(self) -> None:
                import importlib  # noqa: PLC0415
                import queue  # noqa: PLC0415
                import threading  # noqa: PLC0415

                sys.path.insert(0, root)
                runner = importlib.import_module(package + ".env_runner")
                sys.path.remove(root)
                jobs: Any = queue.SimpleQueue()
                lane = runner.Lane(jobs)
                threading.Thread(target=lane.run, name="methods", daemon=True).start()
                self._runner = runner.Runner(lane, jobs, most)

            def ping(self) -> None:
                """Be there."""

            async def handle(self, operation: str, name: str, identity: str, body: bytes) -> Any:
                """What a worker does; the message in one piece."""
                status, pieces = await self._runner.handle(operation, name, identity, body)
                return status, b"".join(pieces)

        return self._ray.remote(RayfineActor)

    def _new_actor(self) -> Any:
        options = {"max_concurrency": _AT_ONCE, "num_cpus": 0, "max_restarts": 0}
        return self._class.options(**options).remote()

    async def renew(self, variables: dict[str, str]) -> None:  # noqa: ARG002 (setup brings them)
        if self._used:
            self._kill(self.current)
            self.current = await self._threads.run(self._new_actor)
        self._used = True

    async def ask(self, request: Request) -> Answer:
        actor = self.current
        limit = Limit(self, actor, request)
        try:
            status, message = await (await self._submit(actor, request))
        except self._ray.exceptions.RayError as error:
            return await (limit.answer() if limit.forced else self._gone(actor, error))
        finally:
            limit.end()
        return limit.status(status), [message]

    async def _submit(self, actor: Any, request: Request) -> asyncio.Future[Any]:
        """Send it to the actor; a long one may block, and does that elsewhere."""
        given = request.operation, request.name, request.identity, bytes(request.body)
        submit = actor.handle.remote
        reference = (
            await self._threads.run(submit, *given) if len(given[3]) > _LONG else submit(*given)
        )
        return asyncio.wrap_future(reference.future())

    async def _gone(self, actor: Any, error: Exception) -> Answer:
        await asyncio.sleep(0.05)  # the kernel's count of kills comes a little later
        why = "the process of its Ray actor ended"
        if processes.oom_kills() > self._kills:
            why += ": it ran out of memory: the container's limit was reached"
        elif isinstance(error, self._ray.exceptions.OutOfMemoryError):
            why += ": it ran out of memory: Ray ended it near the container's limit"
        else:
            why += ", by os._exit, a crash or a signal (%s)" % type(error).__name__
        self._kills = processes.oom_kills()
        self.mark_ended(actor, why)
        return GONE, encode(faults.plain("ended", why))

    async def end(self, ended: Any, why: str) -> None:
        self.mark_ended(ended, why)
        self._kill(ended)

    def _kill(self, actor: Any) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(actor)

    def stop(self) -> None:
        """Nothing: everything of Ray ends with the container."""


class RayHead(Engine):
    """Ray with its client server, for a driver on the caller's side: no call comes through here.

    It is the image's own, or a lean one.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings`: `num_cpus`, `object_store` (bytes), `join` (a command), `client_port`."""
        super().__init__()
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

    async def renew(self, variables: dict[str, str]) -> None:
        """Nothing: setup is refused like every call."""

    async def ask(self, request: Request) -> Answer:  # noqa: ARG002 (refused)
        return CONFLICT, encode(faults.plain("request", "calls go through Ray Client"))

    async def end(self, ended: Any, why: str) -> None:
        """Nothing: there is nothing to be ended."""

    def stop(self) -> None:
        """Nothing: it ends with the container."""
