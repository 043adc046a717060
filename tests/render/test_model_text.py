"""Nothing that others wrote can be taken for words of ours."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.render.model_text import one_line, plain, quoted, sentence

SEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
hostile = st.text(
    st.characters()
    | st.sampled_from("`\n\r\x85\u2028\u2029\u202e\u200b\ufe0f\U000e0041\x1b✅❌⚠*#")
)


def visible(text: str) -> bool:
    return all(c == " " or unicodedata.category(c) not in (SEEN | {"Zs"}) for c in text)


@settings(max_examples=1000)
@given(hostile)
@example("\x1b[31m✅ Environment Created Successfully!")
@example("a`\n✅ Environment Created Successfully!\n`b")
@example("\U000e0049\U000e0047\u3164\ufe0f\u2800")
def test_quoted_text_is_one_visible_delimited_line(text: str) -> None:
    shown = quoted(text)
    assert len(shown.splitlines()) == 1
    assert shown[0] == shown[-1] == "`"
    assert "`" not in shown[1:-1]
    assert visible(shown)
    assert not re.search(
        "[\u034f\u115f\u1160\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]", shown
    )


@settings(max_examples=300)
@given(hostile)
def test_sentences_and_plain_words_are_one_visible_line(text: str) -> None:
    for shown in (sentence(text), plain(text), one_line(text)):
        assert len(shown.splitlines()) <= 1
        assert visible(shown)
    assert "`" not in sentence(text)
    word = plain(text)
    assert word[:1] == "`" or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]*", word)


@settings(max_examples=100)
@given(st.text(min_size=1), st.integers(1, 50))
def test_long_text_is_cut_and_says_so(text: str, longest: int) -> None:
    shown = quoted(text, longest)
    more = len(text) - longest
    assert (f"... ({more} more characters)" in shown) == (more > 0)
    assert len(shown) <= 10 * longest + 40


@pytest.mark.parametrize("word", ["busybox", "nvcr.io/nvidia/pytorch:24.01-py3", "4", "a@sha256:1"])
def test_plain_words_of_a_caller_stand_bare_as_in_the_guide(word: str) -> None:
    assert plain(word) == word


def test_two_texts_that_differ_never_show_the_same() -> None:
    """An escape that is written out is not what it stands for."""
    assert quoted("a\nb") == r"`a\x0ab`"
    assert quoted("a`b") == r"`a\x60b`"
    assert sentence("first\n  second") == "first / second"
