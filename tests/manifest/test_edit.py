"""One document of a file changes; every other byte stays."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import ConfigError
from reconciler.manifest import ManifestFile, remove_document, replace_document, write_document
from reconciler.strict_yaml import load

FIRST, SECOND, THIRD = b"a: 1  # one\n", b"# about two\nb:   2\n", b"c: 'three'\n"


def file(*parts: bytes) -> ManifestFile:
    return ManifestFile("manifests/a.yaml", b"".join(parts))


def test_each_of_three_documents_can_go() -> None:
    data = file(FIRST, b"---\n", SECOND, b"--- # last\n", THIRD)
    assert remove_document(data, 0) == b"---\n" + SECOND + b"--- # last\n" + THIRD
    assert remove_document(data, 1) == FIRST + b"--- # last\n" + THIRD
    assert remove_document(data, 2) == FIRST + b"---\n" + SECOND


def test_the_head_of_a_file_stays_with_the_file() -> None:
    schema = b"# yaml-language-server: $schema=x\n"
    head = schema + b"#\n# These are ours.\n\n"
    assert remove_document(file(head, b"# of one\n", FIRST, b"---\n", SECOND), 0) == (
        head + b"---\n" + SECOND
    )
    assert remove_document(file(schema, FIRST, b"---\n", SECOND), 0) == schema + b"---\n" + SECOND
    licence = b"# Copyright: somebody\n# Licence: some\n"
    assert remove_document(file(licence, FIRST, b"---\n", SECOND), 0) == (
        licence + b"---\n" + SECOND
    )
    assert remove_document(file(b"\n", licence, FIRST, b"---\n", SECOND), 0) == (
        b"\n" + licence + b"---\n" + SECOND
    )
    explicit = file(head, b"---\n", FIRST, b"---\n", SECOND)
    assert remove_document(explicit, 0) == head + b"---\n" + SECOND


@pytest.mark.parametrize("data", [FIRST, b"# x\n---\n" + FIRST, FIRST + b"---\n", b"---\na: 1"])
def test_nothing_is_left(data: bytes) -> None:
    index = next(n for n, item in enumerate(load(data, "")) if item.data is not None)
    assert remove_document(file(data), index) is None


def test_a_document_is_replaced_where_it_stood() -> None:
    data = file(b"# head\n\n", FIRST, b"---\n", SECOND, b"---\n", THIRD)
    assert replace_document(data, 1, {"x": "no"}) == (
        b"# head\n\n" + FIRST + b"---\n# about two\nx: 'no'\n---\n" + THIRD
    )
    assert replace_document(data, 0, {"x": 1}) == (
        b"# head\n\nx: 1\n---\n" + SECOND + b"---\n" + THIRD
    )


def test_line_ends_and_ends_of_documents_of_others_stay() -> None:
    data = file(b"a: 1\r\n...\r\n---\r\nb: 2\r\n...\r\n---\r\nc: 3")
    assert remove_document(data, 1) == b"a: 1\r\n...\r\n---\r\nc: 3"
    assert remove_document(data, 2) == b"a: 1\r\n...\r\n---\r\nb: 2\r\n...\r\n"


NEXT, FOOT = b"# The third, for everybody.\n#\n\n# Ask before you change it.\n", b"\n# foot\n"


def test_comments_above_the_dashes_and_at_the_foot_stay() -> None:
    two = SECOND + b"  # of its last field\n"
    data = file(FIRST, b"---\n", two, NEXT, b"---\n", THIRD, FOOT)
    assert remove_document(data, 0) == b"---\n" + two + NEXT + b"---\n" + THIRD + FOOT
    assert remove_document(data, 1) == FIRST + NEXT + b"---\n" + THIRD + FOOT
    assert remove_document(data, 2) == FIRST + b"---\n" + two + NEXT + FOOT.lstrip()
    assert replace_document(data, 1, {"x": 1}) == (
        FIRST + b"---\n# about two\nx: 1\n" + NEXT + b"---\n" + THIRD + FOOT
    )
    assert replace_document(data, 2, {"x": 1}) == (
        FIRST + b"---\n" + two + NEXT + b"---\nx: 1\n" + FOOT.lstrip()
    )
    ended = file(FIRST, b"...\n", NEXT, b"---\n", SECOND)
    assert remove_document(ended, 0) == NEXT + b"---\n" + SECOND
    assert remove_document(file(b"a: 1\r\n# next\r\n---\r\nb: 2\r\n"), 0) == (
        b"# next\r\n---\r\nb: 2\r\n"
    )


@pytest.mark.parametrize(
    "value",
    [
        b'"x\n# y"\n',
        b"'x\n\n# y'\n",
        b"|\n  text\n  # y\n",
        b"|+\n  text\n\n\n",
        b"\n  - x\n  # y\n",
        b"{\nx: 1\n# y\n}\n",
        b"\n",
    ],
)
def test_what_looks_like_a_comment_in_a_value_goes_with_it(value: bytes) -> None:
    data = file(FIRST, b"---\nb: ", value, b"# next\n---\n", THIRD)
    assert remove_document(data, 1) == FIRST + b"# next\n---\n" + THIRD
    assert replace_document(data, 1, {"x": 1}) == (FIRST + b"---\nx: 1\n# next\n---\n" + THIRD)


def test_a_text_that_holds_dashes_is_no_document() -> None:
    data = file(b"a: |\n  ---\n  x\n---\nb: 2\n")
    assert remove_document(data, 1) == b"a: |\n  ---\n  x\n"


def test_a_document_may_start_on_the_line_of_its_dashes() -> None:
    data = file(b"--- {a: 1}\n... \n--- {b: 2}\n")
    assert remove_document(data, 0) == b"--- {b: 2}\n"
    assert replace_document(data, 1, {"x": 1}) == b"--- {a: 1}\n... \n---\nx: 1\n"


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(words, values, min_size=1, max_size=4)


@given(st.lists(documents, min_size=2, max_size=4), st.data())
@settings(max_examples=150)
def test_whatever_is_written_is_read_and_the_rest_keeps_its_bytes(
    written: list[dict[str, Any]], data: st.DataObject
) -> None:
    parts = [write_document(item) for item in written]
    index = data.draw(st.integers(0, len(written) - 1))
    whole = file(b"---\n".join(parts))
    assert [item.data for item in load(whole.data, "")] == written
    left = remove_document(whole, index)
    rest = parts[:index] + parts[index + 1 :]
    assert left in (b"---\n".join(rest), b"---\n" + b"---\n".join(rest))
    new = data.draw(documents)
    replaced = replace_document(whole, index, new)
    assert [item.data for item in load(replaced, "")] == [
        *written[:index],
        new,
        *written[index + 1 :],
    ]


def test_what_no_yaml_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be written as YAML"):
        write_document({"a": float("nan")})
