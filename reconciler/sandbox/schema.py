"""Types of JSON values: what the contract accepts, and how a missing value is answered.

`accept` turns a value of a request into the value to store, or raises a 400 that names the field;
`render` turns a stored value into the value to answer. Nothing here knows any particular field: the
tables are in contract.py. The rules are those of OpenAPI 3.0; its `pattern` means "contains a
match", but the patterns used are anchored, so they are matched in full.
"""

from __future__ import annotations

import math
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.behaviour import Absent, UnknownFields

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)
_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def refuse(path: str, problem: str) -> ApiError:
    """Make the 400 for one field. `path` is like `spec.connections[0].name`."""
    return ApiError(400, f"{path} {problem}", details=path)


@dataclass(frozen=True)
class Shape(ABC):
    """One type of JSON value. `nullable` is whether null may stand for "not set"."""

    _: KW_ONLY
    nullable: bool = True

    def accept(self, value: object, path: str, unknown: UnknownFields) -> object:
        """Check one value of a request; the result has no null in its records."""
        if value is None:
            if self.nullable:
                return None
            raise refuse(path, "must not be null")
        return self._accept(value, path, unknown)

    @abstractmethod
    def _accept(self, value: object, path: str, unknown: UnknownFields) -> object: ...

    def render(self, value: object, absent: Absent) -> object:  # noqa: ARG002 -- records need it
        """Make the answer's form of a stored value."""
        return value

    def empty(self) -> object:
        """The empty value of this type, or None where the contract allows no empty one."""
        return None


@dataclass(frozen=True)
class Text(Shape):
    """A string; lengths in characters."""

    minimum: int = 0
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    format: Literal["uuid", "hostname"] | None = None
    emptied: bool = True  # whether "" may stand for "not set" in an answer

    def _accept(self, value: object, path: str, unknown: UnknownFields) -> object:  # noqa: ARG002
        if not isinstance(value, str):
            raise refuse(path, "must be a string")
        if not _is_unicode(value):
            raise refuse(path, "is not valid Unicode text")
        if len(value) < self.minimum:
            raise refuse(path, "must not be empty")
        if self.maximum is not None and len(value) > self.maximum:
            raise refuse(path, f"is longer than {self.maximum} characters")
        if self.choices and value not in self.choices:
            raise refuse(path, f"must be one of {', '.join(self.choices)}")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise refuse(path, f"does not match the pattern {self.pattern}")
        if self.format == "uuid" and not is_uuid(value):
            raise refuse(path, "must be a UUID")
        if self.format == "hostname" and not _is_hostname(value):
            raise refuse(path, "must be a host name")
        return value

    def empty(self) -> object:
        restricted = self.minimum or self.choices or self.format or not self.emptied
        if restricted or (self.pattern and not re.fullmatch(self.pattern, "")):
            return None
        return ""


@dataclass(frozen=True)
class Whole(Shape):
    """An integer within bounds; 1.0 counts as 1, as in JSON Schema."""

    minimum: int = INT32[0]
    maximum: int = INT32[1]

    def _accept(self, value: object, path: str, unknown: UnknownFields) -> object:  # noqa: ARG002
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise refuse(path, "must be an integer")
        if not self.minimum <= value <= self.maximum:
            raise refuse(path, f"must be between {self.minimum} and {self.maximum}")
        return value


@dataclass(frozen=True)
class Number(Shape):
    """A finite number of at least `minimum`."""

    minimum: float = 0

    def _accept(self, value: object, path: str, unknown: UnknownFields) -> object:  # noqa: ARG002
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise refuse(path, "must be a number")
        if not _is_double(value):
            raise refuse(path, "is too large")
        if value < self.minimum:
            raise refuse(path, f"must be at least {self.minimum:g}")
        return value


@dataclass(frozen=True)
class Flag(Shape):
    """A boolean."""

    def _accept(self, value: object, path: str, unknown: UnknownFields) -> object:  # noqa: ARG002
        if not isinstance(value, bool):
            raise refuse(path, "must be true or false")
        return value


@dataclass(frozen=True)
class Items(Shape):
    """A list of values of one type."""

    of: Shape

    def _accept(self, value: object, path: str, unknown: UnknownFields) -> object:
        if not isinstance(value, list):
            raise refuse(path, "must be a list")
        return [self.of.accept(each, f"{path}[{i}]", unknown) for i, each in enumerate(value)]

    def render(self, value: object, absent: Absent) -> object:
        assert isinstance(value, list)
        return [None if each is None else self.of.render(each, absent) for each in value]

    def empty(self) -> object:
        return []


@dataclass(frozen=True)
class Record(Shape):
    """An object with known fields. What is not `required` may be left out."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()

    def _accept(self, value: object, path: str, unknown: UnknownFields) -> object:
        if not isinstance(value, dict):
            raise refuse(path, "must be an object")
        for name in self.required:
            if name not in value:
                raise refuse(f"{path}.{name}", "is required")
        accepted: dict[str, object] = {}
        for name, each in value.items():
            shape = self.fields.get(name)
            if shape is None:
                if unknown == "reject":
                    raise refuse(f"{path}.{name}", "is not a known field")
                if unknown == "keep":
                    accepted[name] = each
            elif (taken := shape.accept(each, f"{path}.{name}", unknown)) is not None:
                accepted[name] = taken
        return accepted

    def render(self, value: object, absent: Absent) -> object:
        assert isinstance(value, dict)
        answer = {
            name: self.fields[name].render(each, absent) if name in self.fields else each
            for name, each in value.items()
        }
        # An object that was empty when it was sent stays so: it may be an answer sent back.
        if absent == "null" or (absent == "empty" and value):
            for name, shape in self.fields.items():
                if name not in value:
                    _add_absent(answer, name, shape, absent)
        return answer

    def empty(self) -> object:
        return None if self.required else {}


def _add_absent(answer: dict[str, object], name: str, shape: Shape, absent: Absent) -> None:
    if absent == "null" and shape.nullable:
        answer[name] = None
    elif absent == "empty" and (empty := shape.empty()) is not None:
        answer[name] = empty


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
