"""One change -> the lines of its diff, for formats that colour by the first character of a line.

Every line is safe to show in a browser (`visible`) and none holds a line break. Fields are named by
their whole path, so that before and after stand below each other on lines of their own.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from reconciler.core.diff import FieldChange
from reconciler.core.plan import Action, Change
from reconciler.core.resource import SENSITIVE, Path, Secret, Spec, dotted
from reconciler.render.escape import literal, visible
from reconciler.render.text import MOST_ELEMENTS

_MOST_CHARACTERS = 2000
"""Of one value; what is beyond is counted, and whole in the JSON plan."""


class Line(NamedTuple):
    """`sign` is one of `+`, `-`, `!` (refused) and `#` (a remark)."""

    sign: str
    text: str


def detail_lines(change: Change) -> Iterator[Line]:
    """Why it is refused, what is remarkable, and the fields that appear, go or change."""
    yield from _remarks(change)
    match change.action:
        case Action.CREATE:
            assert change.desired is not None
            yield from _spec("+", change.desired.spec, [])
        case Action.DELETE:
            assert change.live is not None
            yield from _spec("-", change.live.spec, [])
        case Action.UPDATE | Action.REPLACE | Action.ADOPT | Action.UNCHANGED:
            for field in change.fields:
                yield from _field(field)


def _remarks(change: Change) -> Iterator[Line]:
    refusal, live = change.refusal, change.live
    if refusal is not None:
        yield Line("!", f"{refusal.kind.value}: {visible(refusal.reason, _MOST_CHARACTERS)}")
        yield Line("!", f"to clear it: {visible(refusal.fix, _MOST_CHARACTERS)}")
    if change.deposed:
        yield Line("#", "left over from an interrupted replacement")
    if live is not None:
        if change.action in (Action.ADOPT, Action.DELETE, Action.REPLACE):
            yield Line("#", f"existing object {visible(live.uid, _MOST_CHARACTERS)}")
        for note in live.notes:
            yield Line("#", visible(note, _MOST_CHARACTERS))
        if live.unknown_fields:
            names = visible(", ".join(live.unknown_fields), _MOST_CHARACTERS)
            yield Line("#", f"kept as they are, unknown to this version: {names}")
    if words := change.destroys_besides:
        yield Line("#", f"destroys {visible(words, _MOST_CHARACTERS)} as well")
    for user in change.used_by:
        yield Line("#", f"used by {visible(user, _MOST_CHARACTERS)}")


def _spec(sign: str, spec: Spec, lines: list[Line], above: Path = ()) -> list[Line]:
    """Add a line for every field that is no mapping."""
    for name in sorted(spec):
        value, path = spec[name], (*above, name)
        if type(value) is dict and 0 < len(value) <= MOST_ELEMENTS:
            _spec(sign, value, lines, path)
        else:
            lines.append(Line(sign, f"{_name(path)} = {_value(value)}"))
    return lines


def _field(field: FieldChange) -> Iterator[Line]:
    name, note = _name(field.path), "  # forces replacement" if field.forces_replacement else ""
    if field.sensitive and field.before is not None and field.after is not None:
        yield Line("-", f"{name} = {SENSITIVE}")
        yield Line("+", f"{name} = {SENSITIVE[:-1]}, changed){note}")
        return
    for sign, value in (("-", field.before), ("+", field.after)):
        if value is not None:
            shown = SENSITIVE if field.sensitive else _value(value)
            yield Line(sign, f"{name} = {shown}{note}")


@lru_cache(maxsize=4096)
def _name(path: Path) -> str:
    return visible(dotted(path), _MOST_CHARACTERS)


def _value(value: Any) -> str:
    if type(value) is str:
        return _text(value)
    if type(value) is bool:
        return "true" if value else "false"
    if isinstance(value, Secret):
        return SENSITIVE
    if isinstance(value, Mapping):
        if len(value) > MOST_ELEMENTS:
            return f"({len(value)} elements)"
        value = {
            name: SENSITIVE if isinstance(item, Secret) else item for name, item in value.items()
        }
    return visible(literal(value), _MOST_CHARACTERS)


@lru_cache(maxsize=4096)
def _text(value: str) -> str:
    return visible(literal(value), _MOST_CHARACTERS)
