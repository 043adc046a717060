"""What a server of one Run:ai version knows: paths, query parameters, logins and asset bodies.

Read from contract.json, which scripts/runai_contract.py makes from the published OpenAPI documents:
the oldest version whole, each later one as a JSON Merge Patch (RFC 7386) of the one before. Rules
on several fields at once are in validation.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final, get_args

from reconciler.sandbox.json_types import Schema
from reconciler.sandbox.switches import Version

VERSIONS: Final[tuple[Version, ...]] = get_args(Version)


@dataclass(frozen=True)
class Contract:
    """One version.

    `paths` gives the query parameters by path and method, `grants` the ways to log in at
    /api/v1/token. `creation` and `update` are the `meta` of requests, `meta` that of answers;
    Of each kind of asset, `endpoints` has the path and `specs` the spec; those that are `held` are
    not deleted while something uses them. `combined` are lists of several kinds, with the name that
    the spec of each has there. `units` names the fields of a Project and of a Department.
    """

    paths: Mapping[str, Mapping[str, Mapping[str, Schema]]]
    grants: tuple[str, ...]
    creation: Schema
    update: Schema
    meta: Schema
    endpoints: Mapping[str, str]
    specs: Mapping[str, Schema]
    held: tuple[str, ...]
    combined: Mapping[str, Mapping[str, str]]
    units: Mapping[str, Mapping[str, object]]


@cache
def load_contract(version: Version) -> Contract:
    """The contract of a version."""
    text = files(__package__).joinpath("contract.json").read_text(encoding="utf-8")
    return Contract(**version_of(json.loads(text), version))


def version_of(patches: Mapping[str, Any], version: str) -> dict[str, Any]:
    """One version from the patches of all."""
    found: dict[str, Any] = {}
    for each in VERSIONS:
        found = merge_patch(found, patches[each])
        if each == version:
            break
    return found


def merge_patch(value: Any, patch: Any) -> Any:
    """Apply a JSON Merge Patch: objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(value) if isinstance(value, Mapping) else {}
    for name, each in patch.items():
        if each is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), each)
    return merged
