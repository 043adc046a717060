"""Why a change is planned, in words: for each action, and for hostile data."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.review_notes import Cause, Edit, Origin
from reconciler.render.explain import explain_change, explanation_document, explanation_text
from tests.core.builders import live, plan_of, resource

TRAIN = "RunaiEnvironment.train"
IMAGE = "RayfineImage.hello"


def the_change(plan: Plan) -> Change:
    (change,) = plan.changes
    return change


def text(plan: Plan, **more: Any) -> str:
    return explanation_text(explain_change(the_change(plan), plan, **more))


def test_a_create_says_where_it_is_stated_and_what_it_sets() -> None:
    assert text(plan_of([resource(TRAIN)])) == (
        """RunaiEnvironment.train: create

Why:
  - manifests/all.yaml:1 states it, and no live object bears its mark (stack ml).

Field by field:
  - image is set to "busybox".
  - name is set to "train".
  - scope is set to "tenant".

Applying:
  - One object is created, with the mark of stack ml.
"""
    )


def test_an_update_says_both_values_of_each_field() -> None:
    wanted = resource(TRAIN, {"image": "new", "environment_variables": {"A": "1", "B": "2"}})
    found = live(TRAIN, {"description": "old words", "environment_variables": {"A": "0"}})
    assert text(plan_of([wanted], [found]), used_by=("workspace w-1",)) == (
        """RunaiEnvironment.train: update

Why:
  - The live object "train" [id=uid-train] bears its mark, and is not what manifests/all.yaml:1 states.

Field by field:
  - description is "old words" on the live object and not in the manifest: it is removed.
  - environment_variables.A is "0" on the live object: it is set to "1".
  - environment_variables.B is not set on the live object: it is set to "2".
  - image is "busybox" on the live object: it is set to "new".

Used by:
  - workspace w-1

Applying:
  - The object is changed in place: its id stays, and whoever uses it goes on.
