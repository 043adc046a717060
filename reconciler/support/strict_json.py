"""JSON that anybody may have written -> values that no other reader reads otherwise."""

import json
import math
from typing import Any


def parse_json(data: bytes) -> Any:
    """UTF-8 without double names, with real numbers only. Raises `ValueError`."""
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_said_once,
            parse_constant=_finite,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _said_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:50]} is no number of JSON")
    return number
