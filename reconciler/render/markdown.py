"""A plan -> Markdown for a comment or a step summary, within a limit that is never exceeded.

The summary comes first, then what is destroyed or refused, then the rest in collapsed sections.
Every destroyed address has precedence over everything else; what has no room is counted. Data
stands in code only; see `reconciler.render.markdown_parts`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from reconciler.core.commit_approvals import TRAILER
from reconciler.core.header import Header
from reconciler.core.plan import Action, Change, Plan, ReadFailure
from reconciler.core.review_notes import Review
from reconciler.render.detail import Line, detail_lines
from reconciler.render.escape import visible
from reconciler.render.graph import mermaid, plan_graph
from reconciler.render.markdown_parts import (
    Entry,
    Room,
    Section,
    code,
    details,
    entries_of,
    fence,
    size,
    text_fence,
)
from reconciler.render.review_words import (
    LEADS,
    change_words,
    head_facts,
    notices,
    origins,
    review_summary,
    short_ref,
)
from reconciler.render.summary import (
    alert_words,
    is_made,
    listings,
    plan_details,
    plan_line,
    planned_words,
    restriction,
)
from reconciler.support.printable import slug

COMMENT_LIMIT = 65_536
"""Characters of a comment on GitHub; counted here in bytes of UTF-8, which are never fewer."""
SUMMARY_LIMIT = 1024 * 1024
"""Bytes of all summaries of one step."""
_ROOM_FOR_LEFT_OUT = 900
_ROOM_FOR_FRAME = 120
"""Bytes of the title and the tags around one section, at most."""
_MOST_IN_HEAD = 20
"""Lines of one sort in the head: notices, systems that could not be read, warnings."""
_MOST_OF_GRAPH = 40
_BREAK = "\\\n  "
"""A line break within a list item."""
_RUN_URL = re.compile(r"https?://[\w.:-]+/[\w.-]+/[\w.-]+/actions/runs/[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """The Markdown, and how many of the destroys it had room to name."""

    text: str
    destroys: int
    shown: int


def marker(target: str, kind: str = "") -> str:
    """The hidden first line by which a comment is found again: `<!-- reconcile:TARGET -->`.

    For anything but a plan, its `kind` stands before the target, such as `apply:`.
    """
    return f"<!-- reconcile:{kind}{slug(target)} -->"


def render_markdown(plan: Plan, header: Header, limit: int, run_url: str = "") -> Page:
    """The plan in at most `limit` bytes of UTF-8. `run_url` is where artifacts are found."""
    sections = list(_sections(plan, header.review))
    urgent = entries_of(sections, collapsed=False)
    destroys = [entry for entry in urgent if entry.change.destroys]
    head = _head(plan, header)
    room = Room(limit - size(head) - _ROOM_FOR_LEFT_OUT - _ROOM_FOR_FRAME * len(sections))
    if room.bytes < 0:
        head, room = _short_head(plan, header, limit), Room(0)
    _fill(sections, destroys, room)
    shown = sum(entry.level > 0 for entry in destroys)
    body = "".join(section.text() for section in sections)
    tail = "".join(block for block in _tail(plan) if room.take(size(block)))
    first = marker(header.target)
    if shown < len(destroys):
        first += f" {shown} of {len(destroys)} destroys shown: this is not all of it."
    text = f"{first}\n{head}{body}{tail}{_left_out(sections, limit, run_url)}"
    return Page(text if size(text) <= limit else "", len(destroys), shown)


def _sections(plan: Plan, review: Review) -> Iterator[Section]:
    going = [change for change in plan.changes if change.pending]
    of = {action: [change for change in going if change.action is action] for action in Action}
    refused = sorted(plan.refused, key=lambda change: not change.destroys)
    for title, changes, collapsed in (
        ("Deletes", of[Action.DELETE], False),
        ("Replacements", of[Action.REPLACE], False),
        ("Blocked and in conflict", refused, False),
        ("Updates", of[Action.UPDATE], True),
        ("Imports", of[Action.ADOPT], True),
        ("Creates", of[Action.CREATE], True),
    ):
        if changes:
            yield Section(title, [_entry(change, review) for change in changes], collapsed)


def _entry(change: Change, review: Review) -> Entry:
    """Its address, then with its causes, then with its diff."""
    levels = (
        lambda: f"- {code(change.address)}\n",
        lambda: _brief(change, review),
        lambda: _brief(change, review) + fence(detail_lines(change), "  "),
    )
    return Entry(change, levels)


def _fill(sections: Sequence[Section], destroys: Sequence[Entry], room: Room) -> None:
    """Addresses of destroys first, then of the refused, then all that is known of both."""
    urgent = entries_of(sections, collapsed=False)
    for level in (1, 2):
        for entry in destroys:
            entry.raise_to(level, room)
        for entry in urgent:
            entry.raise_to(level, room)
    for entry in urgent:
        entry.raise_to(3, room)
    for entry in entries_of(sections, collapsed=True):
        if room.bytes < _ROOM_FOR_FRAME:
            return
        entry.raise_to(3, room) or entry.raise_to(2, room) or entry.raise_to(1, room)


def _brief(change: Change, review: Review) -> str:
    parts = [f"**{code(change.address)}**"]
    if change.refusal is not None:
        parts.append(planned_words(change))
    if change.desired is not None and change.desired.source.file:
        parts.append(code(str(change.desired.source)))
    elif change.action is Action.DELETE:
        parts.append("leftover of a replacement" if change.deposed else "not in the manifests")
    lines = [" · ".join(parts), *(code(words) for words in change_words(change, review))]
    return f"- {_BREAK.join(lines)}\n"


def place_line(plan: Plan, header: Header) -> str:
    """Where, which stack, and from which commit."""
    facts = head_facts(plan, header)
    return " · ".join(f"{label} {code(data)}" if label else code(data) for label, data in facts)


def _head(plan: Plan, header: Header) -> str:
    lines = [f"### Plan for {code(header.target)}", "", place_line(plan, header), ""]
    details = " ".join(plan_details(plan, ""))
    lines += [f"**{plan_line(plan)}** {details}".rstrip(), ""]
    if header.review.since and not header.review.note:
        lines += [f"{origins(header.review)}, since {code(short_ref(header.review.since))}.", ""]
    summary = review_summary(plan, replace(header.review, since=""))
    if listed := _some(list(_notes([*notices(header.review), *summary]))):
        lines += [*listed, ""]
    if header.offline:
        lines += ["> [!NOTE]", "> This plan was made offline and cannot be applied.", ""]
    lines += _alert(plan)
    text = "\n".join(lines) + "\n"
    return text + "".join(map(_failure, plan.failures[:_MOST_IN_HEAD]))


def _short_head(plan: Plan, header: Header, limit: int) -> str:
    """The summary line alone, where there is hardly any room."""
    part = f" {code(text)}" if (text := restriction(plan)) else ""
    text = f"### Plan for {code(header.target)}\n\n**{plan_line(plan)}**{part}\n"
    return text if size(text) + _ROOM_FOR_LEFT_OUT < limit else ""


def _notes(lines: list[str]) -> Iterator[str]:
    """List items; indented lines belong to the one before, and a trailer is there to be copied."""
    for words in lines:
        if words.startswith(f"  {TRAILER}: "):
            yield text_fence([words.strip()], "  ").strip("\n")
        elif words.startswith("  "):
            yield f"  - {code(words.strip())}"
        else:
            yield f"- {words if words in LEADS else code(words)}"


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_IN_HEAD
    return [*lines[:_MOST_IN_HEAD], *([f"- and {more} more"] if more > 0 else [])]


def _alert(plan: Plan) -> list[str]:
    """What must not be overlooked."""
    words = alert_words(plan)
    if plan.failures and is_made(plan):
        words.append("This plan is incomplete and cannot be applied.")
    return ["> [!CAUTION]", f"> {' '.join(words)}", ""] if words else []


def _failure(failure: ReadFailure) -> str:
    lines = [Line("!", visible(failure.reason, 2000)), Line("!", visible(failure.fix, 2000))]
    count = len(failure.addresses)
    planned = f": {count} {'address' if count == 1 else 'addresses'} not planned" if count else ""
    return f"- Not read: {code(failure.system)}{planned}\n{fence(lines, '  ')}"


def _tail(plan: Plan) -> Iterator[str]:
    """What is good to know, as far as there is room: the graph, what is not ours, warnings."""
    graph = plan_graph(plan)
    if graph.edges and len(graph.nodes) <= _MOST_OF_GRAPH:
        drawn = mermaid(graph)
        yield details("Dependencies", f"```mermaid\n{drawn}```\n")
    for title, items in listings(plan):
        lines = [
            f"- {code(f'{item.kind} {item.name}')} {code(item.uid)}: {code(item.reason)}"
            for item in items
        ]
        yield _collapsed(title, lines)
    if plan.warnings:
        yield _collapsed("Warnings", [f"- {code(text)}" for text in plan.warnings])
    yield f"\nPlan {code(plan.digest())}\n"


def _collapsed(title: str, lines: list[str]) -> str:
    return details(f"{title} ({len(lines)})", "".join(f"{line}\n" for line in _some(lines)))


def _left_out(sections: Sequence[Section], limit: int, run_url: str) -> str:
    """Exactly what had no room, and where the whole plan is."""
    parts = []
    for section in sections:
        name = section.title.lower()
        absent = sum(entry.level == 0 for entry in section.entries)
        brief = sum(0 < entry.level < 3 for entry in section.entries)
        if absent:
            parts.append(f"{absent} of {len(section.entries)} {name} not shown")
        if brief:
            parts.append(f"{brief} {name} shown without details")
    if not parts:
        return ""
    where = "in the artifacts of this run"
    if _RUN_URL.fullmatch(run_url):
        where = f"in [the artifacts of this run]({run_url})"
    return (
        f"\n**Left out, for the limit of {limit:,} bytes:** {'; '.join(parts)}. "
        f"The whole plan is {where}, or: `reconcile plan -o html=plan.html`\n"
    )
