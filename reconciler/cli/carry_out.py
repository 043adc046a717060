"""Applying a plan from the command line: progress, interrupts, and the closing lines."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from reconciler.cli.formats import PlanOptions
from reconciler.cli.place import lose_output, show
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan
from reconciler.render.escape import log_safe, printable_lines
from reconciler.render.progress import Progress
from reconciler.render.summary import apply_line
from reconciler.support.signals import handled
from reconciler.support.terminal import Style, open_screen
from reconciler.workflow.apply import ApplyContext, apply_plan
from reconciler.workflow.session import Session

if TYPE_CHECKING:
    from reconciler.render.events import EventStream

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TICK = 1.0
"""Seconds between two looks at what is still running."""


def carry_out(plan: Plan, session: Session, options: PlanOptions) -> tuple[Outcome, ...]:
    """Apply the plan, show what happens on standard error and the result on standard output."""
    interrupt = _Interrupt(session.stop)
    # Until the command ends: a signal while the session closes must not pass for one before.
    click.get_current_context().with_resource(handled(interrupt.ask, *_SIGNALS))
    with _observer(options) as observer:
        context = ApplyContext(
            session.providers, session.executor, observer, interrupt.stop, interrupt.breakable
        )
        with _ticking(observer):
            outcomes = apply_plan(plan, context)
    try:
        if options.events is not None:
            options.events.outcomes(outcomes, len(plan.refused))
        else:
            _show_result(outcomes, len(plan.refused), options.place.style)
        sys.stdout.flush()
    except OSError as error:  # who read it has gone, or the disk is full: it was done all the same
        lose_output()
        click.echo(
            f"Standard output cannot be written ({error.strerror}). What was done:", err=True
        )
        for text in (*_unfinished(outcomes), apply_line(outcomes, len(plan.refused))):
            click.echo(log_safe(text), err=True)
    return outcomes


@contextmanager
def _observer(options: PlanOptions) -> Iterator["Progress | EventStream"]:
    """Who is told what happens: the stream of events, or the screen on standard error."""
    if options.events is not None:
        yield options.events
        return
    with open_screen(colour=options.place.colour_for(sys.stderr)) as screen:
        yield Progress(screen)


def _show_result(outcomes: Sequence[Outcome], refused: int, style: Style) -> None:
    line = apply_line(outcomes, refused)
    complete = not refused and all(item.status is Status.APPLIED for item in outcomes)
    show(log_safe("".join(f"{text}\n" for text in _unfinished(outcomes))))
    show(style.paint(line, "bold", "green" if complete else "red") + "\n")


def _unfinished(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What was not applied, each with its reason: the ledger that is left to a person."""
    for outcome in outcomes:
        if outcome.status is not Status.APPLIED:
            head = f"{outcome.change.address}: {outcome.status}: "
            yield "\n  ".join(printable_lines(head + outcome.message))  # no line passes for ours
            yield from printable_lines(outcome.fix, "  ")


class _Interrupt:
    """What signals ask for: the first begins no further write, a second waits for nothing more.

    A second one is a `KeyboardInterrupt`, once, and only where `apply_plan` expects it: anywhere
    else it would lose the outcomes. Once they are known signals no longer count.
    """

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self._running = False
        self._over = False

    @contextmanager
    def breakable(self) -> Iterator[None]:
        """The block that a second signal ends."""
        self._running = True
        try:
            yield
        finally:
            self._running, self._over = False, True

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        if self._over:
            return
        if self.stop.is_set():
            if self._running:
                self._running, self._over = False, True
                raise KeyboardInterrupt
            return
        self.stop.set()
        # The terminal may be what has gone; or the signal came while it was being written to.
        with suppress(OSError, RuntimeError):
            click.echo(
                "Interrupted: finishing what has begun, starting nothing more. "
                "Interrupt again to stop at once.",
                err=True,
            )


@contextmanager
def _ticking(progress: "Progress | EventStream") -> Iterator[None]:
    done = threading.Event()

    def tick() -> None:
        with suppress(OSError):  # nobody looks any more
            while not done.wait(_TICK):
                progress.tick()

    thread = threading.Thread(target=tick, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
