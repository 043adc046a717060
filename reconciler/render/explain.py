"""A change -> why it is planned, field by field, in words: for people, scripts and models. Pure.

`reconcile explain`, the agent functions and the servers for models all say it with these words.
Every value of manifests and live objects stands in quotation marks, escaped, on one line and cut at
a length, so that it cannot be taken for words of ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, assert_never

from reconciler.core.diff import FieldChange
from reconciler.core.mark import Written
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import (
    SENSITIVE,
    Reference,
    Secret,
    leaves,
    redact,
)
from reconciler.core.review_notes import Cause, Edit, Origin
from reconciler.kinds.image import IMAGE
from reconciler.render.effects import effects
from reconciler.render.escape import KNOWN_LATER, literal
from reconciler.render.model_text import one_line

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class FieldReason:
    """One field: both values as text (None: absent), and what follows, as a sentence."""

    field: str
    live: str | None
    manifest: str | None
    sensitive: bool
    forces_replacement: bool
    words: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is said of one change. `why` and `applying` are sentences, in order."""

    address: str
    action: str
    refused: str
    manifest: str
    live_id: str
    why: tuple[str, ...]
    fields: tuple[FieldReason, ...]
    used_by: tuple[str, ...]
    applying: tuple[str, ...]


def explain_change(
    change: Change,
    plan: Plan,
    used_by: Sequence[str] = (),
    cause: Cause | None = None,
    applied: Edit | None = None,
) -> Explanation:
    """Explain one change of a plan. `used_by`: what uses the live object, as providers say.

    `applied` is the commit that the object's mark names, if this checkout has it.
    """
    return Explanation(
        address=one_line(change.address, _LONGEST),
        action=change.action.value,
        refused=change.refusal.kind.value if change.refusal else "",
        manifest=_manifest(change),
        live_id=one_line(change.live.uid, _LONGEST) if change.live else "",
        why=(*_why(change, plan), *_cause(cause), *_last_written(change, applied)),
        fields=tuple(_fields(change)),
        used_by=tuple(one_line(user, _LONGEST) for user in used_by or change.used_by),
        applying=tuple(effects(change, plan)),
    )


def explanation_document(explained: Explanation) -> dict[str, Any]:
    document = asdict(explained)
    return {
        name: list(item) if isinstance(item, tuple) else item for name, item in document.items()
    }


def explanation_text(explained: Explanation) -> str:
    """The explanation as lines of text, ending in a newline."""
    wanted = f"{explained.refused}: {explained.action}" if explained.refused else explained.action
    lines = [f"{explained.address}: {wanted}", "", "Why:"]
    lines += [f"  - {sentence}" for sentence in explained.why]
    if explained.fields:
        lines += ["", "Field by field:"]
        lines += [f"  - {field.words}" for field in explained.fields]
    if explained.live_id:
        lines += ["", "Used by:"]
        lines += [f"  - {user}" for user in explained.used_by] or ["  - nothing that is known"]
    lines += ["", "Applying:"]
    lines += [f"  - {sentence}" for sentence in explained.applying]
    return "\n".join(lines) + "\n"


def _manifest(change: Change) -> str:
    """Where the desired side is stated: file and line; only the first where there is no line."""
    if change.desired is None:
        return ""
    source = change.desired.source
    return one_line(source if source.line else source.file, _LONGEST)


def _why(change: Change, plan: Plan) -> Iterator[str]:
    where = _manifest(change) or "no manifest"
    match change.action:
        case Action.CREATE:
            mark = f"no live object bears its mark (stack {plan.stack})"
            none = mark if change.traits.marked else "there is no such object"
            yield f"{where} states it, and {none}."
        case Action.UPDATE:
            yield f"{_object(change)} {_ours(change)}, and is not what {where} states."
        case Action.REPLACE:
            yield f"{_object(change)} {_ours(change)}, and is not what {where} states."
            names = ", ".join(item.name for item in change.fields if item.forces_replacement)
            yield f"It cannot be changed in place: {one_line(names, _LONGEST)}."
        case Action.DELETE:
            yield from _why_deleted(change, plan)
        case Action.ADOPT:
            same = "is" if not change.fields else "is not"
            place = "its tag" if change.key.kind == IMAGE.name else "its name and scope"
            yield f"{where} states it; {_object(change)} has {place}."
            yield f"That object bears no mark of this stack, and {same} what the manifest states."
        case Action.UNCHANGED:
            count = len(list(leaves(change.desired.spec))) if change.desired else 0
            yield f"{_object(change)} {_ours(change)}, and is what {where} states."
            fields = f"{count} field" if count == 1 else f"{count} fields"
            yield f"{fields} of the manifest were compared, and no others are set there."
        case _:
            assert_never(change.action)
    if change.hint:
        yield f"{_sentence(change.hint)}."
    if change.refusal is not None:
        yield f"It is refused ({change.refusal.kind.value}): {one_line(change.refusal.reason)}."


