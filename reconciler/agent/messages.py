"""The message blocks of the Run:ai guide: facts -> text for a person or a model. Pure.

A block starts with a heading of ours; whatever comes from a caller or a live object stands behind a
label, escaped, on one line (see `reconciler.render.model_text`). Where the guide shows a block in
two forms, the fuller one is used.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from reconciler.agent import headings
from reconciler.agent.description import (
    image_of,
    live_lines,
    pull_policy,
    workload_lines,
)
from reconciler.agent.headings import block
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import LiveResource
from reconciler.render.explain import Explanation
from reconciler.render.model_text import NOTICE, one_line, plain, quoted, sentence
from reconciler.render.summary import plan_line

_MOST = 10
_USAGE = {
    "training": "- Training jobs",
    "workspace": "- Interactive workspaces",
    "distributed": "- Distributed training workloads",
    "inference": "- Inference workloads",
}


def created(asset: Change, uid: str, link: str, plan: Plan, beside: str) -> str:
    """The success block of the guide. `beside`: a sentence about what was there before."""
    assert asset.desired is not None
    spec = asset.desired.spec
    types = spec.get("workload_types") or {"training": True, "workspace": True}
    usage = [line for name, line in _USAGE.items() if types.get(name)]
    made = [
        f"  • {plain(change.key.kind)}: {plain(change.desired.name)} ({change.action.value}d)"
        for change in plan.pending
        if change.key.kind != asset.key.kind and change.desired is not None
    ]
    return block(
        headings.CREATED,
        [
            f"Environment ID: {plain(uid)}",
            f"Name: {plain(spec['name'])}",
            f"Scope: {plain(spec['scope'])}",
            f"Image: {image_of(spec)}",
            f"Image Pull Policy: {pull_policy(spec)}",
            "Status: Created",
        ],
        workload_lines(spec),
        ["Made Beside It:", *made] if made else "",
        beside,
        ["🔧 Usage:", "This environment can now be used as a template when creating:", *usage],
        ["🌐 View in UI:", link],
    )


def preview(heading: str, asset: Sequence[str], plan: Plan | None, target: str, ask: str) -> str:
    """What would be made, the plan of it, and what a real run needs."""
    steps = []
    if plan is not None:
        steps = [plan_line(plan)]
        steps += [f"  • {plain(change.address)}: {change.action.value}" for change in plan.pending]
        steps += [f"  • warning: {sentence(text)}" for text in plan.warnings]
    return block(heading, f"Target: {sentence(target)}", asset, steps, ask)


def not_asked_for(compute: LiveResource | None) -> str:
    """A sentence about an existing compute asset that nobody asked for; or nothing."""
    if compute is None:
        return ""
    return (
        f"Mind that beside it there is the compute asset {quoted(compute.name)} "
        f"({quoted(compute.uid)}) of an earlier call, which was not asked for and is left as "
        "it is. "
    )


def already_there(change: Change, beside: str, link: str) -> str:
    """The asset exists as asked. `beside`: a sentence about what else exists."""
    assert change.live is not None
    lines = [f"Environment ID: {quoted(change.live.uid)}", f"Name: {quoted(change.live.name)}"]
    exactly = beside or "It is exactly what was asked for. "
    said = f"{exactly}Nothing was changed."
    return block(headings.EXISTS, lines, said, ["🌐 View in UI:", link])


def compute_made(live: LiveResource, uid: str) -> str:
    """Only the compute asset was new."""
    return block(
        headings.COMPUTE_CREATED,
        [
            f"Environment ID: {quoted(live.uid)}",
            f"Name: {quoted(live.name)}",
            f"Compute ID: {plain(uid)}",
        ],
        "The environment was there as asked for, and was not changed.",
    )


def _bullets(items: Sequence[str], most: int = _MOST) -> list[str]:
    """A list of which so many items are shown, and the number of the others is told."""
    more = [f"  ... and {len(items) - most} more"] if len(items) > most else []
    return [*(f"  • {item}" for item in items[:most]), *more]


def name_taken(explained: Explanation, advice: str) -> str:
    """The name is in use: by whom, what differs, and what can be done."""
    lines = [f"  • {quoted(item, 700)}" for item in explained.why]
    fields = _bullets(
        [
            f"{quoted(field.field)}: {quoted(field.live)} there, {quoted(field.manifest)} asked for"
            for field in explained.fields
        ]
    )
    return block(
        headings.NAME_TAKEN,
        [f"Address: {quoted(explained.address)}", *lines],
        ["What differs:", *fields] if fields else "",
        f"{advice} Nothing was changed.",
        NOTICE,
    )


def confirm_deletion(live: LiveResource, plan: Plan, used_by: Sequence[str], ask: str) -> str:
    """The guide's confirmation: what would go, and what uses each of it.

    `used_by` is what uses the environment; users of the rest are in the plan.
    """
    beside = [
        change for change in plan.changes if change.live is not None and change.live.uid != live.uid
    ]
    return block(
        headings.CONFIRM_DELETE,
        ["You are about to permanently delete the following environment:", *live_lines(live)],
        ["Deleted With It:", *map(_bullet, beside)] if beside else "",
        ["Used By:", *_users(used_by)],
        *(
            [f"{plain(change.key.kind)} {quoted(_name(change))} Used By:", *_users(change.used_by)]
            for change in beside
        ),
        "⚠️ This action cannot be undone.",
        [
            "Note: Deleting an environment does not affect existing workloads created from it,",
            "but new workloads will not be able to use this environment template.",
        ],
        ask,
        NOTICE,
    )


def _bullet(change: Change) -> str:
    return f"  • {plain(change.key.kind)} {quoted(_name(change))}"


def _name(change: Change) -> str:
    return change.live.name if change.live is not None else change.key.id


def _users(used_by: Sequence[str]) -> list[str]:
    return _bullets([quoted(user) for user in used_by]) or ["  • nothing that is known"]


def deleted(live: LiveResource, link: str) -> str:
    return block(
        headings.DELETED,
        ["The environment has been permanently removed:", *live_lines(live)],
        [
            "Note: Existing workloads created from this environment are not affected,",
            "but new workloads cannot use this environment template.",
        ],
        ["🌐 Verify in UI:", link],
        NOTICE,
    )


def not_found(name: str, names: Iterable[str], where: str) -> str:
    """The name is not there; what is, with the closest names first."""
    known = sorted(set(names))
    available = list(dict.fromkeys([*get_close_matches(name, known, n=3), *known]))
    shown = _bullets([quoted(item) for item in available]) or ["  (none)"]
    return block(
        headings.NOT_FOUND,
        f"Could not find environment {quoted(name)} {where}.",
        ["Available environments:", *shown],
        [
            "Please check:",
            "- Environment name is spelled correctly",
            "- Environment exists in your Run:AI cluster",
            "- You have permission to view this environment",
        ],
        NOTICE if available else "",
    )


def ambiguous(name: str, found: Sequence[tuple[str, str]]) -> str:
    """Several objects have the name: `found` pairs a place with what to call again with."""
    lines = _bullets([f"{place}: {word}" for place, word in found])
    return block(
        headings.AMBIGUOUS,
        [f"{len(found)} environments are named {quoted(name)}:", *lines],
        "To say which one is meant, call this function again with what stands behind it instead "
        "of the name. Nothing was changed.",
    )


def unfinished(heading: str, outcomes: Sequence[Outcome]) -> str:
    """What was and what was not done, each with its reason."""
    lines = []
    for outcome in outcomes:
        said = f": {quoted(sentence(outcome.message), 700)}" if outcome.message else ""
        done = _DONE[outcome.change.action] if outcome.status is Status.APPLIED else ""
        lines.append(f"  • {quoted(outcome.change.address)}: {done or outcome.status.value}{said}")
        if outcome.fix:
            lines.append(f"    to fix it: {quoted(sentence(outcome.fix), 700)}")
    unknown = any(item.status in (Status.UNKNOWN, Status.WRITTEN) for item in outcomes)
    ask = "It is not known what is there now: " if unknown else ""
    return block(
        heading,
        ["What became of each change:", *lines],
        f"{ask}Call the same function again: it goes on from what is there.",
    )


_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.ADOPT: "marked",
    Action.UNCHANGED: "unchanged",
}


def listing(title: str, names: Sequence[tuple[str, str]]) -> list[str]:
    """A titled list of names and what is said of each."""
    lines = _bullets([f"{quoted(name)}{f' ({said})' if said else ''}" for name, said in names], 50)
    return [f"{title}:", *(lines or ["  (none)"])]


def no_sdk() -> str:
    return block(
        headings.NO_SDK,
        "The Run:AI Python SDK is not available in this environment.",
        ["To enable actual environment creation:", "pip install 'runapy>=1.223'"],
    )


def no_method() -> str:
    return block(
        headings.NO_METHOD,
        "The Run:AI SDK is installed but the environment creation API is not available.",
        [
            "Alternative Approaches:",
            "1. Create environments via Run:AI UI",
            "2. Use Run:AI CLI: `runai environment create`",
            "3. Update runapy SDK to the latest version",
        ],
    )


def proposal(heading: str, facts: Sequence[tuple[str, str]], steps: Sequence[str]) -> str:
    """A proposal: its facts by label, and how to go on."""
    return block(
        heading,
        [f"{name}: {plain(value)}" for name, value in facts],
        ["Next:", *(f"  {number}. {one_line(step)}" for number, step in enumerate(steps, 1))]
        if steps
        else "",
    )
