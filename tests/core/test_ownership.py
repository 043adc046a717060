import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.ownership import (
    DESCRIPTION_LIMIT,
    TRAILER_LIMIT,
    Holder,
    read_mark,
    text_limit,
    write_mark,
)
from reconciler.resource import Mark, hash_id

HOLDER = Holder("RunaiEnvironment", "project", "33", "train")
MARK = Mark("ml-platform", hash_id("RunaiEnvironment", "train"))

marks = st.builds(
    Mark,
    stack=st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=32),
    id_hash=st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=12, max_size=12),
    protect=st.booleans(),
    secrets=st.booleans(),
    deposed=st.none() | st.text("0123456789abcdef", min_size=6, max_size=6),
)
texts = st.text(max_size=150).map(str.strip).filter(lambda text: "[reconcile:" not in text)
holders = st.builds(
    Holder, st.sampled_from(["RunaiEnvironment", "RunaiCompute"]), st.text(), st.text(), st.text()
)


@given(texts, marks, holders)
def test_what_is_written_is_read_back(text: str, mark: Mark, holder: Holder) -> None:
    found = read_mark(write_mark(text, mark, holder), holder)
    assert (found.text, found.mark, found.detached) == (text, mark, None)


@given(texts, marks, holders, holders)
def test_a_copy_under_another_name_is_detached(
    text: str, mark: Mark, holder: Holder, other: Holder
) -> None:
    found = read_mark(write_mark(text, mark, holder), other)
    if holder == other:
        assert found.mark == mark
    else:
        assert found.mark is None
        assert found.text == text
        assert mark.stack in (found.detached or "")


@given(texts, marks, st.integers(0, 200), st.characters())
def test_a_damaged_mark_never_counts(text: str, mark: Mark, position: int, new: str) -> None:
    whole = write_mark(text, mark, HOLDER)
    start = len(whole) - len(write_mark("", mark, HOLDER))
    position = start + position % (len(whole) - start)
    damaged = whole[:position] + new + whole[position + 1 :]
    found = read_mark(damaged, HOLDER)
    assert found.mark is None or damaged == whole


@given(marks, holders)
def test_the_trailer_fits_beside_a_text_of_the_stated_length(mark: Mark, holder: Holder) -> None:
    assert len(write_mark("", mark, holder)) < TRAILER_LIMIT
    assert len(write_mark("x" * text_limit(mark), mark, holder)) <= DESCRIPTION_LIMIT


@given(texts, marks, holders, st.text("0123456789abcdef", min_size=7, max_size=40))
def test_a_commit_is_a_hint_and_nothing_else(
    text: str, mark: Mark, holder: Holder, commit: str
) -> None:
    """It is not read, proves nothing, and takes no room that the text or the limit needs."""
    whole = write_mark(text, mark, holder, commit)
    assert read_mark(whole, holder) == read_mark(write_mark(text, mark, holder), holder)
    assert len(whole) <= DESCRIPTION_LIMIT or whole == write_mark(text, mark, holder)
    assert len(whole) - len(text) - bool(text) <= TRAILER_LIMIT
    assert read_mark(whole, holder._replace(name=holder.name + "x")).mark is None


def test_a_commit_is_left_out_where_it_does_not_fit() -> None:
    commit = "3fa2b1c" + "0" * 33
    assert write_mark("Text", MARK, HOLDER, commit).endswith("edyfzqik@3fa2b1c]")
    limit = DESCRIPTION_LIMIT - len(write_mark("", MARK, HOLDER)) - len(" @3fa2b1c")
    assert "@3fa2b1c]" in write_mark("x" * limit, MARK, HOLDER, commit)
    assert "@" not in write_mark("x" * (limit + 1), MARK, HOLDER, commit)
    long = Mark("s" * 32, MARK.id_hash, True, True, "0a1b2c")
    assert "@" not in write_mark("", long, HOLDER, commit)


@pytest.mark.parametrize("description", [None, "", "for people", "ends in a bracket]"])
def test_no_mark(description: str | None) -> None:
    found = read_mark(description, HOLDER)
    assert (found.text, found.mark, found.detached) == (description or "", None, None)


def test_a_mark_that_is_not_at_the_end_is_damaged() -> None:
    found = read_mark(write_mark("text", MARK, HOLDER) + " and more", HOLDER)
    assert found.mark is None
    assert found.detached == "its ownership mark is damaged"


def test_the_trailer_reads_as_documented() -> None:
    text = write_mark("Training", Mark("ml", MARK.id_hash, protect=True, secrets=True), HOLDER)
    assert text.startswith(f"Training [reconcile:ml:{MARK.id_hash}:")
    assert text.endswith(":ps]")


def test_the_form_of_marks_on_live_objects_does_not_change() -> None:
    """A mark that reads differently tomorrow would detach every object there is."""
    assert write_mark("Text", MARK, HOLDER) == "Text [reconcile:ml-platform:afe7aryjkegu:edyfzqik]"
    every = Mark("ml", hash_id("RunaiCompute", "x"), True, True, "0a1b2c")
    marked = write_mark("", every, Holder("RunaiCompute", "tenant", "", "é"))
    assert marked == "[reconcile:ml:6dvxkonk3el6:o5isgmqr:psr0a1b2c]"
    assert read_mark("[reconcile:ml-platform:afe7aryjkegu:edyfzqik:]", HOLDER).mark == MARK


def test_a_description_can_be_filled_to_its_last_character() -> None:
    left = Mark("ml-platform", MARK.id_hash, deposed="0a1b2c")
    text = "x" * text_limit(MARK)
    assert len(write_mark(text, left, HOLDER)) == DESCRIPTION_LIMIT


def test_half_a_character_in_a_name_of_others_does_no_harm() -> None:
    holder = Holder("RunaiEnvironment", "tenant", "", "\ud800")
    assert read_mark(write_mark("a", MARK, holder), holder).mark == MARK


def test_what_is_said_of_marks_that_do_not_count() -> None:
    damaged = "Text [reconcile:oops]"
    found = read_mark(damaged, HOLDER)
    assert (found.text, found.detached) == (damaged, "its ownership mark is damaged")
    copied = read_mark(write_mark("Text", MARK, HOLDER), HOLDER._replace(name="copy"))
    assert (copied.text, copied.detached) == (
        "Text",
        (
            "its ownership mark (stack ml-platform) was made for another object: "
            "this is a copy, or it was renamed or moved by hand"
        ),
    )
