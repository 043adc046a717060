"""Where a command works, and how it speaks: the options of the root command."""

import os
from dataclasses import dataclass
from pathlib import Path

import click


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

    def warn(self, text: str) -> None:
        """Say something on standard error that stops nothing."""
        from reconciler.render.escape import printable  # noqa: PLC0415  (only for a warning)

        click.echo(f"Warning: {printable(text)}", err=True)
