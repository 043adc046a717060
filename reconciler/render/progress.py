"""What happens during an apply -> lines as Terraform prints them, or a live display."""

import itertools
import threading
import time
from collections.abc import Callable

from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Change
from reconciler.render.escape import printable_lines
from reconciler.render.summary import WORDS
from reconciler.support.printable import printable
from reconciler.support.terminal import Screen

_MOST_RUNNING = 8
"""Changes that the live display names; the others are counted."""
_EVERY = 10
"""Seconds between two lines about a write that is still running."""


class Running:
    """The writes that are running, and since when."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[str, int] = {}
        self.begun: dict[str, tuple[Change, float]] = {}

    def begin(self, change: Change) -> None:
        self.begun[change.address] = (change, self._clock())

    def end(self, change: Change) -> None:
        self.begun.pop(change.address, None)

    def elapsed(self, change: Change) -> int:
        """Whole seconds since it began; 0 if it does not run."""
        begun = self.begun.get(change.address)
        return int(self._clock() - begun[1]) if begun else 0

    def overdue(self) -> list[tuple[Change, int]]:
        """Changes that have been running for another ten seconds, and since how many."""
        found = []
        for address, (change, _) in self.begun.items():
            elapsed = self.elapsed(change)
            if elapsed // _EVERY > self._told.get(address, 0):
                self._told[address] = elapsed // _EVERY
                found.append((change, elapsed // _EVERY * _EVERY))
        return found


class Progress:
    """Observes an apply. Call `tick` about once a second for `Still creating...` lines."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._lock = threading.Lock()
        self._running = Running(clock)
        self._news: dict[str, str] = {}

    def started(self, change: Change) -> None:
        with self._lock:
            self._running.begin(change)
            self._screen.line(f"{_subject(change)}: {WORDS[change.action].doing}...")

    def progressed(self, change: Change, line: str) -> None:
        with self._lock:
            self._news[change.address] = line
            if not self._screen.repaints:
                self._screen.line(f"{_subject(change)}: {printable(line)}")

    def finished(self, outcome: Outcome) -> None:
        with self._lock:
            self._running.end(outcome.change)
            self._news.pop(outcome.change.address, None)
            self._repaint()
            for text in _ending(outcome):
                self._screen.line(text)

    def tick(self) -> None:
        """Tell of changes that have been running for another ten seconds."""
        with self._lock:
            for change, elapsed in self._running.overdue():
                doing = WORDS[change.action].doing.lower()
                self._screen.line(f"{_subject(change)}: Still {doing}... [{elapsed}s elapsed]")
            self._repaint()

    def _repaint(self) -> None:
        if not self._screen.repaints:
            return
        begun = self._running.begun
        shown = [
            f"{_subject(change)}: {WORDS[change.action].doing.lower()} "
            f"{self._running.elapsed(change)}s {printable(self._news.get(address, ''))}".rstrip()
            for address, (change, _) in itertools.islice(begun.items(), _MOST_RUNNING)
        ]
        more = len(begun) - len(shown)
        self._screen.running([*shown, f"... and {more} more"] if more else shown)


def _subject(change: Change) -> str:
    return printable(change.address)


def _ending(outcome: Outcome) -> list[str]:
    subject = _subject(outcome.change)
    if outcome.status is Status.APPLIED:
        done = WORDS[outcome.change.action].done
        uid = f" [id={printable(outcome.uid)}]" if outcome.uid else ""
        return [f"{subject}: {done} complete after {outcome.seconds:.0f}s{uid}"]
    words = {
        Status.WRITTEN: "Written, not confirmed",
        Status.FAILED: "Failed",
        Status.UNKNOWN: "Outcome unknown",
        Status.SKIPPED_DEPENDENCY: "Skipped",
        Status.NOT_ATTEMPTED: "Not attempted",
    }[outcome.status]
    head, *more = printable_lines(outcome.message) or [""]
    news = [f"{subject}: {words}: {head}", *(f"  {line}" for line in more)]
    return [*news, *printable_lines(outcome.fix, "  ")]
