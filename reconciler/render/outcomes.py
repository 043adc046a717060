"""What became of a plan -> Markdown, annotations and outputs of a step.

What was not applied comes first, with its reason and what to do; every such address has precedence
over everything else, and what has no room is counted. Data stands in code only.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from reconciler.core.header import Header
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Change, Plan
from reconciler.render.detail import Line
from reconciler.render.escape import visible
from reconciler.render.markdown import marker, place_line
from reconciler.render.markdown_parts import Entry, Room, Section, code, entries_of, fence, size
from reconciler.render.summary import WORDS, apply_line, count_ends, planned_words
from reconciler.render.workflow_step import (
    Annotation,
    first_of,
    place_of,
    refusals,
    refused_annotations,
)

_TITLES = {  # of what is not applied
    Status.FAILED: "Failed",
    Status.UNKNOWN: "Unknown: sent, and the answer was lost",
    Status.WRITTEN: "Written and not confirmed",
    Status.SKIPPED_DEPENDENCY: "Not sent, because of what it depends on",
    Status.NOT_ATTEMPTED: "Not attempted",
}
_UNSENT = (Status.SKIPPED_DEPENDENCY, Status.NOT_ATTEMPTED)
"""What another failure has kept from being sent: a warning."""
_MOST_CHARACTERS = 2000
_ROOM_FOR_FRAME = 160
"""Bytes of the title and the tags around one section, at most."""
_ROOM_FOR_LEFT_OUT = 200


@dataclass(frozen=True, slots=True)
class Result:
    """A plan that was carried out, and what became of each change of it that was not refused."""

    plan: Plan
    header: Header
    outcomes: Sequence[Outcome]

    @property
    def line(self) -> str:
        """`Apply complete! ...` or `Apply incomplete: ...`."""
        return apply_line(self.outcomes, len(self.plan.refused))

    def of(self, status: Status) -> list[Outcome]:
        """The outcomes of one sort, in the plan's order."""
        return [item for item in self.outcomes if item.status is status]


def outcome_page(result: Result, limit: int) -> str:
    """The Markdown in at most `limit` bytes of UTF-8; empty where there is no room for a head."""
    header = result.header
    head = (
        f"{marker(header.target, 'apply:')}\n### Apply for {code(header.target)}\n\n"
        f"{place_line(result.plan, header)}\n\n**{result.line}**\n"
    )
    sections = list(_sections(result))
    room = Room(limit - size(head) - _ROOM_FOR_LEFT_OUT - _ROOM_FOR_FRAME * len(sections))
    if room.bytes < 0:
        return ""
    for level in (1, 2):
        for entry in entries_of(sections, collapsed=False):
            entry.raise_to(level, room)
    for entry in entries_of(sections, collapsed=True):
        entry.raise_to(1, room)
    left = sum(len(section.entries) - section.shown for section in sections)
    end = f"\n**{left} more have no room here:** see the log of the run.\n" if left else ""
    return f"{head}{''.join(section.text() for section in sections)}{end}"


def _sections(result: Result) -> Iterator[Section]:
    for status, title in _TITLES.items():
        if found := result.of(status):
            yield Section(title, [_entry(item.change, partial(_told, item)) for item in found])
    if refused := result.plan.refused:
        entries = [_entry(change, partial(_refused, change)) for change in refused]
        yield Section("Refused, so not begun", entries)
    if applied := result.of(Status.APPLIED):
        entries = [Entry(item.change, [partial(_applied, item)]) for item in applied]
        yield Section("Applied", entries, collapsed=True)


def _entry(change: Change, told: Callable[[], str]) -> Entry:
    """Its address, then with all that is to be said."""
    return Entry(change, [lambda: f"- {code(change.address)}\n", told])


def _told(outcome: Outcome) -> str:
    return _with(outcome.change, outcome.change.action.value, (outcome.message, outcome.fix))


def _refused(change: Change) -> str:
    assert change.refusal is not None
    return _with(change, planned_words(change), (change.refusal.reason, change.refusal.fix))


def _with(change: Change, words: str, lines: Iterable[str]) -> str:
    said = [Line("!", visible(text, _MOST_CHARACTERS)) for text in lines if text]
    return f"- **{code(change.address)}** · {words}\n{fence(said, '  ')}"


def _applied(outcome: Outcome) -> str:
    done = WORDS[outcome.change.action].done.lower()
    uid = f" {code(outcome.uid)}" if outcome.uid else ""
    return f"- {code(outcome.change.address)}{uid}: {done} after {outcome.seconds:.0f}s\n"


def outcome_annotations(result: Result) -> Iterator[Annotation]:
    """One for each change that is not applied, on the line of its manifest, and one for the sum."""
    for status, title in _TITLES.items():
        level = "warning" if status in _UNSENT else "error"
        for item in result.of(status):
            change = item.change
            file, line = place_of(change, result.header)
            head = f"{change.address}: {title.lower()}"
            yield Annotation(level, change.address, (head, item.message, item.fix), file, line)
    yield from refused_annotations(result.plan, result.header)
    place = f"{result.header.target}, stack {result.plan.stack}"
    yield Annotation("notice", f"Apply for {place}", (result.line,))


def outcome_outputs(result: Result) -> dict[str, str]:
    """How many changes ended how, and why the first one that is not applied is not."""
    failed = [
        f"{item.change.address}: {item.message}" for status in _TITLES for item in result.of(status)
    ]
    refused = refusals(result.plan)
    ends = {name.replace("_", "-"): str(n) for name, n in count_ends(result.outcomes).items()}
    return {
        **ends,
        "refused": str(len(refused)),
        "summary": result.line,
        "failure-reason": first_of([*failed, *refused]),
    }
