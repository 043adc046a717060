"""A plan -> text in Terraform's shape. The summary strings are stable; data is always escaped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.core.diff import FieldChange
from reconciler.core.header import Header
from reconciler.core.plan import Action, Change, Plan, ReadFailure, Unmanaged
from reconciler.core.plan_values import planned
from reconciler.core.resource import SENSITIVE, Secret, Spec
from reconciler.core.review_notes import Review
from reconciler.render.escape import literal, literal_name, log_safe
from reconciler.render.review_words import change_words, head_facts, notices, review_summary
from reconciler.render.summary import (
    DELETE_FIRST,
    WORDS,
    is_made,
    listings,
    plan_details,
    plan_line,
    planned_words,
    words_of,
)
from reconciler.support.printable import printable
from reconciler.support.terminal import Style

_COLOURS = {"+": "green", "-": "red", "~": "yellow", "+/-": "yellow", "-/+": "yellow"}
MOST_ELEMENTS = 40
"""A longer mapping that appears or goes as a whole is told by its length."""


def render_plan(plan: Plan, header: Header, style: Style) -> str:
    """The whole plan, ending in a newline."""
    blocks = [_header(plan, header)]
    if lines := notices(header.review):
        blocks.append("\n".join(printable(line) for line in lines))
    shown = [change for change in plan.changes if change.action is not Action.UNCHANGED]
    legend = _legend(shown, style)
    if legend:
        blocks.append(legend)
    blocks += [_change(change, header.review, style) for change in shown]
    blocks += [_failure(failure, style) for failure in plan.failures]
    blocks += [_listed(title, items) for title, items in listings(plan)]
    blocks += _warnings(plan, style)
    line = plan_line(plan)
    blocks.append(
        "\n".join(
            [
                style.paint(line, "bold", "green" if line.startswith("No changes.") else "bold"),
                *plan_details(plan),
                *(printable(line) for line in review_summary(plan, header.review)),
            ]
        )
    )
    if header.offline:
        blocks.append("This plan was made offline and cannot be applied.")
    if plan.failures and is_made(plan):
        blocks.append(style.paint("This plan is incomplete and cannot be applied.", "red"))
    return log_safe("\n\n".join(blocks)) + "\n"


def _header(plan: Plan, header: Header) -> str:
    target = f"{header.target} ({header.description})" if header.description else header.target
    facts = head_facts(plan, replace(header, description=""))
    parts = [f"{label} {data}".strip() for label, data in facts]
    return printable(" · ".join([f"Target: {target}", *parts]))


def _legend(shown: Iterable[Change], style: Style) -> str:
    used = {words_of(change).symbol for change in shown}
    lines = [
        f"{style.paint(words.symbol.rjust(3), _COLOURS[words.symbol])} {words.legend}"
        for words in (*WORDS.values(), DELETE_FIRST)
        if words.symbol in used and words.legend
    ]
    if not lines:
        return ""
    head = "Resource actions are indicated with the following symbols:"
    return "\n".join([head, *lines])


def _change(change: Change, review: Review, style: Style) -> str:
    symbol = words_of(change).symbol
    mark = style.paint(symbol, _COLOURS[symbol]) if symbol in _COLOURS else symbol
    kind, name = literal(change.key.kind), literal(change.key.id)
    lines = [
        *_comments(change, style),
        *(f"  # {printable(words)}" for words in change_words(change, review)),
        f"{' ' * (3 - len(symbol))}{mark} resource {kind} {name} {{",
    ]
    match change.action:
        case Action.CREATE:
            assert change.desired is not None
            lines += _tree(change.desired.spec, "+", 6, style)
        case Action.DELETE:
            assert change.live is not None
            lines += _tree(change.live.spec, "-", 6, style)
        case Action.UPDATE | Action.REPLACE | Action.ADOPT | Action.UNCHANGED:
            spec = planned(change)
            assert spec is not None
            lines += _fields(change.fields, spec, style)
    return "\n".join([*lines, "    }"])


def _comments(change: Change, style: Style) -> list[str]:
    address = printable(change.address)
    lines = [style.paint(f"  # {address} {planned_words(change)}", "bold")]
    if change.refusal is not None:
        lines.append(style.paint(f"  # {printable(change.refusal.reason)}", "red"))
        lines.append(f"  # to clear it: {printable(change.refusal.fix)}")
    elif change.action is Action.DELETE:
        lines.append(f"  # ({printable(_why_deleted(change))})")
    if change.desired is not None:
        lines.append(f"  # ({printable(str(change.desired.source))})")
    if change.live is not None and change.action is Action.ADOPT:
        lines.append(f"  # (existing object {literal(change.live.uid)})")
    if words := change.destroys_besides:
        lines.append(f"  # destroys {printable(words)} as well")
    lines += [f"  # used by {printable(user)}" for user in change.used_by]
    if change.live is not None:
        lines += [f"  # {printable(note)}" for note in change.live.notes]
        if change.live.unknown_fields:
            names = ", ".join(change.live.unknown_fields)
            lines.append(f"  # (kept as they are, unknown to this version: {printable(names)})")
    return lines


def _why_deleted(change: Change) -> str:
    if change.deposed:
        return "left over from an interrupted replacement"
    if change.desired is not None:
        return "because its manifest says ensure: absent"
    return f"because {change.address} is not in the manifests"


def _tree(spec: Spec, symbol: str, indent: int, style: Style) -> list[str]:
    """Every field of a spec that appears (`+`) or goes (`-`)."""
    lines = []
    pad, mark = " " * indent, style.paint(symbol, _COLOURS[symbol])
    width = max((len(literal_name(name)) for name in spec), default=0)
    for name in sorted(spec):
        value, label = spec[name], literal_name(name).ljust(width)
        if isinstance(value, Mapping) and len(value) > MOST_ELEMENTS:
            lines.append(f"{pad}{mark} {label} = ({len(value)} elements)")
        elif isinstance(value, Mapping):
            lines.append(f"{pad}{mark} {label} = {{")
            lines += _tree(value, symbol, indent + 4, style)
            lines.append(f"{pad}  }}")
        else:
            gone = " -> null" if symbol == "-" else ""
            lines.append(f"{pad}{mark} {label} = {_shown(value)}{gone}")
    return lines


def _fields(fields: tuple[FieldChange, ...], desired: Spec, style: Style) -> list[str]:
    """The changed fields, nested as in the spec, with a count of what is hidden."""
    nested: dict[str, Any] = {}
    for change in fields:
        node = nested
        for part in change.path[:-1]:
            node = node.setdefault(part, {})
        node[change.path[-1]] = change
    return _nested(nested, desired, 6, style)


def _nested(node: Mapping[str, Any], desired: Any, indent: int, style: Style) -> list[str]:
    lines = []
    pad = " " * indent
    width = max((len(literal_name(name)) for name in node), default=0)
    for name in sorted(node):
        item, label = node[name], literal_name(name).ljust(width)
        if isinstance(item, FieldChange):
            lines.append(f"{pad}{_field(item, label, style)}")
        else:
            below = desired.get(name) if isinstance(desired, Mapping) else None
            lines.append(f"{pad}{style.paint('~', 'yellow')} {label} = {{")
            lines += _nested(item, below, indent + 4, style)
            lines.append(f"{pad}  }}")
    hidden = len(desired.keys() - node.keys()) if isinstance(desired, Mapping) else 0
    if hidden:
        noun = "attribute" if indent == 6 else "element"
        plural = "" if hidden == 1 else "s"
        lines.append(f"{pad}  # ({hidden} unchanged {noun}{plural} hidden)")
    return lines


def _field(field: FieldChange, label: str, style: Style) -> str:
    note = " # forces replacement" if field.forces_replacement else ""
    if field.sensitive:
        symbol = "~" if None not in (field.before, field.after) else "+"
        if field.after is None:
            symbol = "-"
        value = f"{SENSITIVE[:-1]}, changed)" if symbol == "~" else SENSITIVE
    elif field.before is None:
        symbol, value = "+", _shown(field.after)
    elif field.after is None:
        symbol, value = "-", f"{_shown(field.before)} -> null"
    else:
        symbol, value = "~", f"{_shown(field.before)} -> {_shown(field.after)}"
    return f"{style.paint(symbol, _COLOURS[symbol])} {label} = {value}{note}"


def _shown(value: Any) -> str:
    if isinstance(value, Secret):
        return SENSITIVE
    if isinstance(value, Mapping):
        return literal({name: _plain(item) for name, item in value.items()})
    return literal(value)


def _plain(value: Any) -> Any:
    return SENSITIVE if isinstance(value, Secret) else value


def _failure(failure: ReadFailure, style: Style) -> str:
    lines = [
        style.paint(f"Error: cannot read the {printable(failure.system)}", "bold", "red"),
        f"  {printable(failure.reason)}",
    ]
    if failure.fix:
        lines.append(f"  {printable(failure.fix)}")
    if failure.addresses:
        lines.append("  Not planned:")
        lines += [f"    {printable(address)}" for address in failure.addresses]
    return "\n".join(lines)


def _warnings(plan: Plan, style: Style) -> list[str]:
    head = style.paint("Warning:", "yellow")
    lines = [f"{head} {printable(text)}" for text in plan.warnings]
    return ["\n".join(lines)] if lines else []


def _listed(title: str, items: Sequence[Unmanaged]) -> str:
    lines = [f"{title} (never changed):"]
    for item in items:
        lines.append(f"  {item.kind} {literal(item.name)} [id={printable(item.uid)}]")
        lines.append(f"    {printable(item.reason)}")
    return "\n".join(lines)
