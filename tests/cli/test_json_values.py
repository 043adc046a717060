import datetime as dt
import decimal
import json
import uuid
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.cli.calls import to_line


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"a": (1, 2.5, None, True)}, '{"a": [1, 2.5, null, true]}'),
        ({2, 1}, "[1, 2]"),
        ({1: {"b": frozenset()}}, '{"1": {"b": []}}'),
        (b"\x00\xff", '{"base64": "AP8="}'),
        (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), '"2026-01-02T00:00:00+00:00"'),
        (dt.timedelta(minutes=1), "60.0"),
        ([float("nan"), float("inf")], "[null, null]"),
        (decimal.Decimal("1.50"), '"1.50"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (SimpleNamespace(tolist=lambda: [[1.0, 2.0]]), "[[1.0, 2.0]]"),
    ],
)
def test_values_of_python_as_json(value: Any, line: str) -> None:
    assert to_line(value) == line


def test_no_control_character_reaches_the_terminal() -> None:
    text = "".join(map(chr, range(0x20))) + "\x7f\x9b\u202e"
    line = to_line(text)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == text


def test_no_line_is_a_command_to_a_runner() -> None:
    line = to_line({"a": "##[add-mask]x", "b": ["##[error]"]})
    assert "##[" not in line
    assert json.loads(line) == {"a": "##[add-mask]x", "b": ["##[error]"]}
