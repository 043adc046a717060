"""Values of an engine's answers -> of the type that they have to be of, or `TypeError`. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

_LATEST = 253_402_300_799
"""The last second of the year 9999."""


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.50} is no text")
    return value


def texts(value: Any) -> Sequence[str]:
    """A list of texts; none for null."""
    if value is not None and not isinstance(value, list):
        raise TypeError(f"{value!r:.50} is no list")
    return [text(item) for item in value or ()]


def texts_by_name(value: Any) -> Mapping[str, str]:
    """Labels; none for null."""
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{value!r:.50} is no mapping")
    return {name: text(item) for name, item in (value or {}).items()}


def moment(value: Any) -> int:
    """Seconds since 1970; 0 for null, and for what no calendar has."""
    if value is not None and not isinstance(value, int):
        raise TypeError(f"{value!r:.50} is no time")
    return value if value and 0 < value <= _LATEST else 0
