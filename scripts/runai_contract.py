# ruff: noqa: INP001, T201
# A script beside others, not part of a package; its result is what it writes.
"""Makes the sandbox's contract of every Run:ai version from published OpenAPI documents.

Usage: runai_contract.py [--check | DIRECTORY]

DIRECTORY holds `runai-VERSION-shapes.json` for 2.18 to 2.24. What the sandbox serves of them goes
to tests/contracts/runai.json, and from there, flattened, to reconciler/sandbox/contract.json. No
document of 3.0 was at hand: it is 2.24 with the differences in `DIFFERENCES`. Without an argument
only the second step is done. With --check nothing is written, and the exit code is 1 if
contract.json is not current.

Both files hold the oldest version whole, and each later one as a JSON Merge Patch (RFC 7386) of the
one before it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.sandbox.api_schema import VERSIONS, merge_patch, version_of

ROOT = Path(__file__).parents[1]
DOCUMENTS = ROOT / "tests" / "contracts" / "runai.json"
CONTRACT = ROOT / "reconciler" / "sandbox" / "contract.json"
ASSETS, UNITS = "/api/v1/asset", "/api/v1/org-unit"
KINDS: Mapping[str, str] = {
    "environment": f"{ASSETS}/environment",
    "compute": f"{ASSETS}/compute",
    "nfs": f"{ASSETS}/datasource/nfs",
    "hostPath": f"{ASSETS}/datasource/host-path",
    "git": f"{ASSETS}/datasource/git",
    "s3": f"{ASSETS}/datasource/s3",
    "pvc": f"{ASSETS}/datasource/pvc",
    "config-map": f"{ASSETS}/datasource/config-map",
    "secret-volume": f"{ASSETS}/datasource/secrets",
}
"""By `meta.kind`, the paths of the kinds of assets that the sandbox keeps."""
COMBINED = (f"{ASSETS}/datasource",)
"""Lists of several kinds, with the spec of each asset under a name for its kind."""
NESTED = {"config-map": "config_map", "secret-volume": "secret"}
"""That name, where it is not `meta.kind`."""
SERVED: Mapping[str, tuple[str, ...]] = {
    "/api/v1/token": ("post",),
    "/api/v2/token": ("post",),
    **dict.fromkeys(KINDS.values(), ("get", "post")),
    **dict.fromkeys(COMBINED, ("get",)),
    **{f"{path}/{{AssetId}}": ("get", "put", "delete") for path in KINDS.values()},
    **{
        f"{ASSETS}/credentials{kind}": ("get",)
        for kind in (
            "",
            "/generic-secret",
            "/password",
            "/access-key",
            "/docker-registry",
            "/ngc-api-key",
        )
    },
    "/api/v1/clusters": ("get",),
    "/api/v1/clusters/{clusterUuid}": ("get",),
    f"{UNITS}/projects": ("get",),
    f"{UNITS}/projects/{{projectId}}": ("get",),
    f"{UNITS}/departments": ("get",),
    f"{UNITS}/departments/{{departmentId}}": ("get",),
    f"{UNITS}/priorities": ("get",),
}
NOISE = frozenset({"example", "operationId", "deprecated", "depracted"})
# The same languages in linear time: possessive quantifiers.
LINEAR = {
    r"^([+]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$": (
        r"^([+]?+[0-9.]++)([eEinumkKMGTP]*+[-+]?+[0-9]*+)$"
    ),
    r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$": (
        r"^([+-]?+[0-9.]++)([eEinumkKMGTP]*+[-+]?+[0-9]*+)$"
    ),
}


def _json_answer(schema: object, *errors: str) -> dict[str, Any]:
    return {
        "responses": {
            "200": {"description": "", "content": {"application/json": {"schema": schema}}},
            **{error[:3]: {"$ref": f"#/components/responses/{error}"} for error in errors},
        }
    }


def _query(name: str, **schema: object) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


_TEXT, _WHOLE = {"type": "string"}, {"type": "integer"}
_READ_ERRORS = ("400BadRequest", "401Unauthorized", "403Forbidden", "503ServiceUnavailable")
DIFFERENCES: Mapping[str, Any] = {
    # In use since 2.24, and in NVIDIA's reference pages, but not in the published document.
    "2.24": {
        "paths": {
            "/api/v1/clusters/minimal": {
                "get": {
                    "parameters": [
                        _query("filterBy", type="array", items=_TEXT),
                        _query("offset", type="integer", format="int32"),
                        _query("limit", type="integer", format="int32", minimum=1, maximum=500),
                    ],
                    **_json_answer(
                        {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["uuid", "name", "tenantId"],
                                "properties": {
                                    "uuid": {**_TEXT, "format": "uuid"},
                                    "name": _TEXT,
                                    "tenantId": _WHOLE,
                                    "version": _TEXT,
                                    "domain": _TEXT,
                                },
                            },
                        },
                        *_READ_ERRORS,
                    ),
                }
            },
            f"{UNITS}/ranks": {
                "get": _json_answer(
                    {
                        "type": "object",
                        "properties": {
                            "ranks": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["name", "value"],
                                    "properties": {
                                        "name": _TEXT,
                                        "value": _WHOLE,
                                        "isDefault": {"type": "boolean"},
                                    },
                                },
                            }
                        },
                    },
                    *_READ_ERRORS,
                    "409Conflict",
                )
            },
        }
    },
    "3.0": {
        "paths": {f"{UNITS}/priorities": None},
        "components": {
            "schemas": {
                "TokenRequestGrantTypeEnum": {
                    "enum": [
                        "client_credentials",
                        "refresh_token",
                        "exchange_token",
                        "password",
                        "external_token_exchange",
                    ]
                }
            }
        },
    },
}


def reduce(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the sandbox serves of a published document, with all that this refers to."""
    paths = {
        path: {name: found[name] for name in (*methods, "parameters") if name in found}
        for path, methods in SERVED.items()
        if (found := document["paths"].get(path))
    }
    reduced: dict[str, Any] = {
        "openapi": document["openapi"],
        "info": {"title": "Run:ai"},
        "paths": _without_noise(paths),
        "components": {},
    }
    waiting = list(_references(reduced["paths"]))
    while waiting:
        _, _, section, name = waiting.pop().split("/")
        held = reduced["components"].setdefault(section, {})
        if name not in held:
            held[name] = _without_noise(document["components"][section][name])
            waiting.extend(_references(held[name]))
    return reduced


