"""env.py in an actor of Ray, whose direct driver is the agent.

Ray is started here with little (no dashboard, one CPU, a small object store), or joined where the
image's own command runs `ray start`. The actor is made before setup, so that setup is quick. What
goes through Ray are messages as bytes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from typing import Any

from . import faults, processes
from .codec import encode
from .engines import GRACE, Engine, Request
from .faults import CANCELLED, GONE, LATE, OK, Answer
from .wire import Wire

CONCURRENCY = 64
"""Calls side by side in one actor; synchronous methods still run one after the other."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ROTATION_MAX_BYTES": str(8 << 20),
    "RAY_ROTATION_BACKUP_COUNT": "1",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TQDM_PATCH_PRINT": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_max_direct_call_object_size": str(2 << 20),  # up to here without the object store
}


def quieten() -> None:
    """Let what is started from here do and say little, unless the image says otherwise."""
    os.environ.update({k: v for k, v in _QUIET.items() if k not in os.environ})


class RayEngine(Engine):
    """An actor per setup; the one for the next is made ahead."""

    package = __package__
    """The name of this package where the actor runs."""

    def __init__(self, root: str, settings: dict[str, Any]) -> None:
        """`settings`: `num_cpus`, `object_store` (bytes), `join` (a command, or empty)."""
        self._root = root
        self._settings = settings
        self._lock = threading.Lock()
        self._ray: Any = None
        self._class: Any = None
        self._actor: Any = None
        self._used = False
        self._kills = processes.oom_kills()

    def start(self) -> None:
        quieten()
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
        package, root = self.package, self._root

        class RayfineActor:
            def __init__(self) -> None:
                import ctypes  # noqa: PLC0415
                import importlib  # noqa: PLC0415
                import threading  # noqa: PLC0415

                sys.path.insert(0, root)
                runner = importlib.import_module(package + ".runner")
                sys.path.remove(root)
                threads: Any = []

                def interrupt() -> None:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(threads[0].ident), ctypes.py_object(runner.Cancelled)
                    )

                lane = runner.Lane(interrupt)
                threads.append(threading.Thread(target=lane.run, name="methods", daemon=True))
                threads[0].start()
                self._runner = runner.Runner(lane)

            def ping(self) -> None:
                """Be there."""

            def handle(self, operation: str, name: str, identity: str, body: bytes) -> Any:
                """What a worker does; the message in one piece."""
                status, pieces = self._runner.handle(operation, name, identity, body)
                return status, b"".join(pieces)

        return self._ray.remote(RayfineActor)

    def _new_actor(self) -> Any:
        options = {"max_concurrency": CONCURRENCY, "num_cpus": 0, "max_restarts": 0}
        return self._class.options(**options).remote()

    def setup(self, variables: dict[str, str], request: Request) -> Answer:  # noqa: ARG002 (they are in its body)
        with self._lock:
            if self._used:
                self._end(self._actor)
                self._actor = self._new_actor()
            self._used = True
            self.is_set_up = False
            self.state = "ready"
            answer = self.ask(request, None)
            assert answer is not None
            self.is_set_up = answer[0] == OK
            return answer

    def ask(self, request: Request, client: Wire | None) -> Answer | None:  # noqa: ARG002 (in one piece)
        errors = self._ray.exceptions
        actor = self._actor
        try:
            reference = actor.handle.remote(
                request.operation, request.name, request.identity, bytes(request.body)
            )
            try:
                status, message = self._ray.get(reference, timeout=request.limit or None)
            except errors.GetTimeoutError:
                return self._end_late(actor, reference, request)
        except errors.RayError as error:
            return self._gone(actor, error)
        return status, [message]

    def _end_late(self, actor: Any, reference: Any, request: Request) -> Answer:
        with contextlib.suppress(self._ray.exceptions.GetTimeoutError):
            stop = actor.handle.remote("cancel", "", request.identity, b"")
            self._ray.get(stop, timeout=GRACE)
            status, message = self._ray.get(reference, timeout=GRACE)
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

    def _gone(self, actor: Any, error: Exception) -> Answer:
        time.sleep(0.05)  # the kernel's count of kills comes a little later
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
