"""What is logged -> lines on standard error, escaped: libraries log what others sent."""

import logging
import sys

from reconciler.errors import shown


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
        """Whether it is new."""
        first = record.getMessage().partition("\n")[0]
        new = first not in self._seen
        self._seen.add(first)
        return new
