"""docs/decisions.md has every decision once, under its topic, with date, status and few words."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.docs.pages import ROOT, tables

PAGE = ROOT / "docs" / "decisions.md"
STATUS = re.compile(
    r"20\d\d-\d\d-\d\d(?: \(.+\))? · (accepted|(?:amended|superseded) by (\d+(?:, \d+)*))"
)


class Decision(NamedTuple):
    topic: str
    number: int
    status: str
    text: str


def decisions() -> Iterator[Decision]:
    topics = re.split(r"^## (.*)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for topic, entries in zip(topics[::2], topics[1::2], strict=True):
        parts = re.split(r"^### (\d+)\. .*\n", entries, flags=re.MULTILINE)
        assert not parts[0].strip(), topic
        for number, entry in zip(parts[1::2], parts[2::2], strict=True):
            status, _, text = entry.partition("\n\n")
            yield Decision(topic, int(number), status, text)


def test_each_number_is_given_once() -> None:
    numbers = sorted(decision.number for decision in decisions())
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_contents_list_the_decisions_of_each_topic() -> None:
    listed = {
        re.findall(r"\[(.*?)\]", topic)[0]: [int(number) for number in numbers.split(", ")]
        for topic, numbers in tables(PAGE, "# Decisions")
    }
    found: dict[str, list[int]] = {}
    for decision in decisions():
        found.setdefault(decision.topic, []).append(decision.number)
    assert listed == found


def test_each_decision_has_a_date_and_a_status_and_is_short() -> None:
    numbers = {decision.number for decision in decisions()}
    for decision in decisions():
        found = STATUS.fullmatch(decision.status)
        assert found, decision.number
        later = {int(number) for number in re.findall(r"\d+", found[2] or "")}
        assert later <= numbers - {decision.number}, decision.number
        assert len(decision.text.split()) <= 90, decision.number
