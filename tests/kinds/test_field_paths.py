"""Places in a spec by pattern."""

from typing import Any

import pytest

from reconciler.kinds.field_paths import change_at, values_at

SPEC: dict[str, Any] = {"a": 1, "by_name": {"x": {"id": "1"}, "y": "text", "z": {"other": 2}}}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a", [(("a",), 1)]),
        ("b", []),
        ("a.b", []),
        ("by_name.*.id", [(("by_name", "x", "id"), "1")]),
        ("by_name.x.*", [(("by_name", "x", "id"), "1")]),
        ("*.z", [(("by_name", "z"), {"other": 2})]),
    ],
)
def test_what_is_at_a_pattern(pattern: str, found: list[Any]) -> None:
    assert list(values_at(SPEC, pattern)) == found


def test_a_change_leaves_the_spec_as_it_was() -> None:
    changed = change_at(SPEC, "by_name.*.id", lambda path, value: f"{path[1]}-{value}")
    assert changed["by_name"] == {"x": {"id": "x-1"}, "y": "text", "z": {"other": 2}}
    assert SPEC["by_name"]["x"] == {"id": "1"}
