"""A change -> what applying it does, in sentences, for each kind. Pure.

An asset of Run:ai is changed in place and keeps its id. An image never is: every write makes one
with the wanted content and labels, or finds it, and moves the tag.
"""

from collections.abc import Iterator
from typing import Any, assert_never

from reconciler.kinds.environment import IMAGE_KIND
from reconciler.plan import Action, Change, Plan
from reconciler.render.escape import literal
from reconciler.render.model_text import one_line
from reconciler.resource import SENSITIVE, Secret, redact

LONGEST = 200
"""Characters of one value in an explanation."""


def describe_effects(change: Change, plan: Plan) -> Iterator[str]:
    """What applying a change of a plan does, sentence by sentence."""
    if change.refusal is not None:
        yield "Nothing is done to it, as long as it is refused."
        yield f"To clear it: {one_line(change.refusal.fix)}."
    elif change.action is Action.UNCHANGED:
        yield "Nothing: it is as it should be."
    elif change.key.kind == IMAGE_KIND:
        yield from _of_image(change, plan)
    else:
        yield from _of_asset(change, plan)


def shown_value(value: Any) -> str:
    """A value as in a plan, escaped and cut; a secret is never shown."""
    if isinstance(value, Secret):
        return SENSITIVE
    return one_line(literal(redact(value)), LONGEST)


def _of_asset(change: Change, plan: Plan) -> Iterator[str]:
    match change.action:
        case Action.CREATE:
            yield f"One object is created, with the mark of stack {plan.stack}."
            if change.desired and change.desired.depends_on:
                first = ", ".join(key.address for key in change.desired.depends_on)
                yield f"Before it: {one_line(first, LONGEST)}."
        case Action.UPDATE:
            yield "The object is changed in place: its id stays, and whoever uses it goes on."
        case Action.REPLACE:
            yield "The old object is renamed, the new one created and confirmed, the old deleted."
            yield "The id changes: what refers to the old id has to be moved."
        case Action.DELETE:
            yield "The object is deleted, after every other change has succeeded."
            yield "Workloads made from it go on; new ones cannot use it."
        case Action.ADOPT:
            yield f"The object gets the mark of stack {plan.stack} and is managed from then on."
            if change.fields:
                yield "It is changed to what the manifest states at the same time."
        case Action.UNCHANGED:
            return
        case _:
            assert_never(change.action)


def _of_image(change: Change, plan: Plan) -> Iterator[str]:
    if change.action is Action.DELETE:
        yield "Its tags are removed from the engine, after every other change has succeeded."
        yield "Not while a container uses it, a stopped one as well: that fails."
        yield "Nothing is removed from a registry: what was pushed stays there."
        return
    assert change.desired is not None
    spec = change.desired.spec
    tag, mark = shown_value(spec["tag"]), f"with the mark of stack {plan.stack} in its labels"
    if spec.get("push"):
        yield (
            "The content is built and pushed, unless its registry has it already; then "
            f"{tag} names it there, {mark}."
        )
    else:
        yield (
            "The content is built, unless the engine has it already under its :src- tag; then "
            f"{tag} names it, {mark}."
        )
    yield from _of_old_image(change, tag)
    users = [item.address for item in plan.changes if _refers(item, change)]
    if users:
        yield f"After it: {one_line(', '.join(users), LONGEST)}."


def _of_old_image(change: Change, tag: str) -> Iterator[str]:
    """What becomes of the image that is there."""
    if change.action is Action.CREATE or change.live is None or change.desired is None:
        return
    if change.action is Action.ADOPT:
        yield "The image that has the tag now loses it and stays otherwise."
    else:
        yield "The image's id changes, unless only its tag was missing."
    yield (
        f"Containers made of the old image go on with it; what starts {tag} from then on "
        "gets the new one."
    )
    old = change.live.spec.get("tag")
    if old and old != change.desired.spec["tag"] and not change.desired.spec.get("push"):
        yield (
            f"The old tag {shown_value(old)} and the :src- tags beside it are removed from the "
            "engine."
        )


def _refers(item: Change, to: Change) -> bool:
    return item.pending and item.desired is not None and to.key in item.desired.depends_on