def _without_noise(node: Any, *, names: bool = False) -> Any:
    """A copy without examples and the like; the keys of `names` are nobody's noise."""
    if isinstance(node, dict):
        return {
            key: _without_noise(each, names=key == "properties")
            for key, each in node.items()
            if names or key not in NOISE
        }
    if isinstance(node, list):
        return [_without_noise(each) for each in node]
    return node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from _references(each)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """One version of contract.json: what the sandbox has to know of a reduced document."""
    paths, schemas = document["paths"], document["components"]["schemas"]

    def found(node: Mapping[str, Any]) -> Mapping[str, Any]:
        return _referred(document, node)

    def body(path: str, method: str, part: str) -> dict[str, Any]:
        content = paths[path][method]["requestBody"]["content"]["application/json"]
        return _flat(document, _merged(document, content["schema"])["properties"][part])

    def listed(path: str) -> dict[str, str]:
        content = paths[path]["get"]["responses"]["200"]["content"]["application/json"]
        answer = _flat(document, content["schema"])
        known = answer["properties"]["entries"]["items"]["properties"]["spec"]["properties"]
        names = {kind: NESTED.get(kind, kind) for kind in kinds}
        return {kind: name for kind, name in names.items() if name in known}

    kinds = {kind: path for kind, path in KINDS.items() if path in paths}
    asset = KINDS["environment"]  # `meta` is the same of all
    return {
        "paths": {
            path: {
                method: {
                    found(each)["name"]: _flat(document, found(each)["schema"])
                    for each in operation.get("parameters", ())
                    if found(each)["in"] == "query"
                }
                for method, operation in operations.items()
                if method != "parameters"
            }
            for path, operations in paths.items()
        },
        "grants": body("/api/v1/token", "post", "grantType")["enum"],
        "creation": body(asset, "post", "meta"),
        "update": body(asset + "/{AssetId}", "put", "meta"),
        "meta": _flat(document, schemas["AssetMeta"]),
        "endpoints": kinds,
        "specs": {kind: body(path, "post", "spec") for kind, path in kinds.items()},
        "held": [
            kind
            for kind, path in kinds.items()
            if "412" in paths[path + "/{AssetId}"]["delete"]["responses"]
        ],
        "combined": {path: listed(path) for path in COMBINED},
        "units": {
            kind: {name: {} for name in _merged(document, schemas[kind])["properties"]}
            for kind in ("Project", "Department")
        },
    }


