"""Whatever a caller or a model hands over -> plain data as YAML or JSON could hold it. Pure."""

import math
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 16
MAX_VALUES = 5_000
MAX_TEXT = 65_536


class NotPlainError(ValueError):
    """A value that no manifest could hold; `path` leads to it, as in `['tools'][0]`."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(message)
        self.path = path


def plain_data(value: object) -> Any:
    """A copy of the value in dicts, lists, text, numbers and booleans. Raises `NotPlainError`."""
    return _Copy().of(value, "", 0)


class _Copy:
    def __init__(self) -> None:
        self.values = 0

    def of(self, value: object, path: str, depth: int) -> Any:
        self.values += 1
        if depth > MAX_DEPTH or self.values > MAX_VALUES:
            raise NotPlainError("is nested too deeply, or too large", "")
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
                self._key(key, path): self.of(item, f"{path}[{str(key)[:60]!r}]", depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.of(item, f"{path}[{n}]", depth + 1) for n, item in enumerate(value)]
        raise NotPlainError(
            f"is a {type(value).__name__}, not text, a number, true, false, a list or a mapping",
            path,
        )

    @staticmethod
    def _key(key: object, path: str) -> str:
        if not isinstance(key, str):
            raise NotPlainError("has a field that is not named by text", path)
        return _text(key, path)


def _text(value: str, path: str) -> str:
    if len(value) > MAX_TEXT:
        raise NotPlainError(f"has {len(value)} characters; {MAX_TEXT} are allowed", path)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotPlainError("holds half a character (a surrogate)", path) from None
    if "\0" in value:
        raise NotPlainError("holds a NUL character", path)
    return str(value)
