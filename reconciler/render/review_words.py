"""What is known beside a plan -> lines of plain text: causes, news, configuration, allowances.

The text plan prints them as they are; other formats may use the same words. Nothing is escaped
here: that is the renderer's, as for all data.
"""

import json
import re
from collections.abc import Iterator

from reconciler.core.commit_approvals import TRAILER
from reconciler.core.header import Header
from reconciler.core.lineage import SHORT
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.review_notes import Cause, Edit, Origin, Review
from reconciler.render.summary import restriction

ALLOWING = "To allow in a commit what is refused, end its message with this line:"
UNDONE = "No longer to be done:"
LEADS = (ALLOWING, UNDONE)
"""Lines of ours that introduce what follows: nothing in them is data."""


def head_facts(plan: Plan, header: Header) -> list[tuple[str, str]]:
    """What the head of a plan says after the target: words of ours, which may be none, and data."""
    review = header.review
    facts = [
        ("", header.description),
        ("stack", plan.stack),
        ("commit", header.commit),
        *(("", words) for words in plan.accepted),
        ("", "with uncommitted changes" if review.dirty else ""),
        ("", f"configuration of {short_ref(review.config_from)}" if review.config_from else ""),
    ]
    return [(label, data) for label, data in facts if data]


def short_ref(ref: str) -> str:
    """A full hash in seven digits, as everywhere; names as they are."""
    return ref[:SHORT] if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", ref) else ref


def notices(review: Review) -> list[str]:
    """Lines below the head of a plan: what was not taken from the work tree, and allowances."""
    lines = []
    if review.overridden:
        names, base = ", ".join(review.overridden), short_ref(review.config_from)
        lines.append(
            f"Notice: reconciler.yaml states other {names} than {base}; those of {base} count here."
        )
    if review.note:
        lines.append(f"Notice: {review.note}")
    if review.uncompared:
        lines.append(f"Notice: nothing was compared with a reviewed plan: {review.uncompared}")
    return [*lines, *review.allowances]


def change_words(change: Change, review: Review) -> list[str]:
    """What may be meant, whose change it is, whether it was reviewed: a line for each that is."""
    lines = [change.hint] if change.hint else []
    cause = review.causes.get(change.address)
    if cause is not None:
        lines += cause_words(cause, change)
    if review.reviewed and change.address in review.news:
        lines.append(f"review: {review.news[change.address]}")
    elif review.reviewed and not _unknown(review):
        lines.append("review: as reviewed")
    return lines


def cause_words(cause: Cause, change: Change) -> Iterator[str]:
    """`branch: 3fa2b1c Ada "Use 24.05" (FILE:LINE)`, `drift: changed by ...` or another origin."""
    if cause.origin is Origin.AHEAD:
        mark = change.live.mark if change.live is not None else None
        commit = mark.written.commit[:SHORT] if mark is not None else "a commit"
        yield f"ahead: written by {commit}, which is not known to be in HEAD"
        return
    if cause.origin is Origin.PENDING:
        yield f"merged: {_edit(cause.edit)}, not applied yet" if cause.edit else _NEVER
        return
    if cause.origin is not Origin.DRIFT:
        yield f"branch: {_edit(cause.edit)}"
    if cause.origin is not Origin.BRANCH:
        yield f"drift: {_drift(cause, change)}"


_NEVER = "merged: not applied yet; nothing of this stack is live"


def _edit(edit: Edit | None) -> str:
    if edit is None:
        return "Git knows nothing of it: its file is ignored, or in a submodule"
    place = f" ({edit.file}:{edit.line})" if edit.line else ""
    place = place or (f" ({edit.file})" if edit.file else "")
    if not edit.commit:
        return f"not committed yet{place}"
    subject = json.dumps(edit.subject, ensure_ascii=False)
    return f"{edit.commit[:7]} {edit.author} {subject}{place}"


def _drift(cause: Cause, change: Change) -> str:
    if change.action is Action.CREATE:
        return "not in the live system, outside this branch"
    who = f" by {cause.changed_by}" if cause.changed_by else ""
    when = f" at {cause.changed_at}" if cause.changed_at else ""
    if change.action is Action.DELETE:  # removed from the manifests before, and not applied since
        last = f"; last changed{who}{when}" if who or when else ""
        return f"still in the live system, outside this branch{last}"
    return f"changed{who}{when}, outside this branch"


def review_summary(plan: Plan, review: Review) -> list[str]:
    """The lines below the summary: restriction, origins, news since the review, a trailer."""
    lines = [text] if (text := restriction(plan)) else []
    if review.since and not review.note:
        lines.append(f"{origins(review)} (since {short_ref(review.since)}).")
    if review.reviewed:
        lines += _news(plan, review)
    trailer = allow_trailer(plan)
    if trailer:
        lines.append(ALLOWING)
        lines.append(f"  {trailer}")
    return lines


def allow_trailer(plan: Plan) -> str:
    """The trailer that would clear every refusal of this plan that a trailer can clear, or ""."""
    words = {change.refusal.allow for change in plan.refused if change.refusal}
    given = sorted(word for word in words if word)
    return f"{TRAILER}: {' '.join(given)} digest={plan.digest()}" if given else ""


def origins(review: Review) -> str:
    """`2 changes from this branch, 1 drift`: words of ours, no data."""
    origins = [cause.origin for cause in review.causes.values()]
    branch, drift, both, pending, ahead = (origins.count(item) for item in Origin)
    text = f"{_changes(branch)} from this branch, {drift} drift"
    text += f", {both} both" if both else ""
    text += f", {pending} merged and not applied yet" if pending else ""
    return f"{text}, {ahead} written by newer commits" if ahead else text


def _news(plan: Plan, review: Review) -> Iterator[str]:
    shown = [change for change in plan.changes if change.action is not Action.UNCHANGED]
    if _unknown(review):
        yield f"This is not the plan that was reviewed ({review.reviewed})."
        return
    new = sum(change.address in review.news for change in shown)
    yield f"{_changes(len(shown) - new)} as reviewed, {new} new since the review."
    here = {change.address for change in shown}
    gone = [f"{name}: {text}" for name, text in sorted(review.news.items()) if name not in here]
    if gone:
        yield UNDONE
        yield from (f"  {line}" for line in gone)
    if review.differs and not review.news:
        yield "The changes are those that were reviewed; something that needs none has moved since."


def _unknown(review: Review) -> bool:
    """Whether only a digest was given, and it is another: nothing is known of single changes."""
    return review.differs and not review.news and not review.compared


def _changes(number: int) -> str:
    return f"{number} change" if number == 1 else f"{number} changes"
