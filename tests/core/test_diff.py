from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.diff import FieldChange, diff_specs, require_all_told
from reconciler.core.resource import Reference, ResourceKey, Secret
from reconciler.errors import ReconcileError

NONE: frozenset[str] = frozenset()
ODD_KEYS = (
    "__init__.py",
    "__GLX_VENDOR_LIBRARY_NAME",
    "__",
    "_private",
    "a.b",
    "root['a']",
    'x"y',
    "it's",
    "[0]",
    "0",
    "",
    " ",
    "\n",
    "\0",
    "\ud800",
    "é",
    "e\u0301",
    "None",
)
keys = st.sampled_from(["a", "b", "c"]) | st.sampled_from(ODD_KEYS) | st.text(max_size=4)
scalars = (
    st.integers(-2, 2)
    | st.integers()
    | st.booleans()
    | st.floats()
    | st.sampled_from(["", "0", "1", "true", "null", "None", "x", 10**20, 10**20 + 1, 2**53 + 1])
    | st.sampled_from([0.1, 0.1 + 1e-13, float(2**53), 1e300, 10**300])
    | st.text(max_size=4)
    | st.builds(Secret, st.sampled_from(["", "x", "1"]))
    | st.builds(lambda name: Reference(ResourceKey("RayfineImage", name)), st.sampled_from("ab"))
)


def nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inner: st.dictionaries(keys, inner, max_size=3) | st.lists(inner, max_size=3),
        max_leaves=8,
    )


specs = st.dictionaries(keys, nested(scalars), max_size=4)
loose_specs = st.dictionaries(keys, nested(scalars | st.none()), max_size=4)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two specs that are the same but for one leaf, or so: where differences hide."""
    spec = draw(st.dictionaries(keys, nested(scalars | st.none()), min_size=1, max_size=4))
    return spec, _copy_with(spec, draw, scalars | st.none())


def _copy_with(value: Any, draw: st.DrawFn, other: st.SearchStrategy[Any]) -> Any:
    if isinstance(value, dict) and value:
        touched = draw(st.sampled_from(sorted(value)))
        return {
            k: _copy_with(v, draw, other) if k == touched else _copy(v) for k, v in value.items()
        }
    if isinstance(value, list) and value:
        touched = draw(st.integers(0, len(value) - 1))
        return [
            _copy_with(v, draw, other) if n == touched else _copy(v) for n, v in enumerate(value)
        ]
    return draw(other)


def meaning(value: Any) -> str:
    """What a spec means, written down by another way than that of `diff_specs`."""
    match value:
        case dict():
            return f"{{{', '.join(f'{k!r}: {meaning(value[k])}' for k in sorted(value))}}}"
        case list():
            return f"[{', '.join(map(meaning, value))}]"
        case Secret():
            return repr(value.reveal())
        case Reference():
            return f"<{value.key.address}>"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return repr(value)


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
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, dict) else value


def _prune(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    pruned = {k: _prune(v) for k, v in value.items()}
    return {k: v for k, v in pruned.items() if v != {}}


@given(specs, specs)
def test_a_diff_carried_out_gives_the_desired_spec(live: Any, desired: Any) -> None:
    changes = diff_specs(live, desired, NONE)
    assert meaning(patch(live, changes)) == meaning(_prune(desired))
    assert len({change.path for change in changes}) == len(changes)


@given(st.tuples(loose_specs, loose_specs) | neighbours())
def test_specs_are_equal_exactly_when_nothing_differs(pair: tuple[Any, Any]) -> None:
    live, desired = pair
    assert bool(diff_specs(live, desired, NONE)) == (meaning(live) != meaning(desired))


@given(loose_specs)
def test_equal_specs_have_no_diff(spec: Any) -> None:
    assert diff_specs(spec, _copy(spec), NONE) == ()


@pytest.mark.parametrize("name", ODD_KEYS)
@pytest.mark.parametrize("depth", [0, 1, 3, 150])
def test_every_key_counts_at_any_depth(name: str, depth: int) -> None:
    live: Any = {name: "1", "other": "1"}
    desired: Any = {name: "2", "other": "1"}
    for _ in range(depth):
        live, desired = {name: live}, {name: desired}
    (change,) = diff_specs(live, desired, NONE)
    assert change.path == (name,) * (depth + 1)
    assert (change.before, change.after) == ("1", "2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        (1, "1"),
        ("", None),
        ("true", True),
        (10**20, 10**20 + 1),
        (2**53 + 1, float(2**53)),
        (0.1, 0.1 + 1e-13),
        ([1, 2], [2, 1]),
        ([[]], [{}]),
        ([{"__a": 1}], [{"__a": 2}]),
        ({}, []),
        ({}, {"a": 1}),
        ("x", {"value": "x", "exclude": True}),
        (Reference(ResourceKey("K", "a")), Reference(ResourceKey("K", "b"))),
        (Reference(ResourceKey("K", "a")), "${K.a}"),
        ([Secret("a")], [Secret("b")]),
    ],
)
def test_values_that_look_alike_differ(one: Any, other: Any) -> None:
    for before, after in ((one, other), (other, one)):
        (change,) = diff_specs({"v": before}, {"v": after}, NONE)
        assert change.path == ("v",)
        (inside,) = diff_specs({"v": [before]}, {"v": [after]}, NONE)
        assert inside.path == ("v",)


def test_a_difference_that_nobody_tells_is_a_defect_and_no_empty_plan() -> None:
    old, new = {("a",): "1", ("b", "c"): "1"}, {("a",): "2", ("b", "d"): "1"}
    require_all_told(old, new, {("a",), ("b",)}, "RunaiEnvironment.x")
    require_all_told(old, old, (), "RunaiEnvironment.x")
    for told, missing in (((), "a"), ([("a",), ("b", "c")], "b.d")):
        with pytest.raises(ReconcileError, match="a defect of reconcile") as caught:
            require_all_told(old, new, told, "RunaiEnvironment.x")
        assert caught.value.where == "RunaiEnvironment.x"
        assert caught.value.what.startswith(f"{missing} differs")


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
    (change,) = diff_specs({"v": "x"}, {"v": {"value": Secret("x"), "exclude": True}}, NONE)
    assert change.sensitive


def test_an_integral_float_is_no_difference() -> None:
    assert diff_specs({"cpu": 8}, {"cpu": 8.0}, NONE) == ()


def test_an_immutable_field_forces_replacement_unless_it_is_unset() -> None:
    immutable = frozenset({"scope", "types"})
    (change,) = diff_specs(
        {"scope": "tenant", "types": {"training": True}}, {"scope": "cluster"}, immutable
    )
    assert change.name == "scope"
    assert change.forces_replacement
