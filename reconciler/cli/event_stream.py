"""The stream of events of `--json`: standard output, one JSON object a line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from reconciler import __version__
from reconciler.cli.stdout import lose_output
from reconciler.errors import ReconcileError
from reconciler.render.events import EventStream


@contextmanager
def open_event_stream() -> Iterator[EventStream]:
    """A stream whose first event has been written.

    What ends the block as an error is written as a diagnostic; it is reported as ever, too.
    """
    stream = EventStream(_write)
    try:
        stream.version(__version__)
    except OSError as error:
        lose_output()
        raise ReconcileError(
            f"standard output cannot be written ({error.strerror}), and nothing was applied"
        ) from error
    try:
        yield stream
    except ReconcileError as error:
        stream.error(error)
        raise
    except click.UsageError as error:
        stream.error(ReconcileError(error.format_message(), fix="see the command's --help"))
        raise


def _write(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
