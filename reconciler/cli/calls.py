"""Calls of `reconcile run`: arguments and input lines -> calls -> lines of JSON.

Values of env.py are shown on one line, with nothing that a terminal obeys. Tuples and sets are
lists, bytes `{"base64": "..."}`, times ISO 8601, arrays nested lists, NaN and the infinities null,
keys text. What has no such form is its text.
"""

import base64
import datetime as dt
import json
import math
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from reconciler.errors import ConfigError
from reconciler.rayfine.runtime.environment_wrapper import EnvironmentWrapper
from reconciler.rayfine.runtime.errors import RemoteError
from reconciler.rayfine.runtime.parallel_calls import MapResult
from reconciler.render.escape import log_safe_json
from reconciler.support.plain_file import read_plain

NEWS_SECONDS = 5.0


def read_pairs(given: Sequence[str], option: str, form: str) -> dict[str, str]:
    """What an option such as `--setup NAME=VALUE` was given. Raises `ConfigError`."""
    found = {}
    for item in given:
        name, sign, value = item.partition("=")
        if not sign or not name:
            fix = f"write it as {option} {form}"
            raise ConfigError(f"{item!r} has no name and value", where=option, fix=fix)
        found[name] = value
    return found


def read_arguments(given: Sequence[str]) -> dict[str, Any]:
    """`key=value` each; the value is JSON, and else text. Raises `ConfigError`."""
    found: dict[str, Any] = {}
    for name, text in read_pairs(given, "--arg", "KEY=VALUE").items():
        try:
            found[name] = json.loads(text)
        except (ValueError, RecursionError):
            found[name] = text
    return found


_MOST_BYTES = 1 << 30
"""Of a file of inputs."""


def read_inputs(path: str, shared: Mapping[str, Any]) -> list[Any]:
    """One input a line, all checked before anything starts; `-` is standard input.

    A JSON object holds arguments by name, which win over the shared ones; any other value is the
    only argument. Empty lines are left out. Raises `ConfigError` with file and line.
    """
    name = "standard input" if path == "-" else path
    try:
        text = (
            sys.stdin.read() if path == "-" else read_plain(Path(path), _MOST_BYTES).decode("utf-8")
        )
    except OSError as error:
        raise ConfigError(
            f"it cannot be read: {error.strerror}", where=name, fix="name a file, or `-`"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError("it is not UTF-8", where=name, fix="save it as UTF-8") from error
    return [
        _input(line, shared, f"{name}:{number}")
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]


def _input(line: str, shared: Mapping[str, Any], where: str) -> Any:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"not JSON: {error}", where=where, fix='write one JSON value a line: {"key": "value"}'
        ) from error
    if isinstance(value, dict):
        return {**shared, **value}
    if shared:
        raise ConfigError(
            "an input that is no object cannot be joined with --arg",
            where=where,
            fix='write it as an object: {"key": "value"}',
        )
    return value


def call_all(
    env: EnvironmentWrapper, method: str, inputs: Sequence[Any], *, in_order: bool
) -> Generator[tuple[str, bool], None, None]:
    """A line per input, and whether it is a result; in the order of the inputs or as they come."""
    with closing(_results(env, method, inputs)) as found:
        for result in sort_results(found) if in_order else found:
            yield _line(result), result.error is None


def _results(
    env: EnvironmentWrapper, method: str, inputs: Sequence[Any]
) -> Generator[MapResult, None, None]:
    yield from env.map(method, inputs)


def sort_results(results: Iterable[MapResult]) -> Iterator[MapResult]:
    """The same results in the order of their inputs, each as soon as its turn has come."""
    early: dict[int, MapResult] = {}
    turn = 0
    for result in results:
        early[result.index] = result
        while turn in early:
            yield early.pop(turn)
            turn += 1


def _line(result: MapResult) -> str:
    if result.error is None:
        return to_line({"index": result.index, "result": result.value})
    error = result.error
    said: dict[str, str] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, RemoteError):
        said = {
            "type": error.type_name,
            "message": error.what,
            "where": error.where,
            "traceback": error.traceback,
        }
    return to_line({"index": result.index, "error": said})


class Counter:
    """How far it is, said now and then."""

    def __init__(self, total: int) -> None:
        self.done = self.failed = 0
        self._total = total
        self._start = self._said = time.monotonic()

    def add(self, *, good: bool) -> str:
        """Count one; words if it is time for news, otherwise nothing."""
        self.done += 1
        self.failed += not good
        now = time.monotonic()
        if now - self._said < NEWS_SECONDS:
            return ""
        self._said = now
        return self.words()

    def words(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        seconds = time.monotonic() - self._start
        return f"{self.done} of {self._total} done{failed} [{seconds:.1f}s]"


def to_line(value: Any) -> str:
    """A value as one line of ASCII, without the line's end."""
    text = json.dumps(plain(value), allow_nan=False).replace("\x7f", "\\u007f")
    return log_safe_json(text)


def plain(value: Any) -> Any:
    """A value of the types that JSON has."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=repr)
    return _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if hasattr(value, "tolist"):  # of numpy, which need not be installed here
        return plain(value.tolist())
    return str(value)
