"""The published OpenAPI document against the sandbox's tables, its document order aside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import contract
from reconciler.sandbox.schema import INT32, INT64, Flag, Items, Number, Record, Shape, Text, Whole

DOCUMENT = Path(__file__).parents[1] / "contracts" / "runai-openapi-subset.json"
SCHEMAS = json.loads(DOCUMENT.read_text())["components"]["schemas"]


def resolve(schema: Mapping[str, Any]) -> dict[str, Any]:
    """One flat schema: references followed and `allOf` merged."""
    found: dict[str, Any] = {}
    if "$ref" in schema:
        found = resolve(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    for part in schema.get("allOf", ()):
        merge(found, resolve(part))
    merge(found, {name: each for name, each in schema.items() if name not in ("$ref", "allOf")})
    return found


def merge(into: dict[str, Any], schema: Mapping[str, Any]) -> None:
    for name, value in schema.items():
        if name == "properties":
            into["properties"] = into.get("properties", {}) | value
        elif name == "required":
            into["required"] = [*into.get("required", ()), *value]
        else:
            into[name] = value


def expected(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a schema demands of a value, in the words of `stated`."""
    flat = resolve(schema)
    kind = flat.get("type", "object")
    found: dict[str, Any] = {"type": kind, "nullable": flat.get("nullable", False)}
    if kind == "string":
        pattern = flat.get("pattern", ".*")
        found |= {
            "minimum": flat.get("minLength", 0),
            "maximum": flat.get("maxLength"),
            "choices": tuple(flat.get("enum", ())),
            "pattern": None if pattern == ".*" else pattern,
            "format": flat.get("format"),
        }
    elif kind == "integer":
        lowest, highest = INT64 if flat["format"] == "int64" else INT32
        found |= {
            "minimum": flat.get("minimum", lowest),
            "maximum": flat.get("maximum", highest),
        }
    elif kind == "number":
        found["minimum"] = flat["minimum"]
    elif kind == "object":
        found |= {
            "fields": set(flat.get("properties", ())),
            "required": set(flat.get("required", ())),
        }
    return found


def stated(shape: Shape) -> dict[str, Any]:
    """What a table demands of a value."""
    found: dict[str, Any] = {"nullable": shape.nullable}
    match shape:
        case Text():
            # Anchors and possessive quantifiers say how a pattern is matched, not what it matches.
            pattern = shape.pattern
            for possessive in ("++", "*+", "?+"):
                pattern = pattern and pattern.replace(possessive, possessive[0])
            found |= {
                "type": "string",
                "minimum": shape.minimum,
                "maximum": shape.maximum,
                "choices": shape.choices,
                "pattern": pattern and f"^{pattern.replace('/', chr(92) + 'x2F')}$",
                "format": shape.format,
            }
        case Whole():
            found |= {"type": "integer", "minimum": shape.minimum, "maximum": shape.maximum}
        case Number():
            found |= {"type": "number", "minimum": shape.minimum}
        case Flag():
            found["type"] = "boolean"
        case Items():
            found["type"] = "array"
        case Record():
            found |= {
                "type": "object",
                "fields": set(shape.fields),
                "required": set(shape.required),
            }
    return found


def walk(
    path: str, shape: Shape, schema: Mapping[str, Any]
) -> Iterator[tuple[str, Shape, Mapping[str, Any]]]:
    """Every value in a table, with its schema."""
    yield path, shape, schema
    flat = resolve(schema)
    if isinstance(shape, Items):
        yield from walk(f"{path}[]", shape.of, flat["items"])
    if isinstance(shape, Record):
        for name, each in shape.fields.items():
            yield from walk(f"{path}.{name}", each, flat["properties"][name])


def refer(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


VALUES = [
    *walk("environment", contract.ENVIRONMENT_SPEC, refer("EnvironmentAssetSpec")),
    *walk(
        "compute", contract.COMPUTE_SPEC, {"allOf": [refer("ComputeAssetSpec")], "nullable": True}
    ),
    *walk("creation", contract.CREATION_META, refer("AssetCreationRequest")),
    *walk("update", contract.UPDATE_META, refer("AssetUpdateRequest")),
]


@pytest.mark.parametrize(("path", "shape", "schema"), VALUES, ids=[path for path, _, _ in VALUES])
def test_the_tables_are_the_contract(path: str, shape: Shape, schema: Mapping[str, Any]) -> None:
    assert stated(shape) == expected(schema)


def test_the_meta_of_an_answer_has_the_fields_of_the_contract() -> None:
    flat = resolve(refer("AssetMeta"))["properties"]
    assert {name: resolve(each).get("nullable", False) for name, each in flat.items()} == {
        name: shape.nullable for name, shape in contract.ASSET_META.fields.items()
    }
