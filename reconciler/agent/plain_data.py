"""Whatever a caller or a model hands over -> plain data as YAML or JSON could hold it. Pure."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.support.suggest import DataPath

MAX_DEPTH = 20
MAX_VALUES = 5_000
MAX_TEXT = 65_536


class NotPlainError(ValueError):
    """A value that no manifest could hold, and the path that leads to it."""

    def __init__(self, message: str, path: DataPath) -> None:
        super().__init__(message)
        self.path = path


def plain_data(value: object) -> Any:
    """A copy of the value in dicts, lists, text, numbers and booleans. Raises `NotPlainError`."""
    return _copy(value, (), itertools.count(1))


def _copy(value: object, path: DataPath, counter: Iterator[int]) -> Any:
    if len(path) > MAX_DEPTH or next(counter) > MAX_VALUES:
        raise NotPlainError(f"has more than {MAX_DEPTH} levels or {MAX_VALUES:,} values", path[:1])
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        if abs(value) >= 2**63:
            raise NotPlainError("is a number out of range", path)
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotPlainError("is no finite number", path)
        return float(value)
    if isinstance(value, Mapping):
        return {
            _name(key, path): _copy(item, (*path, str(key)), counter) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_copy(item, (*path, number), counter) for number, item in enumerate(value)]
    raise NotPlainError(
        f"is a {type(value).__name__}, not text, a number, true, false, a list or a mapping", path
    )


def _name(key: object, path: DataPath) -> str:
    if not isinstance(key, str):
        raise NotPlainError("has a field that is not named by text", path)
    return _text(key, (*path, "(a name)"))


def _text(value: str, path: DataPath) -> str:
    if len(value) > MAX_TEXT:
        raise NotPlainError(f"has {len(value)} characters; {MAX_TEXT} are allowed", path)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotPlainError("holds half a character (a surrogate)", path) from None
    if "\0" in value:
        raise NotPlainError("holds a NUL character", path)
    return str(value)
