"""How long, and how often, to look for what a server has accepted (202) but may show later."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Patience:
    """Look at once, then after growing pauses, for `total` seconds altogether.

    Once `stop` is set no pause goes on, and none begins.
    """

    total: float = 30.0
    first_pause: float = 0.05
    longest_pause: float = 1.0
    stop: threading.Event = field(default_factory=threading.Event)

    def rounds(self) -> Iterator[float]:
        """Yields the seconds that have passed, once for every look."""
        begin, pause = time.monotonic(), self.first_pause
        while True:
            passed = time.monotonic() - begin
            yield passed
            if passed + pause > self.total or self.stop.wait(pause):
                return
            pause = min(pause * 2, self.longest_pause)

    def at_most(self, seconds: float) -> "Patience":
        """The same, but not longer than this."""
        return replace(self, total=min(self.total, seconds))
