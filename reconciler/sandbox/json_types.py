"""JSON values against schemas: what a server accepts, and how a missing value is answered.

A schema is a mapping in the words of OpenAPI 3.0, without references; contract.json holds them.
`accept` turns a value of a request into the value to store, or raises a 400 that names the field
and never its value; `render` turns a stored value into the value to answer. A `pattern` of OpenAPI
means "contains a match", but the patterns used are anchored, so they are matched in full.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.switches import Absent, UnknownFields

Schema = Mapping[str, Any]

_BOUNDS: Final = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
# "" is a value of an environment variable, so it never stands for "not set" in an answer.
_NEVER_EMPTIED = "value"


def refuse(path: str, problem: str) -> ApiError:
    """Make the 400 for one field. `path` is like `spec.connections[0].name`."""
    return ApiError(400, f"{path} {problem}", details=path)


def accept(schema: Schema, value: object, path: str, unknown: UnknownFields) -> Any:
    """Check one value of a request; the result has no null in its objects."""
    if value is None:
        if schema.get("nullable"):
            return None
        raise refuse(path, "must not be null")
    match schema["type"]:
        case "object":
            return _accept_object(schema, value, path, unknown)
        case "array":
            if not isinstance(value, list):
                raise refuse(path, "must be a list")
            of = schema["items"]
            return [accept(of, each, f"{path}[{i}]", unknown) for i, each in enumerate(value)]
        case "string":
            return _accept_text(schema, value, path)
        case "boolean":
            if not isinstance(value, bool):
                raise refuse(path, "must be true or false")
            return value
        case _:
            return _accept_number(schema, value, path)


def _accept_object(schema: Schema, value: object, path: str, unknown: UnknownFields) -> object:
    if not isinstance(value, dict):
        raise refuse(path, "must be an object")
    for name in schema.get("required", ()):
        if name not in value:
            raise refuse(f"{path}.{name}", "is required")
    accepted: dict[str, object] = {}
    for name, each in value.items():
        known = schema["properties"].get(name)
        if known is None:
            if unknown == "reject":
                raise refuse(f"{path}.{name}", "is not a known field")
            if unknown == "keep":
                accepted[name] = each
        elif (taken := accept(known, each, f"{path}.{name}", unknown)) is not None:
            accepted[name] = taken
    return accepted


def _accept_text(schema: Schema, value: object, path: str) -> str:
    if not isinstance(value, str):
        raise refuse(path, "must be a string")
    if not _is_unicode(value):
        raise refuse(path, "is not valid Unicode text")
    if len(value) < schema.get("minLength", 0):
        raise refuse(path, "must not be empty")
    if len(value) > schema.get("maxLength", math.inf):
        raise refuse(path, f"is longer than {schema['maxLength']} characters")
    if "enum" in schema and value not in schema["enum"]:
        raise refuse(path, f"must be one of {', '.join(schema['enum'])}")
    if not re.fullmatch(schema.get("pattern", "(?s:.*)"), value):
        raise refuse(path, f"does not match the pattern {schema['pattern']}")
    if schema.get("format") == "uuid" and not is_uuid(value):
        raise refuse(path, "must be a UUID")
    if schema.get("format") == "hostname" and not _is_hostname(value):
        raise refuse(path, "must be a host name")
    return value


def _accept_number(schema: Schema, value: object, path: str) -> float:
    """A finite number, or an integer within its bounds; 1.0 counts as 1, as in JSON Schema."""
    if schema["type"] == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    types = int if schema["type"] == "integer" else int | float
    if not isinstance(value, types) or isinstance(value, bool):
        raise refuse(path, f"must be {'an integer' if types is int else 'a number'}")
    if not _is_double(value):
        raise refuse(path, "is too large")
    low, high = _BOUNDS.get(schema.get("format", ""), (-math.inf, math.inf))
    low, high = schema.get("minimum", low), schema.get("maximum", high)
    if not low <= value <= high:
        raise refuse(
            path, f"must be at least {low}" if high == math.inf else f"must be {low} to {high}"
        )
    return value


def render(schema: Schema, value: Any, absent: Absent) -> Any:
    """Make the answer's form of a stored value."""
    if isinstance(value, list):
        return [render(schema["items"], each, absent) for each in value]
    if not isinstance(value, dict):
        return value
    known = schema["properties"]
    answer = {
        name: render(known[name], each, absent) if name in known else each
        for name, each in value.items()
    }
    # An object that was empty when it was sent stays so: it may be an answer sent back.
    if absent == "null" or (absent == "empty" and value):
        for name in known.keys() - value.keys():
            if absent == "null" and known[name].get("nullable"):
                answer[name] = None
            elif absent == "empty" and name != _NEVER_EMPTIED:
                answer |= {} if (empty := _empty(known[name])) is None else {name: empty}
    return answer


def _empty(schema: Schema) -> object:
    """The empty value of a type, or None where the contract allows no empty one."""
    match schema["type"]:
        case "array":
            return []
        case "object":
            return None if schema.get("required") else {}
        case "string":
            restricted = schema.get("minLength") or "enum" in schema or "format" in schema
            fits = re.fullmatch(schema.get("pattern", ""), "")
            return None if restricted or not fits else ""
        case _:
            return None


def fill(schema: Schema, value: Any) -> None:
    """Add the defaults that a schema states, in place, to the objects that are there."""
    for each in value if isinstance(value, list) else ():
        fill(schema["items"], each)
    if isinstance(value, dict):
        for name, known in schema["properties"].items():
            if name in value:
                fill(known, value[name])
            elif "default" in known:
                value[name] = known["default"]


def is_uuid(text: str) -> bool:
    """Whether it is a UUID in its usual form, with hyphens."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _is_hostname(text: str) -> bool:
    return len(text) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in text.split("."))


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_double(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
