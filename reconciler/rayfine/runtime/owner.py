"""Whose container it is: labels that name the process that started it, and whether that lives.

io.reconciler.session   one run of one process
io.reconciler.launch    one attempt to start one container
io.reconciler.boot      the boot of the machine that the process runs on
io.reconciler.machine   that machine, as a hash
io.reconciler.pid       `NAMESPACE:PID:START`: a process number alone is used again some day
"""

import hashlib
import os
import uuid
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

from reconciler.rayfine.docker.labels import PREFIX

SESSION = f"{PREFIX}session"
LAUNCH = f"{PREFIX}launch"
BOOT = f"{PREFIX}boot"
MACHINE = f"{PREFIX}machine"
PID = f"{PREFIX}pid"


class Owner(StrEnum):
    ALIVE = "alive"
    GONE = "gone"
    REBOOTED = "rebooted"
    UNKNOWN = "unknown"


def process_labels() -> dict[str, str]:
    """The labels of this process."""
    return {
        SESSION: _session(os.getpid()),
        BOOT: _read("/proc/sys/kernel/random/boot_id"),
        MACHINE: _machine(),
        PID: f"{_namespace()}:{os.getpid()}:{_started(os.getpid())}",
    }


def judge(labels: Mapping[str, str]) -> Owner:
    """Whether the process that these labels name is still there, as far as we can see."""
    boot = labels.get(BOOT, "")
    if not boot or not labels.get(PID):
        return Owner.UNKNOWN
    if boot != _read("/proc/sys/kernel/random/boot_id"):
        return Owner.REBOOTED if labels.get(MACHINE) == _machine() != "" else Owner.UNKNOWN
    namespace, _, rest = labels[PID].partition(":")
    pid, _, started = rest.partition(":")
    if namespace != _namespace() or not pid.isdigit():
        return Owner.UNKNOWN
    return Owner.ALIVE if _started(int(pid)) == started else Owner.GONE


@cache
def _session(pid: int) -> str:
    """One per process: a fork is another session."""
    return f"{pid}-{uuid.uuid4().hex[:16]}"


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; empty if there is none, or a zombie."""
    text = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return "" if len(text) < 20 or text[0] in "ZX" else text[19]


def _machine() -> str:
    found = _read("/etc/machine-id")
    return hashlib.sha256(found.encode()).hexdigest()[:16] if found else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text("ascii", "replace").strip()
    except OSError:
        return ""
