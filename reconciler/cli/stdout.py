"""Standard output: what is printed there, how, and what becomes of it once it has gone."""

import contextlib
import os
import sys

from reconciler.cli.place import Globals
from reconciler.render.style import Style


def lose_output() -> None:
    """Send what is still to come on standard output nowhere: it cannot be written."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def show(text: str) -> None:
    """Print to standard output as it is."""
    sys.stdout.write(text)


def style_of(place: Globals) -> Style:
    """The style for standard output."""
    return Style(colour=place.colour_for(sys.stdout))
