"""What happens during an apply -> lines as Terraform prints them, or a live display."""

import itertools
import threading
import time
from collections.abc import Callable

from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Action, Change
from reconciler.render.escape import printable, printable_lines
from reconciler.support.terminal import Screen

_MOST_RUNNING = 8
"""Changes that the live display names; the others are counted."""
DOING = {
    Action.CREATE: "Creating",
    Action.UPDATE: "Modifying",
    Action.DELETE: "Destroying",
    Action.REPLACE: "Replacing",
    Action.ADOPT: "Importing",
    Action.UNCHANGED: "Reading",
}
DONE = {
    Action.CREATE: "Creation",
    Action.UPDATE: "Modifications",
    Action.DELETE: "Destruction",
    Action.REPLACE: "Replacement",
    Action.ADOPT: "Import",
    Action.UNCHANGED: "Read",
}


class Progress:
    """Observes an apply. Call `tick` about once a second for `Still creating...` lines."""

    def __init__(self, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self._screen = screen
        self._clock = clock
        self._lock = threading.Lock()
        self._begun: dict[str, tuple[Change, float]] = {}
        self._news: dict[str, str] = {}
        self._told: dict[str, int] = {}

    def started(self, change: Change) -> None:
        """See `reconciler.workflow.observer.Observer`."""
        with self._lock:
            self._begun[change.address] = (change, self._clock())
            self._screen.line(f"{_subject(change)}: {DOING[change.action]}...")

    def progressed(self, change: Change, line: str) -> None:
        """See `reconciler.workflow.observer.Observer`."""
        with self._lock:
            self._news[change.address] = line
            if not self._screen.repaints:
                self._screen.line(f"{_subject(change)}: {printable(line)}")

    def finished(self, outcome: Outcome) -> None:
        """See `reconciler.workflow.observer.Observer`."""
        with self._lock:
            self._begun.pop(outcome.change.address, None)
            self._news.pop(outcome.change.address, None)
            self._repaint()
            for text in _ending(outcome):
                self._screen.line(text)

    def tick(self) -> None:
        """Tell of changes that have been running for another ten seconds."""
        with self._lock:
            now = self._clock()
            for address, (change, begun) in self._begun.items():
                tens = int(now - begun) // 10
                if tens > self._told.get(address, 0):
                    self._told[address] = tens
                    doing = DOING[change.action].lower()
                    self._screen.line(
                        f"{_subject(change)}: Still {doing}... [{tens * 10}s elapsed]"
                    )
            self._repaint()

    def _repaint(self) -> None:
        if not self._screen.repaints:
            return
        now = self._clock()
        shown = [
            f"{_subject(change)}: {DOING[change.action].lower()} {now - begun:.0f}s "
            f"{printable(self._news.get(address, ''))}".rstrip()
            for address, (change, begun) in itertools.islice(self._begun.items(), _MOST_RUNNING)
        ]
        more = len(self._begun) - len(shown)
        self._screen.running([*shown, f"... and {more} more"] if more else shown)


def _subject(change: Change) -> str:
    return printable(change.address)


def _ending(outcome: Outcome) -> list[str]:
    subject = _subject(outcome.change)
    if outcome.status is Status.APPLIED:
        done = DONE[outcome.change.action]
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
