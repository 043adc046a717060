"""A plan -> one HTML page that needs nothing else: to be kept as an artifact and opened anywhere.

It loads nothing and may not: its content security policy allows only its own style and script, by
their digests. Data is escaped text, never markup, style or script. Without JavaScript everything
is there but the filters. No secret value enters.
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from html import escape
from pathlib import Path

from reconciler.core.header import Header
from reconciler.core.plan import Action, Change, Plan, ReadFailure
from reconciler.render.detail import Line, detail_lines
from reconciler.render.escape import visible
from reconciler.render.graph import draw, importance, state_of
from reconciler.render.review_words import change_words, head_facts, notices, review_summary
from reconciler.render.summary import alert_words, is_made, listings, plan_details, plan_line

_ASSETS = Path(__file__).parent / "page"
_CLASSES = {"+": "plus", "-": "minus", "!": "bang", "#": "remark"}
_OPEN = frozenset({"delete", "replace", "refused"})
_MOST_OPEN = 60
"""With more changes than this, all of them start closed."""
_MOST_CHARACTERS = 2000


def render_html(plan: Plan, header: Header) -> str:
    """The whole page, ending in a newline."""
    changes = importance(item for item in plan.changes if item.action is not Action.UNCHANGED)
    still = [item for item in plan.changes if item.action is Action.UNCHANGED]
    anchors = {id(change): f"c{number}" for number, change in enumerate(changes)}
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = f"Plan for {_text(header.target)}"
    main = [
        *_notes(plan),
        *_drawing(plan, anchors),
        *_changes(plan, changes, anchors, header),
        *_others(plan, still),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#changes">Skip to the changes</a>\n'
        f"{_header(plan, header)}<main>\n{''.join(main)}</main>\n"
        f"<footer>Plan {_code(plan.digest())}</footer>\n<script>{script}</script>\n"
        "</body>\n</html>\n"
    )


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _text(data: str) -> str:
    return escape(visible(data, _MOST_CHARACTERS))


def _code(data: str) -> str:
    return f"<code>{_text(data)}</code>"


def _header(plan: Plan, header: Header) -> str:
    details = " ".join(plan_details(plan, ""))
    listing = "".join(
        f"<li>{label} {_code(data)}</li>" if label else f"<li>{_text(data)}</li>"
        for label, data in head_facts(plan, header)
    )
    words = [*review_summary(plan, header.review), *notices(header.review)]
    if header.offline:
        words.insert(0, "This plan was made offline and cannot be applied.")
    notes = "".join(_note(item) for item in words)
    return (
        f'<header>\n<div class="top"><h1>Plan for {_code(header.target)}</h1>'
        '<button id="theme" type="button" hidden>Dark colours</button></div>\n'
        f'<p class="sum">{plan_line(plan)} {details}</p>\n'
        f'<ul class="facts">{listing}</ul>\n'
        + (f'<ul class="notes">{notes}</ul>\n' if notes else "")
        + "</header>\n"
    )


def _note(words: str) -> str:
    """One note; an indented line continues the one before it, as something to copy."""
    if words.startswith("  "):
        return f'<li class="more">{_code(words.strip())}</li>'
    return f"<li>{_text(words)}</li>"


def _notes(plan: Plan) -> Iterable[str]:
    if words := alert_words(plan):
        yield f'<div class="alert"><p><strong>{" ".join(words)}</strong></p></div>\n'
    for failure in plan.failures:
        yield _failure(failure)


def _failure(failure: ReadFailure) -> str:
    count = len(failure.addresses)
    return (
        f'<div class="alert"><p><strong>Not read: {_code(failure.system)}</strong>, so that '
        f"nothing can be applied. {count} not planned.</p>"
        f"<p>{_text(failure.reason)}</p><p>{_text(failure.fix)}</p></div>\n"
    )


def _drawing(plan: Plan, anchors: dict[int, str]) -> Iterable[str]:
    if not anchors:
        return
    drawing = draw(plan, anchors)
    words = "What changes, and what needs it or is needed by it; an arrow leads to who needs."
    if drawing.shown < drawing.total:
        words += (
            f" {drawing.shown} of {drawing.total} objects are drawn: what is destroyed, refused, "
            "replaced or updated comes first."
        )
    yield (
        '<section aria-labelledby="graph-title"><h2 id="graph-title">Dependencies</h2><figure>'
        f"<figcaption>{words}</figcaption>"
        '<div class="drawing" role="region" aria-label="Drawing of the dependencies" tabindex="0">'
        f"{drawing.svg}</div></figure></section>\n"
    )


def _changes(
    plan: Plan, changes: Sequence[Change], anchors: dict[int, str], header: Header
) -> Iterable[str]:
    yield (
        '<section id="changes" aria-labelledby="changes-title">'
        '<h2 id="changes-title">Changes</h2>\n'
    )
    if not changes:
        words = "There is nothing to change." if is_made(plan) else "Nothing is planned."
        yield f"<p>{words}</p></section>\n"
        return
    states = [state_of(change) for change in changes]
    picks = "".join(
        f'<label class="pick"><input type="checkbox" value="{state}" checked>'
        f'<span class="{state}">{state}</span> {states.count(state)}</label>'
        for state in dict.fromkeys(states)
    )
    yield (
        '<form class="tools" id="tools" role="search" aria-label="Changes" autocomplete="off" '
        'hidden><label class="find">Search <input id="search" type="search" '
        'placeholder="address, field, value, file"></label>'
        f"<fieldset><legend>Show</legend>{picks}</fieldset>"
        '<button id="open" type="button">Open all</button></form>\n'
        f'<p class="status" id="status" role="status">{len(changes)} changes.</p>\n'
        '<ul class="changes">\n'
    )
    may_open = len(changes) <= _MOST_OPEN
    for change, state in zip(changes, states, strict=True):
        opened = " open" if may_open and state in _OPEN else ""
        yield (
            f'<li id="{anchors[id(change)]}" data-state="{state}"><details{opened}>'
            f"{_change(change, state, header)}</details></li>\n"
        )
    yield "</ul></section>\n"


def _change(change: Change, state: str, header: Header) -> str:
    where = ""
    if change.desired is not None and change.desired.source.file:
        where = f'<span class="where">{_text(str(change.desired.source))}</span>'
    elif change.action is Action.DELETE:
        words = "left over from a replacement" if change.deposed else "not in the manifests"
        where = f'<span class="where">{words}</span>'
    why = "".join(f"<li>{_text(words)}</li>" for words in change_words(change, header.review))
    lines = "".join(map(_line, detail_lines(change)))
    label = change.refusal.kind.value if change.refusal is not None else state
    return (
        f'<summary><span class="badge {state}">{label}</span>{_code(change.address)}{where}'
        "</summary>"
        + (f'<ul class="why">{why}</ul>' if why else "")
        + (f'<pre class="diff">{lines}</pre>' if lines else "")
    )


@lru_cache(maxsize=4096)
def _line(line: Line) -> str:
    return f'<span class="{_CLASSES[line.sign]}">{line.sign} {escape(line.text)}</span>'


def _others(plan: Plan, still: Sequence[Change]) -> Iterable[str]:
    """What is no change: warnings, objects that are not ours, unchanged ones."""
    yield from _listing("Warnings", [_text(text) for text in plan.warnings], opened=True)
    for title, items in listings(plan):
        lines = [
            f"{_code(f'{item.kind} {item.name}')} {_code(item.uid)}: {_text(item.reason)}"
            for item in items
        ]
        yield from _listing(title, lines)
    yield from _listing("Unchanged", [_code(change.address) for change in still])


def _listing(title: str, items: Sequence[str], *, opened: bool = False) -> Iterable[str]:
    if items:
        listing = "".join(f"<li>{item}</li>" for item in items)
        state = " open" if opened else ""
        yield (
            f"<section><h2>{title} ({len(items)})</h2><details{state}>"
            f'<summary>Show the list</summary><ul class="plain">{listing}</ul></details>'
            "</section>\n"
        )
