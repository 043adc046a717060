"""Values <-> bytes: tagged JSON, with large and binary parts beside it. Never pickle.

    magic  number of parts  length of the JSON  length of each part  JSON  parts

Plain JSON values stand for themselves; anything else is `{"$": KIND, "v": ...}`. What arrives is
data, whoever sent it: decoding constructs nothing but the types named here, within stated limits.
Its work grows with the length of the message, whatever that says: no part is used twice, no number
is longer than Python prints, and sets and keys may take so much time for each of them.
"""

import datetime
import decimal
import json
import math
import struct
import sys
import uuid
from typing import Any, Callable, Dict, List, Tuple, Union

from .readers import (
    ARRAY_KINDS,
    COLLECTIONS,
    FROM_PART,
    MAX_BITS,
    MAX_ITEMS,
    READERS,
    CodecError,
    Hashing,
    array,
)

__all__ = ["MAX_BYTES", "MAX_SETUP", "Buffer", "CodecError", "decode", "encode"]

MAX_BYTES = 256 << 20
"""The most that one message may have."""

MAX_SETUP = 4 << 20
"""The most that the variables of a setup may have: they are read beside whatever else is asked."""

MAX_JSON = 64 << 20
MAX_DEPTH = 200
MAX_PARTS = 100_000
LONG_TEXT = 1 << 16

Buffer = Union[bytes, bytearray, memoryview]

_MAGIC = b"RFE1"
_HEAD = struct.Struct(">4sIQ")
_NESTED = (list, dict)
_SAFE_INTEGER = 1 << 63
_LONGEST_NUMBER = 512
_LONG_RUN = 256
"""Digits in the JSON; a run of twice as many has so many from some multiple of it on."""


def encode(value: Any) -> List[Buffer]:
    """The message as pieces to be sent one after the other. Raises `CodecError`."""
    parts: List[Buffer] = []
    try:
        tree = _Encoder(parts).encode(value, "", 0)
        text = json.dumps(tree, separators=(",", ":"), allow_nan=False).encode("ascii")
    except RecursionError:
        raise CodecError("it is nested too deeply") from None
    sizes = [memoryview(part).nbytes for part in parts]
    head = _HEAD.pack(_MAGIC, len(parts), len(text)) + struct.pack(">%dQ" % len(sizes), *sizes)
    total = len(head) + len(text) + sum(sizes)
    if total > MAX_BYTES or len(text) > MAX_JSON or len(parts) > MAX_PARTS:
        raise CodecError(
            "it is too large: %.1f MiB; a message takes %d MiB, of these %d MiB outside of bytes, "
            "long texts and arrays" % (total / (1 << 20), MAX_BYTES >> 20, MAX_JSON >> 20)
        )
    return [head + text, *parts]


def decode(data: Buffer) -> Any:
    """The value of a message. Raises `CodecError` for anything that is none."""
    view = memoryview(data)
    try:
        magic, count, length = _HEAD.unpack_from(view)
        if magic != _MAGIC or count > MAX_PARTS or length > MAX_JSON:
            raise CodecError("not a message, or its JSON is too large")
        sizes = struct.unpack_from(">%dQ" % count, view, _HEAD.size)
    except struct.error:
        raise CodecError("not a message: it is cut short") from None
    start = _HEAD.size + 8 * count
    if start + length + sum(sizes) != len(view):
        raise CodecError("not a message: its lengths do not add up")
    text = bytes(view[start : start + length])
    items = sum(map(text.count, (b",", b"[", b"{")))
    if items > MAX_ITEMS:
        raise CodecError("it has more than %d items" % MAX_ITEMS)
    parts = []
    offset = start + length
    for size in sizes:
        parts.append(view[offset : offset + size])
        offset += size
    try:
        return _Decoder(parts, Hashing(items)).decode(_parse(text), 0)
    except CodecError:
        raise
    except RecursionError:
        raise CodecError("it is nested too deeply") from None
    except ImportError:
        raise CodecError("it holds a numpy array, and numpy is not installed here") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
        raise CodecError("not a message: %.200s" % error) from None


def _parse(text: bytes) -> Any:
    """The tree. Where there are that many digits, each integer is looked at before it is made."""
    starts = range(0, len(text) - _LONG_RUN + 1, _LONG_RUN)
    if any(text[n : n + _LONG_RUN].isdigit() for n in starts):
        return json.loads(text, parse_int=_integer)
    return json.loads(text)


