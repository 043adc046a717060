from collections.abc import Sequence
from dataclasses import replace

from reconciler.core.plan import Plan
from reconciler.core.renames import hint_renames
from reconciler.core.resource import LiveResource, Resource
from tests.core.builders import KINDS, live, plan_of, resource

SPEC = {"scope": "project", "scope_id": "1", "command": "x"}


def hinted(desired: Sequence[Resource], found: Sequence[LiveResource]) -> dict[str, str]:
    plan = plan_of(desired, found)
    with_hints = hint_renames(plan, KINDS)
    assert with_hints.digest() == plan.digest()
    return hints_of(with_hints)


def hints_of(plan: Plan) -> dict[str, str]:
    return {change.address: change.hint for change in plan.changes if change.hint}


def test_another_name_is_named_at_both_changes() -> None:
    assert hinted([resource("RunaiEnvironment.b", SPEC)], [live("RunaiEnvironment.a", SPEC)]) == {
        "RunaiEnvironment.a": "the created RunaiEnvironment.b is the same but for its name: "
        "a rename? add `id: a` to its metadata",
        "RunaiEnvironment.b": "the same as the destroyed RunaiEnvironment.a but for its name: "
        "a rename? add `id: a` to its metadata",
    }


def test_following_the_hint_changes_the_object_in_place() -> None:
    (change,) = plan_of(
        [resource("RunaiEnvironment.a", {**SPEC, "name": "b"})], [live("RunaiEnvironment.a", SPEC)]
    ).changes
    assert change.action == "update"
    assert [field.path for field in change.fields] == [("name",)]


def test_another_scope_and_an_id_that_went() -> None:
    moved = {**SPEC, "scope": "cluster", "scope_id": "c"}
    found = hinted(
        [resource("RunaiEnvironment.train", moved)],
        [live("RunaiEnvironment.known-as", {**SPEC, "name": "train"})],
    )
    (_, created) = sorted(found.items(), key=lambda item: item[0] == "RunaiEnvironment.train")
    assert "but for its scope: a rename? add `id: THE-ID-IT-HAD`" in created[1]


def test_an_image_is_the_same_but_for_its_tag() -> None:
    spec = {"path": "a", "context": {"env.py": "sha256:1"}}  # and no name
    found = hinted(
        [replace(resource("RayfineImage.b"), spec={**spec, "tag": "b:1"})],
        [replace(live("RayfineImage.a"), spec={**spec, "tag": "a:1"})],
    )
    assert "the same as the destroyed RayfineImage.a but for its tag" in found["RayfineImage.b"]


def test_all_candidates_are_named_or_none() -> None:
    def many(count: int) -> dict[str, str]:
        gone = [live(f"RunaiEnvironment.old-{n}", SPEC) for n in range(count)]
        return hinted([resource("RunaiEnvironment.new", SPEC)], gone)

    two = many(2)
    assert len(two) == 3
    assert "the destroyed RunaiEnvironment.old-0 or RunaiEnvironment.old-1" in str(two)
    assert "add `id: old-0` or `id: old-1`" in two["RunaiEnvironment.new"]
    assert many(4) == {}


def test_what_is_no_rename() -> None:
    assert not hinted(
        [resource("RunaiEnvironment.b", {**SPEC, "command": "y"})],
        [live("RunaiEnvironment.a", SPEC)],
    )
    assert not hinted([resource("RunaiCompute.b", SPEC)], [live("RunaiEnvironment.a", SPEC)])
    assert not hinted([resource("RunaiEnvironment.b", SPEC)], [])
    assert not hinted([], [live("RunaiEnvironment.a", SPEC)])
    left = live("RunaiEnvironment.a", SPEC, mark={"deposed": "1a2b3c"})
    assert not hinted([resource("RunaiEnvironment.b", SPEC)], [left])
