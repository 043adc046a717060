"""Who is told what an apply does, and that no listener can stop one."""

import logging
from collections.abc import Callable
from typing import Protocol

from reconciler.core.outcome import Outcome
from reconciler.core.plan import Change

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Is told what happens while a plan is applied; may be called from several threads."""

    def started(self, change: Change) -> None:
        """The write of this change begins."""
        ...

    def progressed(self, change: Change, line: str) -> None:
        """A line of news about a running write."""
        ...

    def finished(self, outcome: Outcome) -> None:
        """This change has its outcome."""
        ...


class Muffled:
    """An observer whose own failures stop nothing: a closed terminal must not cost a ledger."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._told = False

    def started(self, change: Change) -> None:
        """See `Observer`."""
        self._tell(lambda: self._observer.started(change))

    def progressed(self, change: Change, line: str) -> None:
        """See `Observer`."""
        self._tell(lambda: self._observer.progressed(change, line))

    def finished(self, outcome: Outcome) -> None:
        """See `Observer`."""
        self._tell(lambda: self._observer.finished(outcome))

    def _tell(self, news: Callable[[], None]) -> None:
        try:
            news()
        except Exception as error:  # noqa: BLE001  (law 10: an outcome outlives its display)
            if not self._told:
                self._told = True
                log.debug("progress can no longer be shown: %s", error)
