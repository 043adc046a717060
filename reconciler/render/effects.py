"""A change -> what applying it does to the live object, in sentences, by kind. Pure.

Assets of Run:ai are objects with an id that is changed in place. An image never changes: its tag is
made to stand for another one (see `reconciler.providers.docker.image`).
"""

from collections.abc import Iterator
from typing import assert_never

from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import Spec
from reconciler.kinds.image import IMAGE
from reconciler.render.escape import literal
from reconciler.render.model_text import one_line

_LONGEST = 200


def effects(change: Change, plan: Plan) -> Iterator[str]:
    """What applying this change does, in order; of a refused one, what would clear it."""
    if change.refusal is not None:
        yield "Nothing is done to it, as long as it is refused."
        yield f"To clear it: {one_line(change.refusal.fix)}."
    elif change.key.kind == IMAGE.name:
        yield from _on_image(change, plan)
    else:
        yield from _on_asset(change, plan)


def _on_asset(change: Change, plan: Plan) -> Iterator[str]:
    match change.action:
        case Action.CREATE:
            mark = f", with the mark of stack {plan.stack}" if change.traits.marked else ""
            yield f"One object is created{mark}."
            if change.desired and change.desired.depends_on:
                first = ", ".join(key.address for key in change.desired.depends_on)
                yield f"Before it: {one_line(first, _LONGEST)}."
        case Action.UPDATE:
            yield "The object is changed in place: its id stays, and whoever uses it goes on."
        case Action.REPLACE:
            yield from _replaced(change)
        case Action.DELETE:
            yield "The object is deleted, after every other change has succeeded."
            yield _besides(change) or "Workloads made from it go on; new ones cannot use it."
        case Action.ADOPT:
            yield f"The object gets the mark of stack {plan.stack} and is managed from then on."
            if change.fields:
                yield "It is changed to what the manifest states at the same time."
        case Action.UNCHANGED:
            yield "Nothing: it is as it should be."
        case _:
            assert_never(change.action)


def _replaced(change: Change) -> Iterator[str]:
    if change.deletes_first:
        yield "The old object is deleted, and then the new one created."
    else:
        yield "The old object is renamed, the new one created and confirmed, the old deleted."
    yield "The id changes: what refers to the old id has to be moved."
    if words := _besides(change):
        yield words


def _besides(change: Change) -> str:
    words = change.destroys_besides
    return f"That destroys {one_line(words)} as well." if words else ""


def _on_image(change: Change, plan: Plan) -> Iterator[str]:
    match change.action:
        case Action.CREATE | Action.UPDATE | Action.REPLACE | Action.ADOPT:
            yield from _made(change, plan)
        case Action.DELETE:
            yield "Its tags are removed from the engine, after every other change has succeeded."
            yield "It is not deleted while there are containers of it, stopped ones as well."
            yield "Nothing is deleted from a registry."
        case Action.UNCHANGED:
            yield "Nothing: it is as it should be."
        case _:
            assert_never(change.action)


def _made(change: Change, plan: Plan) -> Iterator[str]:
    """An image is built or found, and its tag put on it."""
    assert change.desired is not None
    spec = change.desired.spec
    yield "An image is built of what the manifest states, unless its content is there already."
    if spec.get("push"):
        yield "It is pushed, unless its registry has it already."
    yield f"Its labels say that it belongs to stack {plan.stack}, and {_tag(spec)} stands for it."
    if change.live is None:
        return
    yield "Its id is another one, if content or labels differ: nothing is changed in place."
    yield "Containers of the image that was there go on with that one; new ones take the new."
    old = change.live.spec.get("tag")
    if old not in (None, spec.get("tag")) and not spec.get("push"):
        name = _tag(change.live.spec)
        yield f"The old tag {name} is removed, or stays while a container uses it."
    yield "Assets whose manifests refer to it are changes of their own, applied after it."


def _tag(spec: Spec) -> str:
    return one_line(literal(spec.get("tag", "")), _LONGEST)
