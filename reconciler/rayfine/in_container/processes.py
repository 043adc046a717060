"""The process with env.py, and everything that it may leave behind. Linux."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import threading
import time
from concurrent import futures

from .streams import Stream

_REMEMBERED = 10_000
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, linux/prctl.h
_OOM_COUNTERS = (
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
)


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent ended, so that none escapes."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


class Children:
    """Takes leave of every child of this process, adopted ones as well. One per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[int, int] = {}
        self._waiting: dict[int, futures.Future[int]] = {}
        threading.Thread(target=self._reap, name="reaper", daemon=True).start()

    def end(self, pid: int) -> futures.Future[int]:
        """How a child ends, once it has. Ask for it once, after its start."""
        future: futures.Future[int] = futures.Future()
        with self._lock:
            if pid in self._statuses:  # it was quicker
                future.set_result(self._statuses.pop(pid))
            else:
                self._waiting[pid] = future
        return future

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(0.05)
                continue
            with self._lock:
                future = self._waiting.pop(pid, None)
                if future is None:
                    self._statuses[pid] = status
                while len(self._statuses) > _REMEMBERED:  # most are adopted, of no interest
                    del self._statuses[next(iter(self._statuses))]
            if future is not None:
                future.set_result(status)


class Worker:
    """A started worker process, and connections to it. `end` is its status, once it has ended."""

    def __init__(self, pid: int, path: str, children: Children) -> None:
        self.path = path
        self.end = children.end(pid)
        self.streams: set[Stream] = set()
        self.watched = False
        self._kills = oom_kills()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        with contextlib.suppress(futures.TimeoutError):
            self.end.result(seconds)
        return self.end.done()

    def disconnect(self) -> None:
        """Close the connections to it, in the event loop that has them."""
        for stream in tuple(self.streams):
            stream.close()

    def wait_listening(self, seconds: float) -> None:
        """Return when it can be connected to. Raises `OSError`."""
        deadline = time.monotonic() + seconds
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(self.path) == 0:
                    return
            if self.end.done() or time.monotonic() > deadline:
                raise OSError("the process for env.py did not start")
            time.sleep(0.005)

    def cause(self) -> str:
        status = self.end.result()
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGKILL and oom_kills() > self._kills:
                return "its process ran out of memory: the container's limit was reached"
            return "its process was ended by signal %d (%s)" % (
                number,
                signal.Signals(number).name,
            )
        return "its process ended with exit code %d" % os.WEXITSTATUS(status)

    def kill(self) -> None:
        """End it and all that it started, whatever they do against it."""
        for _ in range(200):
            if not kill_descendants() and self.wait(0.01):
                return
            time.sleep(0.005)


def kill_descendants() -> int:
    """One round against every process below this one; how many there were.

    All are stopped before any is ended, so that none has time to start others.
    """
    found = _descendants()
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, number)
    return len(found)


def _descendants() -> list[int]:
    """Every process below this one, zombies aside."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError), open("/proc/%s/stat" % name) as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(name)] = int(parent)
    found: list[int] = []
    for pid in parents:
        above = pid
        for _ in range(len(parents)):
            above = parents.get(above, 0)
            if above in (0, os.getpid()):
                break
        if above == os.getpid():
            found.append(pid)
    return found


def oom_kills() -> int:
    """How many processes of this container were ended for want of memory so far."""
    for path in _OOM_COUNTERS:
        with contextlib.suppress(OSError, ValueError), open(path) as file:
            for line in file:
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return 0
