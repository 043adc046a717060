"""Values of the types that JSON has not, each checked before it is made of what was sent.

All raise `CodecError`, or what the types themselves raise, for what is none.
"""

import datetime
import decimal
import math
import re
import sys
import time
import uuid
from typing import Any, Callable, Dict, Iterable, Iterator, List

MAX_ITEMS = 8_000_000
"""Commas and brackets in the JSON: a message may not become a multiple of itself in memory."""

MAX_BITS = 14_000
"""Of an integer. Python turns no more than 4300 digits into text; without limits, in minutes."""

SECONDS, SECONDS_EACH = 1.0, 5e-6
"""Of the processor, for all sets and keys of one message, and more for each of its items. Hashes of
numbers are no secret: chosen ones lead past all that is there already, whether or not they differ.
An ordinary item takes a twentieth of that."""

_FEW = 64
"""Items that take little time, whatever their hashes."""

ARRAY_KINDS = "biufcSUMm"
_DTYPE = re.compile(r"[<>|][%s][0-9]{1,9}(\[[0-9]{0,9}[A-Za-z]{1,2}\])?" % ARRAY_KINDS)
_MOST_DIMENSIONS = 64


class CodecError(ValueError):
    """A value that cannot be sent, or bytes that are no message."""


class Hashing:
    """The time that the sets and keys of one message may take."""

    def __init__(self, items: int) -> None:
        """`items`: of the whole message, at least."""
        self._left = SECONDS + items * SECONDS_EACH

    def each(self, items: List[Any]) -> Iterable[Any]:
        """The items for whoever hashes each before it takes the next; other threads run meanwhile.

        Raises `CodecError` once that has taken too long.
        """
        return items if len(items) <= _FEW else self._timed(items)

    def _timed(self, items: List[Any]) -> Iterator[Any]:
        for start in range(0, len(items), _FEW):
            before = time.thread_time()
            for item in items[start : start + _FEW]:
                yield item
            self._left -= time.thread_time() - before
            if self._left < 0:
                raise CodecError("the hashes of a set, or of keys, collide")


def array(kind: str, data: memoryview, dtype: Any, shape: Any) -> Any:
    """An array or scalar of numpy."""
    import numpy  # noqa: PLC0415 (no dependency: only where arrays are sent)

    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise CodecError("a dtype that is not allowed")
    if len(shape) > _MOST_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise CodecError("a shape that is none")
    if 0 in shape and math.prod(n or 1 for n in shape) > MAX_ITEMS:
        raise CodecError("an array without items has a shape for more than %d" % MAX_ITEMS)
    flat = numpy.frombuffer(data, dtype=numpy.dtype(dtype))
    for letter, plain, most in (("U", "u4", sys.maxunicode), ("b", "u1", 1)):
        if dtype[1] == letter and flat.size and flat.view(dtype[0] + plain).max() > most:
            raise CodecError("characters or booleans that are none")
    found = flat.reshape(shape)
    return found[()] if kind == "scalar" else found.copy()


def _offset(value: Any) -> Any:
    """A time zone from its offset, in seconds."""
    return datetime.timezone(datetime.timedelta(seconds=value))


def _hexadecimal(value: Any) -> int:
    if len(value) > MAX_BITS // 4 + len("-0x"):
        raise CodecError("an integer is too large")
    return int(value, 16)


READERS: Dict[str, Callable[[Any], Any]] = {
    "int": _hexadecimal,
    "float": float,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "timedelta": lambda value: datetime.timedelta(*value),
    "timezone": _offset,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "complex": lambda value: complex(float(value[0]), float(value[1])),
}
FROM_PART: Dict[str, Callable[[memoryview], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "str": lambda part: str(part, "utf-8", "surrogatepass"),
}
COLLECTIONS: Dict[str, Callable[[Iterable[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
