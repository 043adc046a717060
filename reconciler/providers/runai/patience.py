"""How long, and how often, to look for what a server has accepted (202) but may show later."""

import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Look at once, then after growing pauses, for `total` seconds altogether."""

    total: float = 30.0
    first_pause: float = 0.05
    longest_pause: float = 1.0

    def rounds(self) -> Iterator[float]:
        """Yields the seconds that have passed, once for every look."""
        begin, pause = time.monotonic(), self.first_pause
        while True:
            passed = time.monotonic() - begin
            yield passed
            if passed + pause > self.total:
                return
            time.sleep(pause)
            pause = min(pause * 2, self.longest_pause)

    def at_most(self, seconds: float) -> "Patience":
        """The same, but not longer than this."""
        return Patience(min(self.total, seconds), self.first_pause, self.longest_pause)
