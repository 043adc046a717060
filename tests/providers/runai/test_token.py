"""When an access token ends."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.providers.runai.token import seconds_left


def jwt(payload: Any) -> str:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return f"e30.{base64.urlsafe_b64encode(text).decode().rstrip('=')}.sig"


@pytest.mark.parametrize("extra", ["", "a", "ab", "abc", "\u00ff\u00fe??>>~~"])
def test_the_end_of_a_token(extra: str) -> None:
    assert seconds_left(jwt({"exp": 1100, "x": extra}), 1000) == 100


def test_the_alphabet_of_urls_is_read() -> None:
    token = jwt({"x": "\u00bf" * 3 + "??>", "exp": 5})  # the SDK's own decoder fails here
    payload = token.split(".")[1]
    assert seconds_left(jwt(b'{"exp":9,"y":"\xc3\xbf\xc3\xbe~~~"}'), 1) == 8
    assert set(payload) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "a.b.c",
        "a.b",
        jwt({}),
        jwt({"exp": None}),
        jwt({"exp": "soon"}),
        jwt({"exp": True}),
        jwt(b'{"exp":1e999}'),
        jwt([1]),
        jwt(b"\xff\xfe"),
        jwt({"exp": 999}),
    ],
)
def test_what_says_nothing_is_no_error(token: str) -> None:
    assert seconds_left(token, 1000) is None


@given(st.text(max_size=40))
def test_any_text_is_taken(token: str) -> None:
    seconds_left(token, 0)
    seconds_left(f"a.{token}.c", 0)
