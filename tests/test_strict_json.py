"""JSON of others: read as every reader would read it, or not at all."""

import pytest

from reconciler.support.strict_json import parse_json


def test_what_is_read() -> None:
    found = parse_json(b'{"a": [1, -0.5, 1e9, null, true, "\\ud83d\\ude00"], "b": {"a": {}}}')
    assert found == {"a": [1, -0.5, 1e9, None, True, "\U0001f600"], "b": {"a": {}}}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a": 1, "a": 1}',
        b'[{"b": {"a": 1, "a": 2}}]',
        b"NaN",
        b"[-Infinity]",
        b"1e999",
        b"-1e999",
        b"9" * 5_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_json(text)
