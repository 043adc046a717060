"""The process before and around a command: its streams, logs, directory and limits."""

import contextlib
import io
import logging
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from reconciler.errors import ConfigError, shown
from reconciler.support.plain_file import is_here, stated_directory

_FEWEST_FILES = 64


def prepare_streams() -> None:
    """Discard what goes to a closed stream; escape what a stream's encoding lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = _Lossy(sys.stderr)


class _Lossy:
    """Standard error that may go away: then only messages are lost.

    No line of it is a command to a GitHub runner: those go to standard output, on purpose.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(_log_safe(text))
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _log_safe(text: str) -> str:
    if "::" not in text and "##[" not in text:
        return text
    from reconciler.render.escape import log_safe  # noqa: PLC0415  (hardly ever needed)

    return log_safe(text)


def require_files() -> None:
    """Refuse to begin what would fail half-way. Raises `ConfigError`."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < _FEWEST_FILES:
        raise ConfigError(
            f"this process may open {most} files, and {_FEWEST_FILES} are needed",
            fix="ulimit -n 1024",
        )


@contextlib.contextmanager
def entered(directory: Path) -> Iterator[None]:
    """Change to a directory as a shell does: PWD keeps the links that led there."""
    before = os.environ.get("PWD")
    stated = Path(os.path.normpath(stated_directory() / directory))
    with contextlib.chdir(directory):
        if not is_here(stated):
            raise click.BadParameter(
                f"{directory} goes through a link and back: name the directory without ..",
                param_hint="-C",
            )
        try:
            os.environ["PWD"] = str(stated)
            yield
        finally:
            os.environ.pop("PWD")
            if before is not None:
                os.environ["PWD"] = before


def start_logging(*, debug: bool) -> None:
    """Warnings, or with `debug` all that happens."""
    said = "%(asctime)s %(levelname)s %(name)s: %(message)s" if debug else "Warning: %(message)s"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable(said))
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[handler])
    for noisy in ("urllib3", "docker", "asyncio", "git"):  # what goes wrong there, our errors say
        logging.getLogger(noisy).setLevel(logging.WARNING if debug else logging.ERROR)
    logging.getLogger("asyncio").addFilter(_Once())


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """The line, or lines with a traceback, without what a terminal would obey."""
        return shown(super().format(record))


class _Once(logging.Filter):
    """Lets each message pass once: a server that may open no more files says so without end."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        first = record.getMessage().partition("\n")[0]
        new = first not in self._seen
        self._seen.add(first)
        return new
