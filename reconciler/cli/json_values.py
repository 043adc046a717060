"""Values of env.py as JSON for people and programs: one line, nothing that a terminal obeys.

Tuples and sets are lists, bytes `{"base64": "..."}`, times ISO 8601, arrays nested lists, NaN and
the infinities null, keys text. What has no such form is its text.
"""

import base64
import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any

from reconciler.render.escape import log_safe_json


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
