"""The first lines of every answer, and how a block is put together. Pure.

The headings are the Run:ai guide's where it has one. Data never starts a line, so that no text of
others can pass for one of these.
"""

from collections.abc import Iterable, Sequence

from reconciler.render.model_text import NOTICE, quoted, sentence

CREATED = "✅ Environment Created Successfully!"
COMPUTE_CREATED = "✅ Compute Asset Created Beside The Environment"
DELETED = "✅ Environment Deleted Successfully"
EXISTS = "✅ Environment Already Exists"
PREVIEW = "🔍 Environment Preview (Dry Run)"
CONFIRM_CREATE = "⚠️ Confirm Environment Creation"
CONFIRM_DELETE = "⚠️ Confirm Environment Deletion"
INVALID = "❌ Environment Validation Failed"
NOT_FOUND = "❌ Environment Not Found"
NAME_TAKEN = "❌ Environment Name Is Taken"
REFUSED = "❌ Environment Deletion Refused"
AMBIGUOUS = "❌ Environment Name Is Not Unique"
NOT_CREATED = "❌ Environment Creation Failed"
NOT_DELETED = "❌ Environment Deletion Failed"
NOT_AVAILABLE = "❌ Environment Information Not Available"
NO_SDK = "⚠️ Run:AI SDK Not Installed"
NO_METHOD = "⚠️ Environment Creation Method Not Available"
INFORMATION = "ℹ️ Run:AI Environment Information"  # noqa: RUF001  (a sign, not a letter)
PROPOSED = "✅ Environment Change Proposed"
ALREADY_STATED = "✅ Manifests Already Say So"
PROPOSAL_PREVIEW = "🔍 Proposal Preview (Dry Run)"
CONFIRM_PROPOSAL = "⚠️ Confirm Proposal"
NOT_PROPOSED = "❌ Proposal Failed"

HEADINGS = tuple(
    value
    for name, value in sorted(globals().items())
    if name.isupper() and isinstance(value, str) and value[:1] in "✅❌⚠🔍ℹ"  # noqa: RUF001
)
"""The first line of every answer is one of these."""


def block(heading: str, *parts: str | Iterable[str]) -> str:
    """A heading and its paragraphs; empty ones are left out."""
    texts = [part if isinstance(part, str) else "\n".join(part) for part in parts]
    return "\n\n".join([heading, *(text for text in texts if text)])


def flaws(heading: str, items: Sequence[tuple[str, str]]) -> str:
    """Validation errors as a list: what is wrong, and below it what to do."""
    lines = ["**Validation Errors:**"]
    for what, fix in items:
        lines.append(f"  • {sentence(what)}")
        if fix:
            lines.append(f"    to fix it: {sentence(fix)}")
    return block(heading, lines, "Nothing was changed.")


def failure(heading: str, what: str, fix: str = "", *, certain: bool = True) -> str:
    """A reason and what to do about it. `certain`: nothing was changed."""
    lines = [f"Reason: {quoted(sentence(what), 700)}"]
    if fix:
        lines.append(f"What to do: {quoted(sentence(fix), 700)}")
    return block(heading, lines, "Nothing was changed." if certain else "")


def unresolved(items: Sequence[tuple[str, str, str]]) -> str:
    """Names that the control plane or the manifests do not know: (what, fix, place) each.

    Both texts may list names of live objects, so all of it is quoted.
    """
    lines = ["**Validation Errors:**"]
    for what, fix, place in items:
        label = f"{sentence(place)}: " if place else ""
        lines.append(f"  • {label}{quoted(sentence(what), 700)}")
        if fix:
            lines.append(f"    to fix it: {quoted(sentence(fix), 700)}")
    return block(INVALID, lines, "Nothing was changed.", NOTICE)
