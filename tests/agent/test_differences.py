"""What differs between two sets of manifests, in words: counts, secrets and hostile data."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.agent.differences import compare_manifests, difference_lines
from reconciler.resource import Resource
from tests.core.builders import resource

TRAIN = "RunaiEnvironment.train"


def lines(before: list[Resource], after: list[Resource]) -> list[str]:
    return list(difference_lines(compare_manifests(before, after)))


def variables(**named: Any) -> Resource:
    return resource(TRAIN, {"environment_variables": named})


def test_a_long_list_is_cut_with_a_count_and_removals_come_first() -> None:
    many = {f"V{number:02}": "1" for number in range(40)}
    said = lines([variables(**many)], [variables(A="new")])
    assert len(said) == 34
    assert said[2] == '    - environment_variables.V00: `"1"` is removed'
    assert said[-2] == "    ... and 11 more fields"
    assert said[-1].startswith("What the specification leaves out is removed")


def test_no_secret_is_shown() -> None:
    before, after = variables(A={"secret": "canary-1"}), variables(A={"secret": "canary-2"})
    said = "\n".join(lines([before], [after]))
    assert "environment_variables.A: (sensitive value) -> (sensitive value)" in said
    assert "canary" not in said


def test_metadata_and_a_kind_in_place_are_compared_and_places_are_not() -> None:
    before = resource(TRAIN, line=1)
    assert compare_manifests([before], [resource(TRAIN, line=9)]) == ()
    said = lines([before], [resource(TRAIN, protect=True, adopt=True, moved_from="old")])
    assert said[2:] == [
        "    - metadata.adopt: is set to `true`",
        '    - metadata.moved_from: is set to `"old"`',
        "    - metadata.protect: is set to `true`",
    ]


def test_what_the_manifest_no_longer_says_replaces_nothing() -> None:
    """The live value of an immutable field stands where no manifest states one."""
    before = resource(TRAIN, {"workload_types": {"training": True, "workspace": True}})
    (gone,) = compare_manifests([before], [resource(TRAIN)])
    assert not any(item.forces_replacement for item in gone.fields)
    less = resource(TRAIN, {"workload_types": {"workspace": True}})
    (changed,) = compare_manifests([before], [less])
    assert [item.forces_replacement for item in changed.fields] == [True]


@settings(max_examples=60)
@given(st.text(), st.text(max_size=30))
def test_no_data_begins_a_line(value: str, name: str) -> None:
    before = resource(TRAIN, {"description": value, "environment_variables": {name: value}})
    for line in lines([before], [resource(TRAIN, {"description": name})]):
        assert line.startswith(("What ", "  • RunaiEnvironment.train: ", "    - "))
        assert line.isprintable()
