"""Where values stand."""

import pytest

from reconciler.strict_yaml import Positions

TEXT = """\
# comment
name: x
block:
  inner:
    deep: 1
  list:
    - a
    -   b: 2
flow: {k: [1, 22, {z: 3}], e: }
empty:
long: |
  text
---
---
other:    value
"""


@pytest.mark.parametrize(
    ("document", "path", "value", "key"),
    [
        (0, (), (2, 1), (2, 1)),
        (0, ("name",), (2, 7), (2, 1)),
        (0, ("block",), (3, 1), (3, 1)),
        (0, ("block", "inner"), (4, 3), (4, 3)),
        (0, ("block", "inner", "deep"), (5, 11), (5, 5)),
        (0, ("block", "list"), (6, 3), (6, 3)),
        (0, ("block", "list", 0), (7, 7), (7, 7)),
        (0, ("block", "list", 1), (8, 9), (8, 9)),
        (0, ("block", "list", 1, "b"), (8, 12), (8, 9)),
        (0, ("flow",), (9, 7), (9, 1)),
        (0, ("flow", "k", 1), (9, 15), (9, 15)),
        (0, ("flow", "k", 2, "z"), (9, 23), (9, 20)),
        (0, ("flow", "e"), (9, 31), (9, 28)),
        (0, ("empty",), (10, 7), (10, 1)),
        (0, ("long",), (11, 7), (11, 1)),
        (1, (), (14, 1), (14, 1)),
        (2, ("other",), (15, 11), (15, 1)),
        # what is not there: the nearest value around it
        (0, ("nothing",), (2, 1), (2, 1)),
        (0, ("block", "nothing"), (3, 1), (3, 1)),
        (0, ("block", "list", 7), (6, 3), (6, 3)),
        (0, ("name", "below", "text"), (2, 1), (2, 1)),
        (9, ("name",), (1, 1), (1, 1)),
    ],
)
def test_positions(
    document: int, path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    positions = Positions(TEXT.encode())
    assert positions.at(document, path) == value
    assert positions.at(document, path, key=True) == key


def test_columns_count_characters() -> None:
    assert Positions("ключ: {ü: 1}".encode()).at(0, ("ключ", "ü")) == (1, 11)


@pytest.mark.parametrize("data", [b"\xff", b"a: b: c", b"- '", b"a: *x\n? [k]\n: v\nb: 1"])
def test_text_that_cannot_be_read_does_no_harm(data: bytes) -> None:
    assert Positions(data).at(0, ("b",)).line >= 1
