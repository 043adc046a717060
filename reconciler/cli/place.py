"""Where a command works, and how it speaks: global options, standard output, exit codes."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.errors import ReconcileError

if TYPE_CHECKING:
    from reconciler.render.events import EventStream
    from reconciler.support.terminal import Style


@dataclass(frozen=True, slots=True)
class Globals:
    """Options of the root command. `cloned`: the configuration is a file of `--repo`."""

    directory: Path
    config: Path | None
    colour: bool | None
    cloned: bool = False

    def colour_for(self, stream: object) -> bool:
        """Whether to colour what goes to this stream (`--no-color`, `NO_COLOR`, a terminal)."""
        if self.colour is not None:
            return self.colour
        if os.environ.get("NO_COLOR"):
            return False
        return bool(getattr(stream, "isatty", lambda: False)())

    @property
    def style(self) -> "Style":
        from reconciler.support.terminal import Style  # noqa: PLC0415  (--help needs none)

        return Style(colour=self.colour_for(sys.stdout))

    def warn(self, text: str) -> None:
        """Say something on standard error that stops nothing."""
        from reconciler.support.printable import printable  # noqa: PLC0415  (only for a warning)

        click.echo(f"Warning: {printable(text)}", err=True)


def show(text: str) -> None:
    sys.stdout.write(text)


def lose_output() -> None:
    """Discard what is still to come on standard output: it cannot be written."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def open_event_stream() -> "Iterator[EventStream]":
    """The stream of events of `--json` on standard output, one JSON object a line.

    An error that ends the block is written as a diagnostic, and raised again.
    """
    from reconciler.render.events import EventStream  # noqa: PLC0415  (only if asked for)

    stream = EventStream(_write_line)
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


def _write_line(line: str) -> None:
    show(line)
    sys.stdout.flush()


class ExitCode(IntEnum):
    """What the process says when it ends."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    STALE = 3
    REFUSED = 4
    PARTIAL = 5


_PRECEDENCE = (
    ExitCode.ERROR,
    ExitCode.STALE,
    ExitCode.REFUSED,
    ExitCode.PARTIAL,
    ExitCode.CHANGES,
    ExitCode.OK,
)


def strongest(codes: Iterable[ExitCode]) -> ExitCode:
    """The one of several exit codes that wins: 1, 3, 4, 5, 2, 0 in this order."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.OK)