def _sentence(text: str) -> str:
    shown = one_line(text)
    return f"{shown[:1].upper()}{shown[1:]}"


def _why_deleted(change: Change, plan: Plan) -> Iterator[str]:
    if change.deposed and change.key.kind == IMAGE.name:
        yield f"{_object(change)} bears the mark of this address, but its tag is another one."
        return
    if change.deposed:
        yield f"{_object(change)} was left over when a replacement of this address was interrupted."
        return
    if change.desired is not None:
        yield f"{_object(change)} is there, and {_manifest(change)} states that it must not be."
        return
    yield f"{_object(change)} bears the mark of this address (stack {plan.stack})."
    yield "No manifest states it any more."


def _ours(change: Change) -> str:
    """What makes the live object the one of this address."""
    return "bears its mark" if change.traits.marked else "is what its manifest names"


def _object(change: Change) -> str:
    if change.live is None:
        return "No live object"
    return f"The live object {_shown(change.live.name)} [id={one_line(change.live.uid, 80)}]"


def _cause(cause: Cause | None) -> Iterator[str]:
    if cause is None:
        return
    edit = cause.edit
    if edit is not None and not edit.commit:
        yield "The manifest was changed, and that is not committed yet."
    elif edit is not None:
        yield (
            f"The manifest was changed by commit {one_line(edit.commit[:12])} "
            f"({_shown(edit.author)}, {one_line(edit.when, 40)}): {_shown(edit.subject)}."
        )
    if cause.origin in (Origin.DRIFT, Origin.BOTH):
        who = f" by {_shown(cause.changed_by)}" if cause.changed_by else ""
        when = f" at {one_line(cause.changed_at, 40)}" if cause.changed_at else ""
        last = f", last{who}{when}" if who or when else ""
        yield f"The live object was changed outside of Git{last}."


def _last_written(change: Change, applied: Edit | None) -> Iterator[str]:
    """Who wrote the live object last and when, and which commit its mark names."""
    live = change.live
    if live is None:
        return
    who = f" by {_shown(live.updated_by)}" if live.updated_by else ""
    when = f" at {one_line(live.updated_at, 40)}" if live.updated_at else ""
    if who or when:
        yield f"The live object was last written{who}{when}."
    written = live.mark.written if live.mark is not None else Written()
    if written.commit and applied is not None:
        yield (
            f"Its mark names commit {applied.commit[:12]} ({_shown(applied.author)}, "
            f"{one_line(applied.when, 40)}): {_shown(applied.subject)}."
        )
    elif written.commit:
        yield f"Its mark names commit {written.commit}, which this checkout does not have."
    elif written.repository:
        yield "Its mark names no commit: what was applied was not committed."


def _fields(change: Change) -> Iterator[FieldReason]:
    will = "is" if change.refusal is None else "would be"
    if change.action is Action.CREATE and change.desired is not None:
        for path, value in leaves(change.desired.spec):
            yield _reason(FieldChange(path, None, value), created=True, will=will)
        return
    for field in change.fields:
        yield _reason(field, will=will)


def _reason(field: FieldChange, *, created: bool = False, will: str = "is") -> FieldReason:
    live = None if field.before is None else _shown(field.before)
    stated = None if field.after is None else _shown(field.after)
    name = one_line(field.name, _LONGEST)
    if created:
        words = f"{name} {will} set to {stated}."
    elif stated is None:
        words = f"{name} is {live} on the live object and not in the manifest: it {will} removed."
    elif live is None:
        words = f"{name} is not set on the live object: it {will} set to {stated}."
    elif field.sensitive:
        words = f"{name} holds another secret value than before: it {will} set anew."
    else:
        words = f"{name} is {live} on the live object: it {will} set to {stated}."
    if field.forces_replacement:
        words += f" This cannot be changed in place, so the object {will} replaced."
    return FieldReason(name, live, stated, field.sensitive, field.forces_replacement, words)


def _shown(value: Any) -> str:
    """A value as in a plan, escaped and cut; a secret is never shown."""
    if isinstance(value, Secret):
        return SENSITIVE
    if isinstance(value, Reference):
        output = f"the {value.output} of {value.key.address}"
        return f"{one_line(output, _LONGEST)} {KNOWN_LATER}"
    return one_line(literal(redact(value)), _LONGEST)
