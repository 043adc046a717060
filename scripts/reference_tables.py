# ruff: noqa: INP001, T201
# A script beside others, not part of a package; its result is what it prints.
"""Writes the tables of fields in docs/ from the models, so that they cannot drift.

Usage: reference_tables.py [--check]

A page says where a table goes:

    <!-- table: manifest Metadata -->
    ...
    <!-- end of table -->

with `manifest`, `config` or `agent` for the schema, and a definition in it (`-` for its top level).
With --check nothing is written, and the exit code is 1 if a page is not current.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.agent.settings import AgentSettings
from reconciler.json_schema import config_schema, manifest_schema

DOCS = Path(__file__).parent.parent / "docs"
SCHEMAS = {
    "manifest": manifest_schema(),
    "config": config_schema(),
    "agent": {"$defs": {}, **AgentSettings.model_json_schema()},
}
SECTIONS = {
    "ComputeShorthand": "compute",
    "ConfigMap": "config_map",
    "Connection": "connections",
    "Credential": "credential",
    "DockerSection": "docker",
    "GuardsSection": "guards",
    "Handler": "probes",
    "HttpGet": "probes",
    "ImageReference": "image",
    "LimitsSection": "limits",
    "Probe": "probes",
    "Probes": "probes",
    "Quantity": "extended_resources",
    "RunaiSection": "runai",
    "TargetSection": "targets",
    "WorkloadTypes": "workload_types",
}
"""Definition -> the heading of a page that describes it."""

_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_MOST_VALUES = 12
_TABLE = re.compile(
    r"(?P<head><!-- table: (?P<schema>\w+) (?P<name>[\w-]+) -->\n).*?"
    r"(?P<tail><!-- end of table -->)",
    re.DOTALL,
)


def current(text: str) -> str:
    """The page with every table as the models have it now."""

    def fill(found: re.Match[str]) -> str:
        schema = SCHEMAS[found["schema"]]
        model = schema if found["name"] == "-" else schema["$defs"][found["name"]]
        lines = "".join(f"{line}\n" for line in _table(found["schema"], model))
        return f"{found['head']}{lines}{found['tail']}"

    return _TABLE.sub(fill, text)


def _table(schema: str, model: Mapping[str, Any]) -> Iterator[str]:
    yield "| field | type | default | description |"
    yield "|---|---|---|---|"
    for name, field in model["properties"].items():
        default = "**required**" if name in model.get("required", ()) else _default(field)
        about = field.get("description") or _definition(schema, field).get("description", "")
        yield f"| `{name}` | {_cell(_type(schema, field))} | {default} | {_cell(about)} |"


def _definition(schema: str, field: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(field.get("$ref", "")).rpartition("/")[2]
    found: Mapping[str, Any] = SCHEMAS[schema]["$defs"].get(name, {})
    return found


def _default(field: Mapping[str, Any]) -> str:
    value = field.get("default")
    if value in (None, [], {}):
        return ""
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _type(schema: str, field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        if name == "Source":
            return "[`{env}` or `{file}`](#variables-and-files)"
        if name == "Variable":
            return "[mapping](#environment_variables)"
        return f"[mapping](#{SECTIONS[name]})"
    if "anyOf" in field:
        kinds = [_type(schema, item) for item in field["anyOf"] if item != {"type": "null"}]
        if "text" in kinds and "whole number" in kinds:
            kinds.remove("whole number")  # a number passes for text
        return (", or " if any(kind.startswith("list of m") for kind in kinds) else " or ").join(
            kinds
        )
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        if len(field["enum"]) > _MOST_VALUES:
            return f"one of {len(field['enum'])} names"
        return ", ".join(f"`{item}`" for item in field["enum"])
    return _plain_type(schema, field)


def _plain_type(schema: str, field: Mapping[str, Any]) -> str:
    types = field.get("type", "object")
    kinds = [item for item in ([types] if isinstance(types, str) else types) if item != "null"]
    kind = kinds[0]
    if kind == "array" and field["items"].get("required"):
        return f"list of mappings, each with its `{field['items']['required'][0]}`"
    if kind == "array":
        return f"list of {_type(schema, field['items'])}"
    if kind == "object":
        inner = field.get("additionalProperties")
        inner = inner or next(iter(field.get("patternProperties", {}).values()), None)
        return f"mapping to {_type(schema, inner)}" if isinstance(inner, dict) else "mapping"
    return _WORDS.get(kind, kind) + _bounds(field)


def _bounds(field: Mapping[str, Any]) -> str:
    parts = []
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        parts.append(f"{low:g} to {high:g}")
    elif low is not None:
        parts.append(f"{low:g} or more")
    if (above := field.get("exclusiveMinimum")) is not None:
        parts.append(f"above {above:g}" + (f", up to {high:g}" if high is not None else ""))
    if "maxLength" in field:
        parts.append(f"at most {field['maxLength']} characters")
    elif field.get("minLength") and "pattern" not in field:
        parts.append("not empty")
    if "pattern" in field:
        parts.append(f"`{field['pattern']}`")
    return f" ({', '.join(parts)})" if parts else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: list[str]) -> int:
    """Renew the pages, or say which of them are not current."""
    stale = []
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (renewed := current(text)) != text:
            stale.append(path)
            if "--check" not in arguments:
                path.write_text(renewed, encoding="utf-8")
    for path in stale:
        print(f"{path.name}: {'not current' if '--check' in arguments else 'renewed'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
