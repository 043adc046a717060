"""Terminals: colours, and a live display on standard error, which elsewhere is plain lines."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.live import Live

_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}


@dataclass(frozen=True, slots=True)
class Style:
    """Wraps text in terminal colours, or leaves it alone."""

    colour: bool = False

    def paint(self, text: str, *names: str) -> str:
        """The text in these colours (`bold`, `red`, `green`, `yellow`, `cyan`, `dim`)."""
        if not self.colour or not text:
            return text
        codes = ";".join(_CODES[name] for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m"


class Screen:
    """Where lines of progress go: one after another, for logs, files and pipes."""

    repaints = False
    """Whether `running` shows anything; if not, news of what runs become lines."""

    def line(self, text: str) -> None:
        """Print one line for good."""
        click.echo(text, err=True, color=False)  # nothing is to be asked of the stream each time

    def running(self, texts: list[str]) -> None:
        """Show what is running now, in place of what was shown before; here it does nothing."""


class LiveScreen(Screen):
    """Lines scroll above a small list of what is running now."""

    repaints = True

    def __init__(self, live: "Live") -> None:
        self._live = live

    def line(self, text: str) -> None:
        from rich.text import Text  # noqa: PLC0415  (rich is only needed on a terminal)

        self._live.console.print(Text(text), soft_wrap=True)

    def running(self, texts: list[str]) -> None:
        from rich.text import Text  # noqa: PLC0415  (rich is only needed on a terminal)

        self._live.update(Text("\n".join(texts), style="dim", no_wrap=True, overflow="ellipsis"))


@contextmanager
def open_screen(*, colour: bool) -> Iterator[Screen]:
    """The screen that fits standard error: live only on a terminal that can repaint."""
    stream = sys.stderr
    if not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("CI"):
        yield Screen()
        return
    from rich.console import Console  # noqa: PLC0415  (rich is only needed on a terminal)
    from rich.live import Live  # noqa: PLC0415

    console = Console(file=stream, no_color=not colour, highlight=False)
    with Live(console=console, transient=True, refresh_per_second=8) as live:
        yield LiveScreen(live)