"""  # noqa: E501  (what is printed)
    )


def test_a_replacement_names_the_field_that_forces_it() -> None:
    said = text(plan_of([resource(TRAIN, {"scope": "cluster"})], [live(TRAIN)]))
    assert "It cannot be changed in place: scope.\n" in said
    assert "so the object is replaced.\n" in said
    assert "The id changes: what refers to the old id has to be moved.\n" in said


def test_an_unchanged_address_says_what_it_was_compared_with() -> None:
    said = text(plan_of([resource(TRAIN)], [live(TRAIN)]))
    assert "bears its mark, and is what manifests/all.yaml:1 states.\n" in said
    assert "3 fields of the manifest were compared" in said
    assert "Used by:\n  - nothing that is known\n" in said
    assert said.endswith("  - Nothing: it is as it should be.\n")


def test_a_delete_and_a_leftover_say_why_they_go() -> None:
    said = text(plan_of([], [live(TRAIN)]))
    assert "No manifest states it any more.\n" in said
    assert "Workloads made from it go on; new ones cannot use it.\n" in said
    left = live(TRAIN, {"name": "train-replaced-0a1b2c"}, mark={"deposed": "0a1b2c"})
    said = text(plan_of([], [left]))
    assert said.startswith("RunaiEnvironment.train (deposed 0a1b2c): delete\n")
    assert "was left over when a replacement of this address was interrupted.\n" in said


@pytest.mark.parametrize("image", ["busybox", "new"])
def test_an_adoption_says_whether_anything_changes(image: str) -> None:
    wanted = resource(TRAIN, {"image": image}, adopt=True)
    said = text(plan_of([wanted], [live(TRAIN, owner=None)]))
    assert "bears no mark of this stack" in said
    assert ("It is changed to what the manifest states" in said) == (image == "new")


def test_a_refused_change_says_what_clears_it_and_what_would_be() -> None:
    wanted = resource(TRAIN, {"image": "new"})
    said = text(plan_of([wanted], [live(TRAIN, owner=None)]))
    assert said.startswith("RunaiEnvironment.train: conflict: adopt\n")
    assert "It is refused (conflict): an object of this name exists" in said
    assert "it would be set to" in said
    assert "To clear it: set metadata.adopt: true" in said
    plan = guard(plan_of([], [live(TRAIN)]), GuardRules(), Approval())
    assert "Nothing is done to it, as long as it is refused.\n" in text(plan)


def test_no_secret_is_shown() -> None:
    wanted = resource(TRAIN, {"environment_variables": {"A": {"secret": "canary-1"}, "B": "x"}})
    found = live(TRAIN, {"environment_variables": {"A": {"secret": "canary-2"}}})
    plan = plan_of([wanted], [found])
    explained = explain_change(the_change(plan), plan)
    assert "holds another secret value than before: it is set anew." in explanation_text(explained)
    assert "canary" not in explanation_text(explained) + json.dumps(explanation_document(explained))


def test_who_changed_it_is_said_where_it_is_known() -> None:
    plan = plan_of([resource(TRAIN, {"image": "new"})], [live(TRAIN)])
    edit = Edit("3fa2b1c" + "0" * 33, "Ann", "2026-01-02T03:04:05Z", "Use the new image")
    said = text(plan, cause=Cause(Origin.BOTH, edit, "bob", "2026-01-03T00:00:00Z"))
    assert 'changed by commit 3fa2b1c00000 ("Ann", 2026-01-02T03:04:05Z): "Use the new' in said
    assert 'changed outside of Git, last by "bob" at 2026-01-03T00:00:00Z.' in said
    said = text(plan, cause=Cause(Origin.DRIFT))
    assert "The live object was changed outside of Git.\n" in said


def test_what_it_depends_on_comes_first() -> None:
    wanted = resource(TRAIN, depends_on=["RayfineImage.a"])
    image = resource("RayfineImage.a", {"tag": "a"})
    plan = plan_of([image, wanted])
    change = next(item for item in plan.changes if item.address == TRAIN)
    assert "Before it: RayfineImage.a." in explanation_text(explain_change(change, plan))


def applying(plan: Plan) -> tuple[str, ...]:
    return explain_change(the_change(plan), plan).applying


def test_an_image_is_made_and_never_changed_in_place() -> None:
    made = (
        "An image is built of what the manifest states, unless its content is there already.",
        'Its labels say that it belongs to stack ml, and "hello:1" stands for it.',
    )
    then = (
        "Its id is another one, if content or labels differ: nothing is changed in place.",
        "Containers of the image that was there go on with that one; new ones take the new.",
    )
    last = "Assets whose manifests refer to it are changes of their own, applied after it."
    wanted = resource(IMAGE, {"tag": "hello:1", "base": "b"})
    assert applying(plan_of([wanted])) == made
    same_tag = live(IMAGE, {"tag": "hello:1", "base": "a"})
    assert applying(plan_of([wanted], [same_tag])) == (*made, *then, last)
    moved = live(IMAGE, {"tag": "hello:0", "base": "b"})
    old = 'The old tag "hello:0" is removed, or stays while a container uses it.'
    assert applying(plan_of([wanted], [moved])) == (*made, *then, old, last)
    tagless = live(IMAGE, {"base": "b"})
    assert applying(plan_of([wanted], [tagless])) == (*made, *then, last)


def test_a_pushed_image_goes_to_its_registry_and_leaves_no_tag_there_removed() -> None:
    wanted = resource(IMAGE, {"tag": "hello:1", "push": True})
    found = live(IMAGE, {"tag": "hello:0", "push": True})
    said = applying(plan_of([wanted], [found]))
    assert said[1] == "It is pushed, unless its registry has it already."
    assert not any("old tag" in sentence for sentence in said)


def test_the_tags_of_an_image_go_and_no_word_is_of_workloads() -> None:
    assert applying(plan_of([], [live(IMAGE, {"tag": "hello:1"})])) == (
        "Its tags are removed from the engine, after every other change has succeeded.",
        "It is not deleted while there are containers of it, stopped ones as well.",
        "Nothing is deleted from a registry.",
    )
    left = live(IMAGE, {"tag": "hello:0"}, mark={"deposed": "0a1b2c"})
    assert "bears the mark of this address, but its tag is another one." in text(
        plan_of([], [left])
    )


def test_an_image_is_adopted_by_its_tag_and_refused_and_kept_like_anything() -> None:
    wanted = resource(IMAGE, {"tag": "hello:1"}, adopt=True)
    said = text(plan_of([wanted], [live(IMAGE, {"tag": "hello:1"}, owner=None)]))
    assert "has its tag.\n" in said
    assert "name and scope" not in said
    assert "Its id is another one, if content or labels differ" in said
    plan = guard(plan_of([], [live(IMAGE, {"tag": "hello:1"})]), GuardRules(), Approval())
    assert applying(plan)[0] == "Nothing is done to it, as long as it is refused."
    same = plan_of([resource(IMAGE, {"tag": "a"})], [live(IMAGE, {"tag": "a"})])
    assert applying(same) == ("Nothing: it is as it should be.",)


def test_the_document_holds_the_same() -> None:
    plan = plan_of([resource(TRAIN, {"scope": "cluster"})], [live(TRAIN)])
    document = explanation_document(explain_change(the_change(plan), plan, ("template t",)))
    assert document["action"] == Action.REPLACE.value
    assert document["refused"] == ""
    assert document["live_id"] == "uid-train"
    assert document["used_by"] == ["template t"]
    assert document["fields"] == [
        {
            "field": "scope",
            "live": '"tenant"',
            "manifest": '"cluster"',
            "sensitive": False,
            "forces_replacement": True,
            "words": 'scope is "tenant" on the live object: it is set to "cluster". This cannot be '
            "changed in place, so the object is replaced.",
        }
    ]


@settings(max_examples=200)
@given(st.text(), st.text(), st.text(max_size=30))
def test_no_data_makes_a_line_of_its_own(before: str, after: str, name: str) -> None:
    wanted = resource(TRAIN, {"description": after, "environment_variables": {name: before}})
    found = live(TRAIN, {"description": before, "name": name, "environment_variables": {}})
    plan = plan_of([wanted], [found])
    said = text(plan, used_by=(after,))
    for line in said.splitlines():
        assert (
            line == ""
            or line.startswith(("  - ", "RunaiEnvironment.train: "))
            or line
            in (
                "Why:",
                "Field by field:",
                "Used by:",
                "Applying:",
            )
        )
        assert line == "" or line.isprintable()
        assert len(line) < 3000


def test_a_kind_says_what_ends_with_an_object_and_which_comes_first() -> None:
    volume = "Volume.data"
    moved = text(plan_of([resource(volume, {"scope": "cluster"})], [live(volume)]))
    assert moved.endswith(
        "  - The old object is deleted, and then the new one created.\n"
        "  - The id changes: what refers to the old id has to be moved.\n"
        "  - That destroys the data on it as well.\n"
    )
    gone = text(plan_of([], [live(volume)]))
    assert "Workloads" not in gone
    assert gone.endswith("  - That destroys the data on it as well.\n")


def test_what_has_no_mark_is_what_its_manifest_names() -> None:
    pool = "Pool.a"
    there = [live(pool, owner=None)]
    assert "  - manifests/all.yaml:1 states it, and there is no such object.\n" in text(
        plan_of([resource(pool)])
    )
    assert "  - One object is created.\n" in text(plan_of([resource(pool)]))
    changed = text(plan_of([resource(pool, {"image": "new"}, adopt=True)], there))
    assert "is what its manifest names, and is not what manifests/all.yaml:1 states." in changed
    gone = text(plan_of([resource(pool, absent=True)], there))
    assert "is there, and manifests/all.yaml:1 states that it must not be.\n" in gone


def test_what_is_known_after_apply_says_of_what() -> None:
    plan = plan_of([resource("Tenant.t"), resource(TRAIN, {"image": {"reference": "Tenant.t"}})])
    change = next(item for item in plan.changes if item.address == TRAIN)
    words = explanation_text(explain_change(change, plan))
    assert "  - image is set to the id of Tenant.t (known after apply).\n" in words
