"""What applying a change of an image does, in words: it is made anew, whatever the action."""

import pytest

from reconciler.plan import Plan
from reconciler.render.explain import explain_change
from tests.core.builders import live, plan_of, resource

IMAGE = "RayfineImage.affine"
BUILT = (
    'The content is built, unless the engine has it already under its :src- tag; then "affine:v2" '
    "names it, with the mark of stack ml in its labels."
)
PUSHED = (
    'The content is built and pushed, unless its registry has it already; then "affine:v2" names '
    "it there, with the mark of stack ml in its labels."
)
USERS = (
    'Containers made of the old image go on with it; what starts "affine:v2" from then on '
    "gets the new one."
)


def applying(plan: Plan) -> tuple[str, ...]:
    change = next(item for item in plan.changes if item.key.kind == "RayfineImage")
    return explain_change(change, plan).applying


@pytest.mark.parametrize(("push", "first"), [(False, BUILT), (True, PUSHED)])
def test_a_new_image_is_built_or_found(push: bool, first: str) -> None:
    wanted = resource(IMAGE, {"tag": "affine:v2", **({"push": True} if push else {})})
    assert applying(plan_of([wanted])) == (first,)


@pytest.mark.parametrize(("push", "first"), [(False, BUILT), (True, PUSHED)])
def test_a_changed_image_is_another_one_and_nobody_goes_on_with_it(push: bool, first: str) -> None:
    spec = {"tag": "affine:v2", **({"push": True} if push else {})}
    user = resource("RunaiEnvironment.train", depends_on=[IMAGE])
    plan = plan_of(
        [resource(IMAGE, {**spec, "context": "sha256:2"}), user],
        [live(IMAGE, {**spec, "context": "sha256:1"})],
    )
    assert applying(plan) == (
        first,
        "The image's id changes, unless only its tag was missing.",
        USERS,
        "After it: RunaiEnvironment.train.",
    )


def test_another_tag_takes_the_old_one_away() -> None:
    plan = plan_of([resource(IMAGE, {"tag": "affine:v2"})], [live(IMAGE, {"tag": "affine:v1"})])
    assert applying(plan)[-1] == (
        'The old tag "affine:v1" and the :src- tags beside it are removed from the engine.'
    )


def test_a_deleted_image_loses_its_tags_and_no_workload_is_spoken_of() -> None:
    assert applying(plan_of([], [live(IMAGE)])) == (
        "Its tags are removed from the engine, after every other change has succeeded.",
        "Not while a container uses it, a stopped one as well: that fails.",
        "Nothing is removed from a registry: what was pushed stays there.",
    )


def test_an_adopted_image_is_made_anew() -> None:
    wanted = resource(IMAGE, {"tag": "affine:v2"}, adopt=True)
    stranger = live(IMAGE, {"tag": "affine:v2"}, owner=None)
    assert applying(plan_of([wanted], [stranger])) == (
        BUILT,
        "The image that has the tag now loses it and stays otherwise.",
        USERS,
    )


def test_an_image_as_it_should_be_stays() -> None:
    plan = plan_of([resource(IMAGE)], [live(IMAGE)])
    assert applying(plan) == ("Nothing: it is as it should be.",)


def test_assets_are_changed_in_place_as_before() -> None:
    address = "RunaiCompute.train"
    plan = plan_of([resource(address, {"image": "b"})], [live(address)])
    change = plan.changes[0]
    assert explain_change(change, plan).applying == (
        "The object is changed in place: its id stays, and whoever uses it goes on.",
    )
