"""`reconcile` as the child of a step: its lines reach the log at once, and signals reach it.

A runner cancels a job with SIGINT, SIGTERM 7.5 s later and SIGKILL another 2.5 s later, sent to the
first process of the step alone. So they are passed on, and the step ends after its child: an apply
that is cancelled tells what became of every change. Nothing of what the child says is run.
"""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import IO

from reconciler.errors import ReconcileError
from reconciler.github.runner import Runner, untrusted_log

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TOKENS = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
"""The variables that `gh` takes its token from."""
REFUSED = 4
"""Exit code of a plan or apply with refused changes."""


def run_reconcile(runner: Runner, arguments: Sequence[str]) -> tuple[int, str]:
    """Run the command in the directory asked for; its exit code (128 + N for signal N) and result.

    What it says on standard error is part of the result only where it failed.
    """
    python = runner.get("RECONCILE_PYTHON")  # -P: nothing is imported from the directory
    program = [python, "-P", "-m", "reconciler"] if python else ["reconcile"]
    command = [*program, "-C", runner.get("RECONCILE_DIRECTORY", "."), *arguments]
    with untrusted_log(), _Signals().handled() as started:
        try:
            child = subprocess.Popen(  # noqa: S603  (a list: no shell, no input as an option)
                command,
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
    """Write every line of both streams to the log as it comes; return each stream whole."""
    one_at_a_time = threading.Lock()

    def read(stream: IO[bytes], lines: list[str]) -> None:
        for line in stream:
            text = line.decode("utf-8", "replace")
            lines.append(text)
            with one_at_a_time, contextlib.suppress(OSError, ValueError):  # the log has gone
                sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
                sys.stdout.flush()

    whole: tuple[list[str], list[str]] = ([], [])
    with child:  # waits for it, and closes what is read here
        pairs = zip((child.stdout, child.stderr), whole, strict=True)
        readers = [threading.Thread(target=read, args=pair) for pair in pairs]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    text, said = map("".join, whole)
    return text, said


class _Signals:
    """Hands signals on to a child; one that comes before there is a child, as soon as there is."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    @contextmanager
    def handled(self) -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
        """Handle the signals within the block, which has to call what it gets with the child."""
        before = {number: signal.signal(number, self._pass) for number in _SIGNALS}
        try:
            yield self._start
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        for number in self._early:
            child.send_signal(number)

    def _pass(self, number: int, _frame: FrameType | None) -> None:
        if self._child is None:
            self._early.append(number)
        else:
            self._child.send_signal(number)
