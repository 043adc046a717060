"""env.py in an actor of Ray, whose direct driver is the agent.

Ray is started here with little (no dashboard, one CPU, a small object store), or joined where the
image's own command runs `ray start`. The actor is made before setup, so that setup is quick. What
goes through Ray are messages as bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from typing import Any

from . import faults, processes
from .codec import encode
from .engines import GRACE, Answer, Engine, Request, Threads
from .faults import CANCELLED, GONE, LATE, OK

_AT_ONCE = 4096
"""Requests that the actor takes in; the runner in it lets them take turns."""

_LONG = 1 << 20

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
        self._root = root
        self._settings = settings
        self._threads = Threads()
        self._setting_up: asyncio.Lock | None = None
        self._ray: Any = None
        self._class: Any = None
        self._actor: Any = None
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
        self._actor = self._new_actor()
        ray.get(self._actor.ping.remote())
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
                lanes = importlib.import_module(package + ".lanes")
                sys.path.remove(root)
                jobs: Any = queue.SimpleQueue()
                lane = lanes.Lane(jobs)
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

    async def setup(self, variables: dict[str, str], request: Request) -> Answer:  # noqa: ARG002 (they are in its body)
        self._setting_up = self._setting_up or asyncio.Lock()  # in the loop that uses it
        async with self._setting_up:
            if self._used:
                self._end(self._actor)
                self._actor = await self._threads.run(self._new_actor)
            self._used = True
            self.is_set_up = False
            self.state = "ready"
            answer = await self.ask(request)
            self.is_set_up = answer[0] == OK
            return answer

    async def ask(self, request: Request) -> Answer:
        actor = self._actor
        try:
            work = await self._submit(actor, request)
            await asyncio.wait({work}, timeout=request.limit or None)
            if not work.done():
                return await self._end_late(actor, work, request)
            status, message = work.result()
        except self._ray.exceptions.RayError as error:
            return await self._gone(actor, error)
        return status, [message]

    async def _submit(self, actor: Any, request: Request) -> asyncio.Future[Any]:
        """Send it to the actor; a long one may block, and does that elsewhere."""
        given = request.operation, request.name, request.identity, bytes(request.body)
        submit = actor.handle.remote
        reference = (
            await self._threads.run(submit, *given) if len(given[3]) > _LONG else submit(*given)
        )
        return asyncio.wrap_future(reference.future())

    async def _end_late(self, actor: Any, work: asyncio.Future[Any], request: Request) -> Answer:
        stop = await self._submit(actor, Request("cancel", identity=request.identity))
        await asyncio.wait({stop, work}, timeout=GRACE)
        if not work.done():
            await asyncio.wait({work}, timeout=GRACE)
        if work.done():
            status, message = work.result()
            return (LATE if status == CANCELLED else status), [message]
        self._end(actor)
        why = (
            "a call went on after its time limit of %g s and was ended by force; "
            "what setup did is lost" % request.limit
        )
        self._mark_ended(actor, why)
        return LATE, encode(faults.plain("late", why, ended=True))

    def _mark_ended(self, actor: Any, why: str) -> None:
        """Of an actor that setup has replaced, only its callers hear."""
        if actor is self._actor:
            self.state, self.fault, self.is_set_up = "ended", why, False

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
        self._mark_ended(actor, why)
        return GONE, encode(faults.plain("ended", why))

    def _end(self, actor: Any) -> None:
        with contextlib.suppress(Exception):
            self._ray.kill(actor)

    def stop(self) -> None:
        """Nothing: everything of Ray ends with the container."""
