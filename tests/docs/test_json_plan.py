"""docs/json-plan.md names every field of the JSON plan's schema, and none that is not there."""

import json
import re
from collections.abc import Iterator
from typing import Any

from reconciler.planfile.format import PLAN_JSON
from tests.docs.pages import ROOT

SCHEMA: dict[str, Any] = json.loads((ROOT / "docs" / "schema" / "plan.schema.json").read_text())
WRAPPERS = {
    "planned_values.root_module",
    "configuration.root_module",
    "prior_state.values",
    "prior_state.values.root_module",
}
"""Objects with one member, which the page names together with it."""


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The node, or the alternative of it that is an object."""
    if "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    found = (resolved(item) for item in node.get("anyOf", ()))
    return next((item for item in found if "properties" in item), node)


def fields(node: dict[str, Any], above: str = "") -> Iterator[str]:
    node = resolved(node)
    if "items" in node:
        yield from fields(node["items"], f"{above}[]")
    for name, child in node.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        yield path
        yield from fields(child, path)


def documented() -> Iterator[str]:
    """The first cells of the tables of fields, each below the objects that the page says."""
    page = (ROOT / "docs" / "json-plan.md").read_text(encoding="utf-8")
    above, wanted = [""], False
    for line in (
        page.partition("## Fields\n")[2].partition("## With policy tools\n")[0].splitlines()
    ):
        if line.startswith(("In `", "`")):
            named = re.findall(r"`([^`]+)`", line.partition(": the fields")[0])
            above = [*(above if line.startswith("`") else ()), *(f"{name}." for name in named)]
        elif re.match(r"\| [a-z]", line):
            wanted = line.startswith("| field |")
        elif line.startswith("| `") and wanted:
            for name in re.findall(r"`([^`]+)`", line.split("|")[1]):
                yield from (f"{place}{name}" for place in above)


def plain(path: str) -> str:
    return path.replace("[]", "")


def test_every_field_of_the_schema_is_documented() -> None:
    known = {plain(path) for path in fields(SCHEMA)}
    said = {plain(path) for path in documented()}
    assert sorted(known - said - WRAPPERS) == []
    assert sorted(said - known) == []


def test_every_type_that_is_read_back_is_in_the_schema() -> None:
    read = PLAN_JSON.json_schema()

    def names(node: dict[str, Any], above: str = "") -> Iterator[str]:
        if "$ref" in node:
            node = read["$defs"][node["$ref"].rpartition("/")[2]]
        for item in node.get("anyOf", ()):
            yield from names(item, above)
        if "items" in node:
            yield from names(node["items"], above)
        for name, child in node.get("properties", {}).items():
            path = f"{above}.{name}" if above else name
            yield path
            yield from names(child, path)

    assert set(names(read)) <= {plain(path) for path in fields(SCHEMA)}
