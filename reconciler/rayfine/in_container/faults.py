"""Errors inside the container -> plain data for the caller, without secrets."""

from __future__ import annotations

import collections
import os
import re
import traceback
from typing import Any, Callable, List, Mapping, Tuple

OK, CANCELLED, CONFLICT, NOT_FOUND, GONE, TOO_LARGE, FAILED, BUSY, LATE = (
    200, 499, 409, 404, 410, 413, 422, 503, 504,
)  # fmt: skip
"""What became of a request, as HTTP statuses. FAILED: user code raised. GONE: its process ended.
BUSY: nothing was begun, it may be asked again."""

Answer = Tuple[int, List[Any]]
"""A status, and a message in pieces."""

LEASE_ENDED = 76
"""Exit code of an agent that nobody asked for too long."""

LONGEST_MESSAGE = 10_000
LONGEST_TRACEBACK = 40_000
_LONGEST_NAME = 200
HIDDEN = "(sensitive value)"
_SETUPS = 8
"""Whose values are remembered."""

_HERE = os.path.dirname(os.path.abspath(__file__))
_SECRET_NAME = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)


class Redactor:
    """Replaces the values of variables in text: the long ones, and those with telling names."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._recent: collections.deque[set[str]] = collections.deque(maxlen=_SETUPS)
        self.add(variables)

    def add(self, variables: Mapping[str, str]) -> None:
        """Variables that are set now; what was printed with those before is still to be read."""
        forms = {
            form
            for name, value in variables.items()
            if len(value) >= 8 or (len(value) >= 4 and _SECRET_NAME.search(name))
            for form in (value, repr(value)[1:-1], value.strip(), *_long_lines(value))
            if len(form) >= 4
        }
        self._recent.append(forms)
        self._forms = sorted(set().union(*self._recent), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, "\0")  # which no variable holds
        return text.replace("\0", HIDDEN) if self._forms else text


def _long_lines(value: str) -> list[str]:
    """Of a key or a certificate any line may be quoted alone."""
    return [line for line in map(str.strip, value.splitlines()) if len(line) >= 8]


def plain(kind: str, message: str, **more: Any) -> dict[str, Any]:
    """An error of ours: `kind` is a word that the caller knows."""
    return {"kind": kind, "message": message[:LONGEST_MESSAGE], **more}


def describe(error: BaseException, redact: Callable[[str], str], file: str) -> dict[str, Any]:
    """An exception of user code: type, message, traceback, and where in `file` it arose."""
    try:
        return _described(error, redact, file)
    except BaseException as second:  # noqa: BLE001 (its class and its attributes may be hostile)
        words = "(its text cannot be had: %s)" % type(second).__name__[:_LONGEST_NAME]
        return {"kind": "exception", "type": "Exception", "builtin": "Exception", "message": words}


def _described(error: BaseException, redact: Callable[[str], str], file: str) -> dict[str, Any]:
    try:
        message = str(error)
    except BaseException as second:  # noqa: BLE001 (a hostile __str__)
        message = "(its text cannot be had: %s)" % type(second).__name__[:_LONGEST_NAME]
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno or 0 for frame in frames if frame.filename == file]
    line = lines[-1] if lines else 0
    if isinstance(error, SyntaxError) and error.filename == file:
        line = error.lineno or 0
    return {
        "kind": "exception",
        "type": type(error).__name__[:_LONGEST_NAME],
        "module": str(type(error).__module__)[:_LONGEST_NAME],
        "builtin": next(
            (base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins"), ""
        ),
        "message": redact(message)[:LONGEST_MESSAGE],
        "traceback": redact(_traceback(error))[-LONGEST_TRACEBACK:],
        "file": file,
        "line": line,
    }


def _traceback(error: BaseException) -> str:
    """The traceback from env.py on: our own frames say nothing."""
    try:
        inner = frame = error.__traceback__
        while frame is not None:
            if os.path.dirname(frame.tb_frame.f_code.co_filename) == _HERE:
                inner = frame.tb_next
            frame = frame.tb_next
        return "".join(traceback.format_exception(type(error), error, inner, limit=-60))
    except BaseException as second:  # noqa: BLE001
        return "(its traceback cannot be had: %s)" % type(second).__name__
