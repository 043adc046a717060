"""The news of one build -> what a person sees of it: steps as lines, the rest in passing.

On a screen that repaints, each step stays and the output of the running one is shown in a line
below, with the time. On any other screen, every line of news is printed.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.support.printable import printable
from reconciler.support.terminal import Screen

_TICK = 1.0
"""Seconds between two looks at the clock."""

_STILL = 10
"""Seconds without news after which a screen that does not repaint is told that it goes on."""

_STAYS = ("Step ", "push: ", "the content is there")


class BuildDisplay:
    """Shows one build on a screen."""

    def __init__(
        self, screen: Screen, tag: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._tag = printable(tag)
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = self._told = clock()
        self._now = ""
        self._screen.line(f"{self._tag}: Building...")

    def news(self, line: str) -> None:
        """Take one line of news."""
        with self._lock:
            self._now = printable(line)
            self._told = self._clock()
            if not self._screen.repaints or line.startswith(_STAYS):
                self._screen.line(f"{self._tag}: {self._now}")
            self._repaint()

    def tick(self) -> None:
        """Call it about once a second."""
        with self._lock:
            if not self._screen.repaints and self._clock() - self._told >= _STILL:
                self._told = self._clock()
                self._screen.line(f"{self._tag}: Still building... [{self._elapsed()} elapsed]")
            self._repaint()

    def end(self, *, good: bool) -> None:
        """Say how it ended. The reason of a failure is its error's to say."""
        with self._lock:
            self._screen.running([])
            words = "Build complete" if good else "Build failed"
            self._screen.line(f"{self._tag}: {words} after {self._elapsed()}")

    def _repaint(self) -> None:
        self._screen.running([f"{self._tag}: building {self._elapsed()} {self._now}".rstrip()])

    def _elapsed(self) -> str:
        return f"{self._clock() - self._begun:.0f}s"


@contextmanager
def shown(display: BuildDisplay) -> Iterator[BuildDisplay]:
    """Keep its clock going within the block, and end it with the block."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(_TICK):
            display.tick()

    ticking = threading.Thread(target=run, name="build-display", daemon=True)
    ticking.start()
    good = False
    try:
        yield display
        good = True
    finally:
        over.set()
        ticking.join()
        display.end(good=good)
