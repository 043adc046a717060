"""The stream of events of `--json`: standard output, one JSON object a line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from reconciler import __version__
from reconciler.errors import ReconcileError
from reconciler.render.events import EventStream


@cache
def event_stream() -> EventStream:
    """The one stream of this process; its first event has been written."""
    stream = EventStream(_write)
    stream.version(__version__)
    return stream


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


@contextmanager
def errors_as_events() -> Iterator[None]:
    """Write a diagnostic for what ends the command; it is reported as ever, too."""
    stream = event_stream()
    try:
        yield
    except ReconcileError as error:
        stream.error(error)
        raise
