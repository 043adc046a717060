import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.resource import SENSITIVE
from reconciler.errors import ConflictError, ProviderError
from reconciler.providers.runai.redaction import hide, without_secrets

HEAD = "POST /api/v1/asset/environment was answered with 400"
LEFT_OUT = f"{HEAD}: (the answer quotes a sensitive value and is left out)"
KEY = '-----BEGIN KEY-----\nMIIEvQ"IBADANBg\\kqhkiG9w0\nBAQEFAASC\n-----END KEY-----\n'


def test_words_without_a_secret_stay() -> None:
    assert hide(f"{HEAD}: no such scope", ["token-77"]) == f"{HEAD}: no such scope"
    assert hide(f"{HEAD}: no such scope", []) == f"{HEAD}: no such scope"


def test_whole_secrets_are_replaced_and_the_rest_stays() -> None:
    text = f"{HEAD}: bad value token-77 in token-77-long"
    hidden = f"{HEAD}: bad value {SENSITIVE} in {SENSITIVE}"
    assert hide(text, ["token-77", "token-77-long"]) == hidden


@pytest.mark.parametrize(
    "quoted",
    [
        json.dumps(KEY),
        json.dumps(json.dumps(KEY)),
        " ".join(KEY.split()),
        repr(KEY),
        KEY[10:40],
        KEY[:20],
        KEY[-30:],
    ],
)
def test_parts_of_a_secret_take_all_words_with_them(quoted: str) -> None:
    assert hide(f"{HEAD}: cannot take {quoted}", [KEY]) == LEFT_OUT


@pytest.mark.parametrize("short", ["", "1", "ab", "on"])
def test_short_values_do_not_spoil_all_words(short: str) -> None:
    text = f"{HEAD}: 1 problem"
    assert hide(text, [short]) == text.replace(short or "\0", SENSITIVE if len(short) > 1 else "1")


def test_an_error_keeps_its_class_and_advice() -> None:
    error = without_secrets(ConflictError(f"{HEAD}: token-77", fix="run plan again"), ["token-77"])
    assert isinstance(error, ConflictError)
    assert error.what == f"{HEAD}: {SENSITIVE}"
    assert error.fix == "run plan again"
    assert "token" not in repr(error)
    same = ProviderError("nothing here")
    assert without_secrets(same, ["token-77"]) is same


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=12, max_size=60),
    st.integers(0, 20),
    st.sampled_from([str, json.dumps, repr, lambda text: " ".join(text.split())]),
)
def test_no_long_part_of_a_secret_is_left(secret: str, cut: int, write: object) -> None:
    assert callable(write)
    said = write(secret)[: -cut or None]
    hidden = hide(f"{HEAD}: <<{said}", [secret]).removeprefix(HEAD)
    words = "(the answer quotes a sensitive value and is left out) (sensitive value) : <<"
    for at in range(len(secret) - 11):
        part = secret[at : at + 12]
        assert part not in hidden or part in words
