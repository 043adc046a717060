"""The event stream of a build -> lines of progress, the image's id, or an error that helps."""

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.errors import BuildError

Progress = Callable[[str], None]
"""Takes one line of news about a running build."""

KEPT_LINES = 15
LONGEST_LINE = 2_000

_STEP = re.compile(r"Step \d+/\d+ : .*")
_NOISE = re.compile(r" ---> (?!Using cache)|Removing intermediate container |Successfully built ")
"""What the classic builder says of its own bookkeeping."""

_ID = re.compile(r"sha256:[0-9a-f]{64}")


class BuildLog:
    """Follows one build."""

    def __init__(self, progress: Progress) -> None:
        """Each whole line with news goes to `progress`."""
        self._progress = progress
        self._rest = ""
        self._step = ""
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._id = ""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event of the stream. Raises `BuildError` where it says that the build failed."""
        if "error" in event:
            self._flush()
            raise self._failed(str(event["error"]))
        aux = event.get("aux")
        if isinstance(aux, Mapping) and _ID.fullmatch(str(aux.get("ID", ""))):
            self._id = str(aux["ID"])
        text = str(event.get("stream", ""))
        if event.get("status") and not event.get("progressDetail"):
            self._flush()
            text = f"{event.get('id', '')} {event['status']}\n".lstrip()
        self._rest += text
        *lines, self._rest = re.split(r"[\r\n]+", self._rest)
        for line in lines:
            self._line(line)
        if len(self._rest) > LONGEST_LINE:
            self._flush()

    def image_id(self) -> str:
        """The id of the finished image. Raises `BuildError` where the stream ended without one."""
        self._flush()
        if not self._id:
            raise self._failed("the engine ended the build without a result")
        return self._id

    def _flush(self) -> None:
        line, self._rest = self._rest, ""
        self._line(line)

    def _line(self, line: str) -> None:
        line = line.rstrip()[:LONGEST_LINE]
        if not line:
            return
        if _STEP.fullmatch(line):
            self._step = line
        self._lines.append(line)
        if not _NOISE.match(line):
            self._progress(line)

    def _failed(self, message: str) -> BuildError:
        step = f" at {self._step}" if self._step else ""
        output = "\n".join(f"  {line}" for line in self._lines)
        fix = f"the last lines of its output:\n{output}" if output else "see the engine's log"
        return BuildError(f"the build failed{step}: {message.strip()}", fix=fix)
