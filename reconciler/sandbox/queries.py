"""Values of query strings: text to flag or number, or a 400 that names the parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.schema import INT32


def read_flag(query: Mapping[str, str], name: str) -> bool | None:
    """`true` or `false`; None if it is not there."""
    text = query.get(name)
    if text is None:
        return None
    if text not in ("true", "false"):
        raise ApiError(400, f"{name} must be true or false.", details=name)
    return text == "true"


def read_choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str | None:
    """One of some words; None if it is not there."""
    text = query.get(name)
    if text is not None and text not in choices:
        raise ApiError(400, f"{name} must be one of {', '.join(choices)}.", details=name)
    return text


def read_integer(query: Mapping[str, str], name: str) -> int | None:
    """An integer of 32 bits; None if it is not there."""
    text = query.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII) or not INT32[0] <= int(text) <= INT32[1]:
        raise ApiError(400, f"{name} must be an integer of 32 bits.", details=name)
    return int(text)
