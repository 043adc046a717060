"""Every answer is JSON of a bounded size, exact where it says so, and counts what it leaves out."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.mcp_server.truncation import LARGEST, MOST_ITEMS, Exact, Part, fit
from tests.mcp_server.test_hostile import is_plain

PIECES = (
    "\n", "\t", "\r\n", "\u00a0", "\u200d", "\ufe0f", "\u2028", "\u202e", "\x7f", "\x00", "\\", '"',
    "\\n", "\\ufe0f", "\\x0a", "... 3 more", "... (3 more characters)", "`", "\ue000exact\ue000",
    "\U000e0041", "\U0001f468", "</result>", " ", "'", "é", "word",
)  # fmt: skip
hostile = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=8).map("".join)
leaves = hostile | st.integers() | st.booleans() | st.none()
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(hostile, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(manifest=documents, others=st.dictionaries(st.sampled_from("abcd"), documents))
def test_an_exact_value_is_read_back_and_nothing_invisible_is_sent(
    manifest: Any, others: dict[str, Any]
) -> None:
    fitted = fit({**others, "desired": {"first": Exact([manifest]), "manifest": Exact(manifest)}})
    assert is_plain(fitted.text)
    shown = json.loads(fitted.text)["desired"]
    assert shown == {"first": [manifest], "manifest": manifest}


@settings(max_examples=60, deadline=None)
@given(
    data=documents,
    items=st.sampled_from([1, 13, 60, 200]),
    longest=st.sampled_from([1, 70, 600]),
)
def test_no_answer_is_larger_than_the_limit_and_the_rest_is_kept_whole(
    data: Any, items: int, longest: int
) -> None:
    many = {f"NAME {number}": ["x" * longest, data] for number in range(items)}
    answer = {"live": Part(list(many.values())), "nested": {"deep": [many, many]}, "plain": data}
    fitted = fit(answer)
    assert len(fitted.text) <= LARGEST
    assert is_plain(fitted.text)
    assert is_plain(fitted.whole)
    json.loads(fitted.text)
    if fitted.whole:
        assert fitted.uri in json.loads(fitted.text)["rest"]
        assert json.loads(fitted.whole) == {
            "live": list(many.values()),
            "nested": {"deep": [many, many]},
            "plain": data,
        }


def test_a_part_counts_the_items_that_it_lacks() -> None:
    fitted = fit({"live": Part(["é"] * 73), "few": Part([1, 2], most=2), "names": ["a"] * 60})
    shown = json.loads(fitted.text)
    assert len(shown["live"]) == MOST_ITEMS
    assert shown["live_not_shown"] == f"{73 - MOST_ITEMS} more"
    assert shown["names"][-1] == f"... {60 - MOST_ITEMS} more"
    assert "few_not_shown" not in shown


def test_counts_stay_exact_where_an_answer_has_to_shrink() -> None:
    fitted = fit({"live": Part([{"name": "n" * 400} for _ in range(300)], most=200)})
    shown = json.loads(fitted.text)
    assert len(fitted.text) <= LARGEST
    assert len(shown["live"]) + int(shown["live_not_shown"].removesuffix(" more")) == 300


def test_what_names_the_rest_is_said_and_nothing_else_is_kept() -> None:
    uri = "reconcile://plan/0"
    assert fit({"changes": Part([1])}, uri).text == '{\n "changes": [\n  1\n ]\n}'
    fitted = fit({"changes": Part([1] * 99)}, uri)
    assert (fitted.uri, fitted.whole) == (uri, "")
    assert json.loads(fitted.text)["rest"].endswith(uri)
