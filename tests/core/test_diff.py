from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.diff import FieldChange, diff_specs
from reconciler.resource import Secret

NONE: frozenset[str] = frozenset()
names = st.sampled_from(["a", "b", "c", "d.e", "f/g"])
scalars = (
    st.integers(-3, 3)
    | st.booleans()
    | st.sampled_from(["x", "y", ""])
    | st.builds(Secret, st.sampled_from(["s", "t"]))
)
values = st.recursive(
    scalars | st.lists(st.sampled_from(["p", "q"]), max_size=2),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=6,
)
specs = st.dictionaries(names, values, max_size=4)


def patch(spec: Any, changes: tuple[FieldChange, ...]) -> Any:
    """Carry a diff out by hand: what is left must be the desired spec."""
    out = _copy(spec)
    for change in sorted(changes, key=lambda c: (c.after is not None, c.path)):
        node = out
        for part in change.path[:-1]:
            if not isinstance(node.get(part), dict):
                node[part] = {}
            node = node[part]
        if change.after is None:
            node.pop(change.path[-1], None)
        else:
            node[change.path[-1]] = change.after
    return _prune(out)


def _copy(value: Any) -> Any:
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, dict) else value


def _prune(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    pruned = {k: _prune(v) for k, v in value.items()}
    return {k: v for k, v in pruned.items() if v != {}}


@given(specs, specs)
def test_a_diff_carried_out_gives_the_desired_spec(live: Any, desired: Any) -> None:
    changes = diff_specs(live, desired, NONE)
    assert patch(live, changes) == desired
    assert bool(changes) == (live != desired)
    assert len({change.path for change in changes}) == len(changes)


@given(specs)
def test_equal_specs_have_no_diff(spec: Any) -> None:
    assert diff_specs(spec, _copy(spec), NONE) == ()


def test_one_field_is_one_change() -> None:
    live = {"image": "a", "environment_variables": {"A": "1", "B": "2"}}
    desired = {"image": "a", "environment_variables": {"A": "1", "B": "3"}}
    (change,) = diff_specs(live, desired, NONE)
    assert (change.name, change.before, change.after) == ("environment_variables.B", "2", "3")
    assert not change.sensitive
    assert not change.forces_replacement


def test_an_added_mapping_is_told_field_by_field() -> None:
    changes = diff_specs({}, {"env": {"B": "2", "A": "1"}}, NONE)
    assert [(c.name, c.before, c.after) for c in changes] == [
        ("env.A", None, "1"),
        ("env.B", None, "2"),
    ]


def test_a_list_is_one_value() -> None:
    (change,) = diff_specs({"caps": ["A", "B"]}, {"caps": ["A", "C"]}, NONE)
    assert (change.name, change.before, change.after) == ("caps", ["A", "B"], ["A", "C"])


def test_a_value_that_becomes_a_mapping_is_one_change() -> None:
    (change,) = diff_specs({"v": "x"}, {"v": {"value": "x", "exclude": True}}, NONE)
    assert change.path == ("v",)


def test_secrets_compare_by_text_and_stay_sensitive() -> None:
    assert diff_specs({"v": "t"}, {"v": Secret("t")}, NONE) == ()
    (change,) = diff_specs({"v": "old"}, {"v": Secret("new")}, NONE)
    assert change.sensitive
    assert "new" not in repr(change)


def test_an_integral_float_is_no_difference() -> None:
    assert diff_specs({"cpu": 8}, {"cpu": 8.0}, NONE) == ()


def test_an_immutable_field_forces_replacement_unless_it_is_unset() -> None:
    immutable = frozenset({"scope", "types"})
    (change,) = diff_specs(
        {"scope": "tenant", "types": {"training": True}}, {"scope": "cluster"}, immutable
    )
    assert change.name == "scope"
    assert change.forces_replacement