def _referred(document: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference leads to; anything else as it is."""
    if "$ref" not in node:
        return node
    _, _, section, name = node["$ref"].split("/")
    found: Mapping[str, Any] = document["components"][section][name]
    return found


def _merged(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with the reference at its top followed and its `allOf` merged into it."""
    if "$ref" in schema:
        return _merged(document, _referred(document, schema))
    found: dict[str, Any] = {}
    own = {key: each for key, each in schema.items() if key != "allOf"}
    for part in (*(_merged(document, each) for each in schema.get("allOf", ())), own):
        properties = {**found.get("properties", {}), **part.get("properties", {})}
        required = [*found.get("required", ()), *part.get("required", ())]
        found |= part
        found |= {"properties": properties} if properties else {}
        found |= {"required": required} if required else {}
    return found


def _flat(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without references, in the form that the sandbox reads."""
    found = _merged(document, schema)
    if "properties" in found:
        found["type"] = "object"  # not always stated
        found["properties"] = {
            name: _flat(document, each) for name, each in found["properties"].items()
        }
    if "items" in found:
        found["items"] = _flat(document, found["items"])
    pattern = found.pop("pattern", ".*")
    return found if pattern == ".*" else {**found, "pattern": LINEAR.get(pattern, pattern)}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Merge Patch from one object to another."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for key, each in after.items():
        if key not in before:
            patch[key] = each
        elif isinstance(each, dict) and isinstance(before[key], dict):
            patch |= {key: inner} if (inner := difference(before[key], each)) else {}
        elif each != before[key]:
            patch[key] = each
    return patch


def as_patches(versions: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The first version whole, and every other as a patch of the one before it."""
    patches: dict[str, Any] = {}
    before: Mapping[str, Any] = {}
    for version, whole in versions.items():
        patches[version] = difference(before, whole)
        assert merge_patch(before, patches[version]) == whole, "a null in it cannot be patched"
        before = whole
    return patches


def read_documents(directory: Path) -> dict[str, Any]:
    """The reduced document of every version, from a directory of published ones."""
    documents: dict[str, Any] = {}
    reduced: Mapping[str, Any] = {}
    for version in VERSIONS:
        path = directory / f"runai-{version}-shapes.json"
        if version != "3.0":
            reduced = reduce(json.loads(path.read_text(encoding="utf-8")))
        reduced = merge_patch(reduced, {"info": {"version": version}})
        reduced = merge_patch(reduced, DIFFERENCES.get(version, {}))
        documents[version] = reduced
    return documents


def contract_text(documents: Mapping[str, Any]) -> str:
    """The text of contract.json for the patches in tests/contracts/runai.json."""
    versions = {str(each): flatten(version_of(documents, each)) for each in VERSIONS}
    return _dump(as_patches(versions))


def _dump(value: Mapping[str, Any]) -> str:
    """Compact JSON, with a line for each part of a version, so that changes can be read."""
    versions = []
    for version, parts in value.items():
        lines = [
            f"{json.dumps(name)}: {json.dumps(part, sort_keys=True, separators=(',', ':'))}"
            for name, part in parts.items()
        ]
        versions.append(f"{json.dumps(version)}: {{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(versions) + "\n}\n"


def main(arguments: list[str]) -> int:
    """Write both files, or one, or check one."""
    if "--help" in arguments or len(arguments) > 1:
        print(__doc__)
        return 0 if "--help" in arguments else 2
    if arguments and arguments != ["--check"]:
        documents = read_documents(Path(arguments[0]))
        DOCUMENTS.write_text(_dump(as_patches(documents)), encoding="utf-8")
    text = contract_text(json.loads(DOCUMENTS.read_text(encoding="utf-8")))
    if arguments != ["--check"]:
        CONTRACT.write_text(text, encoding="utf-8")
    elif text != CONTRACT.read_text(encoding="utf-8"):
        print("reconciler/sandbox/contract.json is not current: run scripts/runai_contract.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
