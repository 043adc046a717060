"""`reconcile` as the child of a step: its lines reach the log at once, and signals reach it.

A runner cancels a job with SIGINT, SIGTERM 7.5 s later and SIGKILL another 2.5 s later, sent to the
first process of the step alone. So they are passed on, and the step ends after its child: an apply
that is cancelled tells what became of every change. Nothing of what the child says is run.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import IO

from reconciler.errors import ReconcileError
from reconciler.github.runner import Runner, untrusted_log
from reconciler.support.signals import handled

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TOKENS = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
"""The variables that `gh` takes its token from."""
_CHUNK = 65_536
"""Bytes that are read at once: what a pipe holds."""
REFUSED = 4
"""Exit code of a plan or apply with refused changes."""


def run_reconcile(runner: Runner, arguments: Sequence[str]) -> tuple[int, str]:
    """Run the command; return its exit code (128 + N for signal N) and its result.

    Standard error is part of the result only if the command failed.
    """
    python = runner.get("RECONCILE_PYTHON")  # -P: nothing is imported from the directory
    program = [python, "-P", "-m", "reconciler"] if python else ["reconcile"]
    command = [*program, "-C", runner.directory, *arguments]
    with untrusted_log(), _Signals().handled() as started:
        try:
            child = subprocess.Popen(  # noqa: S603  (a list: no shell, no input as an option)
                command,
                bufsize=0,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(runner),
                process_group=0,  # a signal to the whole group would reach it twice
            )
        except OSError as error:
            raise ReconcileError(
                f"`reconcile` cannot be started: {error}", fix="use the action's own set-up"
            ) from error
        started(child)
        text, said = _pass_on(child)
    code = child.returncode if child.returncode >= 0 else 128 - child.returncode
    return code, text if code in (0, REFUSED) else f"{text}\n{said}"


def _environment(runner: Runner) -> dict[str, str]:
    """What the command gets: all but the tokens that only `gh` is for."""
    found = {name: value for name, value in runner.environ.items() if name not in _TOKENS}
    return {**found, "PYTHONUNBUFFERED": "1"}  # the plan is in the log before its changes begin


def _pass_on(child: subprocess.Popen[bytes]) -> tuple[str, str]:
    """Write every line of both streams to the log at once; return each stream whole.

    Standard output goes first if both have lines: the plan before its progress.
    """
    with child, selectors.DefaultSelector() as waiting:  # waits for its end, too
        streams = [_Stream(stream) for stream in (child.stdout, child.stderr) if stream]
        for stream in streams:
            waiting.register(stream, selectors.EVENT_READ)
        while waiting.get_map():
            waiting.select()
            for stream in streams:
                if stream.open and not stream.pass_on():
                    waiting.unregister(stream)
    text, said = (b"".join(stream.whole).decode("utf-8", "replace") for stream in streams)
    return text, said


class _Stream:
    """One end of a pipe, read as far as there is something to read."""

    def __init__(self, end: IO[bytes]) -> None:
        os.set_blocking(end.fileno(), False)
        self._end = end
        self._line = b""
        self.whole: list[bytes] = []
        self.open = True

    def fileno(self) -> int:
        return self._end.fileno()

    def pass_on(self) -> bool:
        """Write what is there to the log, in whole lines. Returns whether there may be more."""
        while data := self._end.read(_CHUNK):
            self.whole.append(data)
            lines, newline, self._line = (self._line + data).rpartition(b"\n")
            _log(lines + newline)
        self.open = data is None  # nothing at the moment
        if not self.open and self._line:
            _log(self._line + b"\n")
        return self.open


def _log(lines: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # the log has gone: the command goes on
        sys.stdout.write(lines.decode("utf-8", "replace"))
        sys.stdout.flush()


class _Signals:
    """Hands signals on to a child; one that comes before there is a child, as soon as there is."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    @contextmanager
    def handled(self) -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
        """Handle the signals within the block, which has to call what it gets with the child."""
        with handled(self._pass, *_SIGNALS):
            yield self._start

    def _start(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        for number in self._early:
            child.send_signal(number)

    def _pass(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        else:
            self._child.send_signal(number)