def _integer(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise CodecError("an integer is too large")
    return int(text)


class _Encoder:
    """Turns one value into a tree for JSON, and collects the parts beside it."""

    def __init__(self, parts: List[Buffer]) -> None:
        self._parts = parts

    def encode(self, value: Any, place: str, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return value if len(value) < LONG_TEXT else self._part("str", _utf8(value))
        if kind is int:
            return value if -_SAFE_INTEGER < value < _SAFE_INTEGER else _large(value, place)
        if kind is float:
            return value if math.isfinite(value) else _tag("float", repr(value))
        if depth > MAX_DEPTH:
            raise CodecError("it is nested too deeply%s" % _at(place[:80]))
        if kind is list:
            return self._items(value, place, depth)
        if kind is dict:
            return self._mapping(value, place, depth)
        return self._other(value, place, depth)

    def _items(self, value: Any, place: str, depth: int) -> List[Any]:
        return [
            item
            if item is None or type(item) is bool
            else self.encode(item, "%s[%d]" % (place, index), depth + 1)
            for index, item in enumerate(value)
        ]

    def _mapping(self, value: Any, place: str, depth: int) -> Any:
        if "$" not in value and all(type(key) is str for key in value):
            return {
                key: self.encode(item, "%s[%r]" % (place, key), depth + 1)
                for key, item in value.items()
            }
        pairs = [
            [
                self.encode(key, "%s (a key)" % place, depth + 1),
                self.encode(item, "%s[%.80r]" % (place, key), depth + 1),
            ]
            for key, item in value.items()
        ]
        return _tag("dict", pairs)

    def _other(self, value: Any, place: str, depth: int) -> Any:
        for collection, kind in ((tuple, "tuple"), (set, "set"), (frozenset, "frozenset")):
            if isinstance(value, collection):
                return _tag(kind, self._items(value, place, depth))
        if isinstance(value, (bytes, bytearray, memoryview)):
            kind = "bytearray" if isinstance(value, bytearray) else "bytes"
            return self._part(kind, bytes(value))
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)):
            return self._array(value, place)
        for known, write in _WRITERS:
            if isinstance(value, known):
                return _tag(known.__name__, write(value))
        for base, simplify in _SIMPLER:
            if isinstance(value, base):
                return self.encode(simplify(value), place, depth + 1)
        raise CodecError(
            "a value of type %s.%s cannot be sent%s: return dict, list, tuple, set, str, numbers, "
            "bytes, datetime or numpy arrays"
            % (type(value).__module__, type(value).__qualname__, _at(place))
        )

    def _array(self, value: Any, place: str) -> Any:
        if value.dtype.kind not in ARRAY_KINDS or value.dtype.fields:
            raise CodecError("an array of dtype %s cannot be sent%s" % (value.dtype, _at(place)))
        kind = "array" if isinstance(value, sys.modules["numpy"].ndarray) else "scalar"
        tagged: Dict[str, Any] = self._part(kind, value.tobytes())
        tagged["dtype"] = value.dtype.str
        tagged["shape"] = list(value.shape)
        return tagged

    def _part(self, kind: str, data: bytes) -> Dict[str, Any]:
        self._parts.append(data)
        return _tag(kind, len(self._parts) - 1)


class _Decoder:
    """Turns a tree and its parts back into one value."""

    def __init__(self, parts: List[memoryview], hashing: Hashing) -> None:
        self._parts: Dict[int, memoryview] = dict(enumerate(parts))
        self._hashing = hashing

    def decode(self, tree: Any, depth: int) -> Any:
        if depth > MAX_DEPTH + 10:
            raise CodecError("it is nested too deeply")
        if isinstance(tree, list):
            return self._items(tree, depth)
        if not isinstance(tree, dict):
            return tree
        if "$" not in tree:
            return {
                key: self.decode(item, depth + 1) if isinstance(item, _NESTED) else item
                for key, item in tree.items()
            }
        kind, value = tree["$"], tree["v"]
        if kind in FROM_PART:
            return FROM_PART[kind](self._part(value))
        if kind in ("array", "scalar"):
            return array(kind, self._part(value), tree["dtype"], tree["shape"])
        if kind in READERS:
            return READERS[kind](value)
        if kind == "dict":
            pairs = [(self.decode(k, depth + 1), self.decode(v, depth + 1)) for k, v in value]
            return dict(self._hashing.each(pairs))
        if kind in COLLECTIONS:
            items = self._items(value, depth)
            return COLLECTIONS[kind](items if kind == "tuple" else self._hashing.each(items))
        raise CodecError("an unknown kind of value: %.40r" % (kind,))

    def _items(self, value: Any, depth: int) -> List[Any]:
        return [
            self.decode(item, depth + 1) if isinstance(item, _NESTED) else item for item in value
        ]

    def _part(self, number: Any) -> memoryview:
        """A part, once: a message may not become a multiple of itself."""
        if type(number) is not int or number not in self._parts:
            raise CodecError("not a message: a part is missing, or used twice")
        return self._parts.pop(number)


def _tag(kind: str, value: Any) -> Dict[str, Any]:
    return {"$": kind, "v": value}


def _at(place: str) -> str:
    return " (it is at result%s)" % place[:200] if place else ""


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _large(value: int, place: str) -> Any:
    if value.bit_length() > MAX_BITS:
        raise CodecError(
            "an integer of more than %d bits cannot be sent%s" % (MAX_BITS, _at(place))
        )
    return _tag("int", hex(value))


_WRITERS: Tuple[Tuple[type, Callable[[Any], Any]], ...] = (
    (datetime.datetime, lambda value: value.isoformat()),
    (datetime.date, lambda value: value.isoformat()),
    (datetime.time, lambda value: value.isoformat()),
    (datetime.timedelta, lambda value: [value.days, value.seconds, value.microseconds]),
    (datetime.timezone, lambda value: value.utcoffset(None).total_seconds()),
    (decimal.Decimal, str),
    (uuid.UUID, str),
    (complex, lambda value: [repr(value.real), repr(value.imag)]),
)
_SIMPLER: Tuple[Tuple[type, Callable[[Any], Any]], ...] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (list, list),
    (dict, dict),
)
"""Of a subclass, such as an IntEnum or an OrderedDict, the value of the built-in type travels."""
