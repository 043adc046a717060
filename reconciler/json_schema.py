"""The authoring models -> JSON Schema (2020-12), for editors to complete and check while typing.

A schema accepts whatever the loader accepts, and refuses what it can without looking at files or
at other manifests. Each document of a multi-document file is checked by itself.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from reconciler.config.file import ConfigFile
from reconciler.kinds.base import Kind, Metadata
from reconciler.kinds.registry import KINDS
from reconciler.manifest.envelope import API_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def manifest_schema(kinds: Sequence[Kind] = KINDS) -> Schema:
    """The schema of one manifest document of any of these kinds."""
    models: list[type[BaseModel]] = [Metadata, *(kind.model for kind in kinds)]
    references, definitions = models_json_schema([(model, "validation") for model in models])
    names = [kind.traits.name for kind in kinds]
    specs = [
        {
            "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
            "then": {"properties": {"spec": references[kind.model, "validation"]}},
        }
        for name, kind in zip(names, kinds, strict=True)
    ]
    schema = {
        "$schema": DIALECT,
        "title": "Manifest of reconciler",
        "description": "One object that is to exist, and what it is to look like.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": API_VERSION, "description": f"Always {API_VERSION}."},
            "kind": {"enum": names, "description": "What kind of object this is."},
            "metadata": references[Metadata, "validation"],
            "spec": {"type": "object", "description": "The fields of the object, by its kind."},
        },
        "allOf": specs,
        "$defs": definitions["$defs"],
    }
    readable: Schema = _readable(schema)
    return readable


def overlay_schema() -> Schema:
    """The schema of one document of an overlay: any part of a manifest, and null to remove one."""
    schema = manifest_schema()
    definitions = {name: _partial(part) for name, part in schema["$defs"].items()}
    metadata = definitions["Metadata"]
    del metadata["properties"]["moved_from"]
    metadata |= {
        "description": "Which manifest this patches, and what it sets for this target.",
        "anyOf": [{"required": ["name"]}, {"required": ["id"]}],
    }
    return {
        **schema,
        "title": "Overlay of reconciler",
        "description": "What one target states otherwise of one manifest.",
        "required": ["kind", "metadata"],
        "$defs": definitions,
    }


def config_schema() -> Schema:
    """The schema of `reconciler.yaml`."""
    schema: Schema = _readable({"$schema": DIALECT, **ConfigFile.model_json_schema()})
    return schema


def to_json(schema: Schema) -> str:
    """A schema as it is printed and kept in `docs/schema`."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _partial(schema: Any) -> Any:
    """The same with nothing required, and null for what is to be removed."""
    if not isinstance(schema, dict):
        return schema
    result = {key: part for key, part in schema.items() if key not in ("required", "default")}
    if "anyOf" in result:
        result["anyOf"] = [_partial(member) for member in result["anyOf"]]
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = _partial(result[key])
    if isinstance(result.get("additionalProperties"), dict):
        result["additionalProperties"] = _or_null(result["additionalProperties"])
    if "properties" in result:
        parts = result["properties"].items()
        result["properties"] = {name: _or_null(_partial(part)) for name, part in parts}
    if result.get("items", {}).get("properties"):
        remove = {"const": "delete", "description": "Removes the entry of this name."}
        result["items"]["properties"]["$patch"] = remove
    return result


def _or_null(schema: Schema) -> Schema:
    null = {"type": "null"}
    if null in schema.get("anyOf", ()) or "null" in schema.get("type", ()):
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], null]}
    about: Schema = {
        key: schema[key] for key in ("title", "description", "examples") if key in schema
    }
    rest = {key: part for key, part in schema.items() if key not in about}
    return _merge_null({"anyOf": [rest, null], **about})


def _readable(schema: Any) -> Any:
    """The same schema as the loader means it: numbers pass for text, null for an absent field."""
    if isinstance(schema, list):
        return [_readable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result: Schema = {}
    for name, item in schema.items():
        if name in ("properties", "$defs"):
            result[name] = {key: _readable(below) for key, below in item.items()}
        elif name in ("default", "examples"):
            if item is not None:
                result[name] = item
        else:
            result[name] = _readable(item)
    if result.get("type") == "string" and "const" not in result and "enum" not in result:
        result["type"] = ["string", "number"]
    return _merge_null(result)


def _merge_null(schema: Schema) -> Schema:
    """Write `anyOf: [{type: X}, {type: null}]` as `type: [X, null]`."""
    members = schema.get("anyOf", [])
    others = [member for member in members if member != {"type": "null"}]
    if len(others) != 1 or len(members) != 2 or "enum" in others[0] or "type" not in others[0]:
        return schema
    types = others[0]["type"]
    merged = {**others[0], **{name: value for name, value in schema.items() if name != "anyOf"}}
    return {**merged, "type": [*([types] if isinstance(types, str) else types), "null"]}
