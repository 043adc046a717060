import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.mark import Mark, Written, hash_id
from reconciler.core.ownership import (
    DESCRIPTION_LIMIT,
    TRAILER_LIMIT,
    Holder,
    holds_mark,
    read_mark,
    room,
    text_limit,
    write_mark,
)

HOLDER = Holder("RunaiEnvironment", "project", "33", "train")
MARK = Mark("ml-platform", hash_id("RunaiEnvironment", "train"))

written = st.builds(
    Written,
    st.just("") | st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=8, max_size=8),
    st.just("") | st.text("0123456789abcdef", min_size=10, max_size=10),
)
marks = st.builds(
    Mark,
    stack=st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=32),
    id_hash=st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=12, max_size=12),
    protect=st.booleans(),
    secrets=st.booleans(),
    deposed=st.none() | st.text("0123456789abcdef", min_size=6, max_size=6),
    written=written,
    fingerprint=st.just("") | st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=8, max_size=8),
)
texts = st.text(max_size=150).map(str.strip).filter(lambda text: not holds_mark(text))
holders = st.builds(
    Holder,
    *(st.sampled_from(["RunaiEnvironment", "RunaiCompute"]), st.text(), st.text(), st.text()),
    st.sampled_from([b"", b"key-of-16-bytes!"]),
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
    assert len(write_mark("", mark, holder)) <= TRAILER_LIMIT
    text = "x" * text_limit(mark)
    assert write_mark(text, mark, holder).startswith(f"{text} [")
    assert len(write_mark(text, mark, holder)) <= DESCRIPTION_LIMIT


def test_the_longest_mark_is_as_long_as_stated() -> None:
    written = Written("abcdefgh", "0123456789")
    longest = Mark("s" * 32, MARK.id_hash, True, True, "0a1b2c", written, "k3qx7abc")
    assert len(write_mark("", longest, HOLDER)) == TRAILER_LIMIT


@given(st.text("ab \n", max_size=400).map(str.strip), marks, holders)
def test_a_longer_text_is_cut_and_the_mark_never_is(text: str, mark: Mark, holder: Holder) -> None:
    whole = write_mark(text, mark, holder, "github.com/acme/ml")
    found = read_mark(whole, holder)
    assert len(whole) <= DESCRIPTION_LIMIT
    assert found.mark == mark
    assert found.text == text[: room(mark)].rstrip()
    assert len(text) > room(mark) or found.text == text


places = st.sampled_from(["", "github.com/acme/ml", "a-host.example.com:8443/" + "p/" * 60, "a b"])


@given(texts, marks, holders, places)
def test_a_place_leads_to_git_and_is_never_read(
    text: str, mark: Mark, holder: Holder, place: str
) -> None:
    whole = write_mark(text, mark, holder, place)
    assert read_mark(whole, holder) == read_mark(write_mark(text, mark, holder), holder)
    assert len(whole) <= DESCRIPTION_LIMIT
    assert read_mark(whole, holder._replace(name=holder.name + "x")).mark is None


def test_as_much_of_the_place_as_there_is_room_for() -> None:
    place = "github.com/acme/ml"
    assert write_mark("Text", MARK, HOLDER, place).endswith(f"edyfzqik {place}]")
    full = room(MARK) - len(" " + place)
    assert write_mark("x" * full, MARK, HOLDER, place).endswith(f" {place}]")
    assert write_mark("x" * (full + 1), MARK, HOLDER, place).endswith(" acme/ml]")
    assert write_mark("x" * room(MARK), MARK, HOLDER, place).endswith(":edyfzqik]")
    assert write_mark("Text", MARK, HOLDER, "no blanks] in it").endswith(":edyfzqik]")


@given(texts, marks, holders, written)
def test_what_wrote_it_is_read_back_and_bound_to_the_check(
    text: str, mark: Mark, holder: Holder, other: Written
) -> None:
    found = read_mark(write_mark(text, mark, holder), holder).mark
    assert found is not None
    assert found.written == mark.written
    assert replace(found, written=other) == found, "what wrote it is no difference"
    if other != mark.written:
        forged = write_mark(text, replace(mark, written=other), holder)
        whole = write_mark(text, mark, holder)
        tail = forged[forged.rindex("@") :] if "@" in forged.rpartition("[")[2] else "]"
        head = whole[: whole.rindex("@")] if "@" in whole.rpartition("[")[2] else whole[:-1]
        assert read_mark(head + tail, holder).mark is None


@given(
    texts,
    marks,
    holders,
    st.text(" \n.!abc", max_size=20).filter(lambda text: "[" not in text),
    st.text(" \n.!abc", max_size=20),
)
def test_a_mark_is_found_wherever_it_stands(
    text: str, mark: Mark, holder: Holder, before: str, after: str
) -> None:
    """What people write around it, on the same line or another, is text and so drift."""
    found = read_mark(before + write_mark(text, mark, holder) + after, holder)
    assert (found.mark, found.detached) == (mark, None)
    assert found.mark is not None
    assert found.mark.written == mark.written
    words = (before + text).split() + after.split()
    assert "".join(found.text.split()) == "".join(words)


@given(texts, marks, holders, marks, st.sampled_from(["", " ", "\n", " and "]))
def test_two_marks_are_nobodys(
    text: str, mark: Mark, holder: Holder, other: Mark, between: str
) -> None:
    both = write_mark(text, mark, holder) + between + write_mark("", other, holder)
    for whole in (both, both[:-5], write_mark(text, mark, holder) * 2):
        found = read_mark(whole, holder)
        assert found.mark is None
        assert "more than one ownership mark" in (found.detached or "")
        assert mark.stack in (found.detached or "")


@given(texts, marks, holders, st.data())
def test_a_mark_that_was_cut_or_whose_case_changed_is_damaged(
    text: str, mark: Mark, holder: Holder, data: st.DataObject
) -> None:
    trailer = write_mark("", mark, holder)
    halves = [
        trailer[: len(trailer) // 2],
        trailer[trailer.index(":", 11) + 1 :],
        trailer[:-1],
        trailer[:9],
    ]
    cases = [trailer.upper(), trailer.title(), trailer.replace("reconcile", "Reconcile")]
    found = read_mark(f"{text} {data.draw(st.sampled_from(halves + cases))}", holder)
    assert found.mark is None
    assert found.detached == "its ownership mark is damaged"


@pytest.mark.parametrize("description", [None, "", "for people", "ends in a bracket]"])
def test_no_mark(description: str | None) -> None:
    found = read_mark(description, HOLDER)
    assert (found.text, found.mark, found.detached) == (description or "", None, None)


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
    by = Mark("ml-platform", MARK.id_hash, written=Written("q7xabcde", "3fa2b1c0de"))
    assert write_mark("Text", by, HOLDER, "github.com/acme/ml") == (
        "Text [reconcile:ml-platform:afe7aryjkegu:s7hm3txw@q7xabcde.3fa2b1c0de github.com/acme/ml]"
    )


def test_a_description_can_be_filled_to_its_last_character() -> None:
    written = Written("abcdefgh", "0123456789")
    left = Mark("ml-platform", MARK.id_hash, deposed="0a1b2c", written=written)
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


@given(texts, marks, holders)
def test_nobody_makes_a_mark_without_the_key(text: str, mark: Mark, holder: Holder) -> None:
    signed = holder._replace(key=b"the key of this target")
    for key, why in ((b"", "made without `mark_key`"), (b"the key of another one", "a copy")):
        found = read_mark(write_mark(text, mark, signed._replace(key=key)), signed)
        assert found.mark is None
        assert why in (found.detached or "")
    assert read_mark(write_mark(text, mark, signed), holder).mark is None
    assert read_mark(write_mark(text, mark, signed), signed).mark == mark
