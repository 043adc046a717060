"""A process of ours that enters Ray, so that the caller does not: JSON lines in and out."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.rayfine.forks import anew_after_fork, let_go

_LAST_LINES = 5
_ASK_THERE = "see what that process says; after its end, load the environment again"
_SOURCES = Path(__file__).parents[3]
"""The directory with this package, for the process to import it from."""


class Child:
    """Runs a module. It ends when its standard input does, and so with this process."""

    def __init__(self, module: str) -> None:
        path = os.pathsep.join([str(_SOURCES), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter)
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # an interrupt at the terminal is for its owner
            text=True,
        )
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        anew_after_fork(self)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def after_fork(self) -> None:
        """It ends with the parent, which a copy of its pipe here would prevent."""
        let_go(self._process)

    def ask(self, message: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Its answer; empty if it ended, or was ended for not answering within so many seconds.

        A fork of this process has none: two would take each other's answers.
        """
        if self._owner != os.getpid():
            return {"error": {"what": "only the process that loaded it can ask", "fix": _ASK_THERE}}
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with self._lock:
            late = threading.Timer(seconds, process.kill)
            late.start()
            try:
                process.stdin.write(json.dumps(dict(message)) + "\n")
                process.stdin.flush()
                answer: dict[str, Any] = json.loads(process.stdout.readline() or "{}")
            except (OSError, ValueError):  # it is gone, or was cut off within a line
                return {}
            finally:
                late.cancel()
            return answer

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self._lines.append(line.rstrip()[:500])

    def last_words(self) -> str:
        """The last lines that it printed, on one line."""
        return " / ".join(self._lines)

    def end(self, seconds: float = 0.0) -> None:
        """Let it end by itself within so many seconds, then end it."""
        if seconds:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                self._process.stdin.close()
                self._process.wait(seconds)
        self._process.kill()
        self._process.wait()
        self._listener.join(1)  # what it had started may hold its standard error a little longer
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
