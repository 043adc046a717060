"""A build's events -> lines of news, the image's id, or an error that helps; how news are shown.

On a screen that repaints, each step stays and the output of the running one is shown in a line
below, with the time. On any other screen, every line of news is printed.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reconciler.errors import BuildError
from reconciler.rayfine.image.reference import parse_reference
from reconciler.support.printable import printable

if TYPE_CHECKING:
    from reconciler.support.terminal import Screen  # a node of a cluster has no click

_TICK = 1.0
"""Seconds between two looks at the clock."""

_STILL = 10
"""Seconds without news after which a screen that does not repaint is told that it goes on."""

_STAYS = ("Step ", "push: ", "the content is there")


class BuildDisplay:
    """Shows one build on a screen."""

    def __init__(
        self, screen: "Screen", tag: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._tag = printable(tag)
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = self._told = clock()
        self._now = ""
        self._screen.line(f"{self._tag}: Building...")

    def news(self, line: str) -> None:
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
def displayed(display: BuildDisplay) -> Iterator[BuildDisplay]:
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


Progress = Callable[[str], None]
"""Takes one line of news about a running build."""

KEPT_LINES = 15
LONGEST_LINE = 2_000

_STEP = re.compile(r"Step \d+/\d+ : .*")
_NOISE = re.compile(r" ---> (?!Using cache)|Removing intermediate container |Successfully built ")
"""What the classic builder says of its own bookkeeping."""

_ID = re.compile(r"sha256:[0-9a-f]{64}")
_NO_LOGIN = re.compile(
    r"unauthori[sz]ed|denied|authentication required|no basic auth|forbidden|\b40[13]\b",
    re.IGNORECASE,
)


class BuildLog:
    """Follows one build."""

    def __init__(self, progress: Progress) -> None:
        """Each whole line with news goes to `progress`."""
        self._progress = progress
        self._rest = ""
        self._step = ""
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._id = ""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event of the stream. Raises `BuildError` where it says that the build failed."""
        if "error" in event:
            self._flush()
            raise self._failed(str(event["error"]))
        aux = event.get("aux")
        if isinstance(aux, Mapping) and _ID.fullmatch(str(aux.get("ID", ""))):
            self._id = str(aux["ID"])
        text = str(event.get("stream", ""))
        if event.get("status") and not event.get("progressDetail"):
            self._flush()
            text = f"{event.get('id', '')} {event['status']}\n".lstrip()
        self._rest += text
        *lines, self._rest = re.split(r"[\r\n]+", self._rest)
        for line in lines:
            self._line(line)
        if len(self._rest) > LONGEST_LINE:
            self._flush()

    def image_id(self) -> str:
        """The id of the finished image. Raises `BuildError` where the stream ended without one."""
        self._flush()
        if not self._id:
            raise self._failed("the engine ended the build without a result")
        return self._id

    def _flush(self) -> None:
        line, self._rest = self._rest, ""
        self._line(line)

    def _line(self, line: str) -> None:
        line = line.rstrip()[:LONGEST_LINE]
        if not line:
            return
        if _STEP.fullmatch(line):
            self._step = line
        self._lines.append(line)
        if not _NOISE.match(line):
            self._progress(line)

    def _failed(self, message: str) -> BuildError:
        step = f" at {self._step}" if self._step else ""
        output = "\n".join(f"  {line}" for line in self._lines)
        fix = f"the last lines of its output:\n{output}" if output else "see the engine's log"
        return BuildError(f"the build failed{step}: {message.strip()}", fix=fix)


def push_error(tag: str, said: str) -> BuildError:
    """What an engine says of a push; logging in helps only against a refused login."""
    host = parse_reference(tag).host
    if _NO_LOGIN.search(said):
        fix = f"log in with `docker login {host}`, and check your rights"
    else:
        fix = "run again later; see the registry's log, and the engine's"
    return BuildError(f"the push was refused: {said}", where=tag, fix=fix)
