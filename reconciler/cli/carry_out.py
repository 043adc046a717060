"""Applying a plan from the command line: progress, interrupts, and the closing lines."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click

from reconciler.apply import Crew, Outcome, Status, apply_plan
from reconciler.cli.options import PlanOptions
from reconciler.cli.output import show, style_of
from reconciler.cli.screen import open_screen
from reconciler.cli.session import Session
from reconciler.plan import Plan
from reconciler.render.escape import printable
from reconciler.render.progress import Progress
from reconciler.render.summary import apply_line

_TICK = 1.0
"""Seconds between two looks at what is still running."""


def carry_out(plan: Plan, session: Session, options: PlanOptions) -> tuple[Outcome, ...]:
    """Apply the plan, show what happens on standard error and the result on standard output."""
    stop = threading.Event()
    with open_screen(options.place) as screen:
        progress = Progress(screen)
        crew = Crew(session.providers, session.executor, progress, stop)
        with _interrupts(stop), _ticking(progress):
            outcomes = apply_plan(plan, crew)
    style = style_of(options.place)
    line = apply_line(outcomes)
    complete = all(outcome.status is Status.APPLIED for outcome in outcomes)
    show("".join(f"{text}\n" for text in _unfinished(outcomes)))
    show(style.paint(line, "bold", "green" if complete else "red") + "\n")
    return outcomes


def _unfinished(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What was not applied, each with its reason: the ledger that is left to a person."""
    for outcome in outcomes:
        if outcome.status is not Status.APPLIED:
            yield printable(f"{outcome.change.address}: {outcome.status}: {outcome.message}")
            if outcome.fix:
                yield f"  {printable(outcome.fix)}"


@contextmanager
def _interrupts(stop: threading.Event) -> Iterator[None]:
    """The first SIGINT or SIGTERM begins no further write; a second one ends at once."""

    def ask(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt("what had begun may be done or not; `reconcile plan` shows it")
        stop.set()
        click.echo(
            "Interrupted: finishing what has begun, starting nothing more. "
            "Interrupt again to stop at once.",
            err=True,
        )

    if threading.current_thread() is not threading.main_thread():
        yield  # a library call from a thread: signals belong to whoever owns the main thread
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _ticking(progress: Progress) -> Iterator[None]:
    done = threading.Event()

    def tick() -> None:
        while not done.wait(_TICK):
            progress.tick()

    thread = threading.Thread(target=tick, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
