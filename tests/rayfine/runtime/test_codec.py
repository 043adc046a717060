"""Values survive the way there and back, and hostile bytes only ever give an error."""

import collections
import datetime as dt
import decimal
import enum
import json
import math
import struct
import sys
import threading
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.rayfine.in_container import codec


def there_and_back(value: Any) -> Any:
    return codec.decode(b"".join(codec.encode(value)))


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
other = (
    st.binary()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.complex_numbers(allow_nan=False)
    | st.decimals(allow_nan=False)
)
hashable = plain | other
values = st.recursive(
    hashable | st.sets(hashable) | st.frozensets(hashable),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.just("$"), inner)
        | st.dictionaries(hashable, inner)
    ),
)


@given(values)
def test_values_survive(value: Any) -> None:
    back = there_and_back(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        (1, [2, (3,)]),
        {"$": "tuple", "v": [1]},
        {1: "a", (1, 2): "b", None: {"x": b"y"}},
        float("inf"),
        -(2**200),
        "x" * 100_000,
        "lone \ud800" * 30_000,
        dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        dt.UTC,
        decimal.Decimal("1.10"),
        uuid.UUID(int=7),
        bytearray(b"abc"),
    ],
)
def test_examples_survive(value: Any) -> None:
    assert there_and_back(value) == value
    assert type(there_and_back(value)) is type(value)


def test_nan_survives() -> None:
    assert math.isnan(there_and_back(float("nan")))


def test_a_value_of_another_type_is_refused_with_its_place() -> None:
    with pytest.raises(codec.CodecError, match=r"type builtins\.object .*result\['a'\]\[1\]"):
        codec.encode({"a": [1, object()]})


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(codec.CodecError, match=r"too large: 257\.0 MiB; a message takes 256 MiB"):
        codec.encode(bytes(257 << 20))


def message(tree: Any, *parts: bytes, sizes: list[int] | None = None) -> bytes:
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    sizes = [len(part) for part in parts] if sizes is None else sizes
    head = struct.pack(f">4sIQ{len(sizes)}Q", b"RFE1", len(sizes), len(text), *sizes)
    return head + text + b"".join(parts)


P = sys.hash_info.modulus
"""Its multiples have the hash 0."""


def tagged(kind: str, value: Any) -> dict[str, Any]:
    return {"$": kind, "v": value}


@pytest.mark.parametrize("kind", ["set", "dict"])
def test_hashes_that_collide_are_refused_while_other_threads_run(kind: str) -> None:
    """Different numbers of one hash, which would take minutes."""
    items = [n * P for n in range(40_000)]
    data = message(tagged(kind, [[item, 1] for item in items] if kind == "dict" else items))
    turns, over = 0, threading.Event()

    def look() -> None:
        nonlocal turns
        while not over.wait(0.001):
            turns += 1

    thread = threading.Thread(target=look)
    thread.start()
    try:
        with pytest.raises(codec.CodecError, match="the hashes of a set, or of keys, collide"):
            codec.decode(data)
    finally:
        over.set()
        thread.join()
    assert turns > 10


def test_sets_as_they_are_in_the_wild_survive() -> None:
    grid = {(x, y, z) for x in range(-5, 5) for y in range(-5, 5) for z in range(-5, 5)}
    assert there_and_back(grid) == grid
    for powers in ({2.0**n for n in range(-1074, 1024)}, {2**n for n in range(3000)}):
        assert there_and_back(powers) == powers
        assert there_and_back(dict.fromkeys(powers, 1)) == dict.fromkeys(powers, 1)
    assert there_and_back({2**13_999, -(2**13_999)}) == {2**13_999, -(2**13_999)}
    texts = ["1" * 5000, "0" * 511, 12]
    assert there_and_back(texts) == texts


def test_an_integer_that_python_does_not_print_is_refused() -> None:
    with pytest.raises(codec.CodecError, match=r"of more than 14000 bits .*result\[0\]"):
        codec.encode([1 << 14_000])
    for text in (b"1" * 513, b"[" + b"2" * 10_000_000 + b"]", b'{"a": -' + b"3" * 5000 + b"}"):
        with pytest.raises(codec.CodecError, match="an integer is too large"):
            codec.decode(message(text))
    with pytest.raises(codec.CodecError, match="an integer is too large"):
        codec.decode(message(tagged("int", "0x" + "f" * 3600)))


def test_a_part_is_used_once() -> None:
    part = tagged("bytes", 0)
    with pytest.raises(codec.CodecError, match="used twice"):
        codec.decode(message([part] * 4000, bytes(1 << 16)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RFE1",
        b"\x80\x04cos\nsystem\n.",
        message({"$": "object", "v": 1}),
        message({"$": "bytes", "v": 0}),
        message({"$": "bytes", "v": -1}, b"x"),
        message({"$": ["tuple"], "v": 1}),
        message({"$": "set", "v": [[1]]}),
        message({"$": "array", "v": 0, "dtype": "|O", "shape": [1]}, b"12345678"),
        message({"$": "array", "v": 0, "dtype": "<f8", "shape": [1 << 40]}, b"12345678"),
        message({"$": "array", "v": 0, "dtype": "<f8", "shape": [1 << 40, 0]}, b""),
        message({"$": "array", "v": 0, "dtype": "i4,O", "shape": [1]}, b"12345678"),
        message({"$": "array", "v": 0, "dtype": "<U1", "shape": [1]}, b"\xff\xff\xff\x7f"),
        message({"$": "str", "v": 0}, b"\xff"),
        message({"$": "set", "v": [{"$": "Decimal", "v": "sNaN"}]}),
        message({"$": "int", "v": 10**18}),
        message({"$": "Decimal", "v": "x"}),
        message({"$": "timezone", "v": 1e300}),
        message(1, b"", sizes=[1 << 63]),
        message(b"[" * 100_000),
        message(b"[" + b"[]," * 4_100_000 + b"1]"),
        message(b'{"$":"tuple"}'),
        message(b"nonsense"),
    ],
)
def test_hostile_bytes_are_an_error(data: Any) -> None:
    with pytest.raises(codec.CodecError):
        codec.decode(data)


@given(st.binary(max_size=200))
def test_random_bytes_are_an_error(data: Any) -> None:
    with pytest.raises(codec.CodecError):
        codec.decode(data)


class Colour(str, enum.Enum):  # noqa: UP042 (as found in the wild)
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


def test_subclasses_travel_as_their_built_in_type() -> None:
    point = collections.namedtuple("point", "x y")  # noqa: PYI024
    value = [Colour.RED, Number.ONE, collections.OrderedDict(a=1), point(1, 2)]
    back = there_and_back(value)
    assert back == ["red", 1, {"a": 1}, (1, 2)]
    assert [type(item) for item in back] == [str, int, dict, tuple]
