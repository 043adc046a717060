"""From the bytes of a request to a checked asset body, or a 400 that says what is wrong with it.

The contract states what each field may be; here are the rules of the contract's
descriptions that concern several fields. Whether ids refer to something that exists is checked
where the organisation units are known, in assets.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.api_schema import Contract
from reconciler.sandbox.json_types import Schema, accept, refuse
from reconciler.sandbox.switches import UnknownFields

_VALUE_SOURCES = ("secret", "credential", "configMap", "podFieldRef")


@dataclass(frozen=True)
class Body:
    """A checked request: `meta` and `spec` without nulls."""

    meta: dict[str, Any]
    spec: dict[str, Any]


@dataclass(frozen=True)
class BodyReader:
    """Reads the requests about assets of one kind, `environment` or `compute`."""

    kind: str
    contract: Contract
    unknown: UnknownFields

    def read_creation(self, raw: bytes) -> Body:
        """Check the body of a POST."""
        return self._read(raw, self.contract.creation)

    def read_update(self, raw: bytes) -> Body:
        """Check the body of a PUT; known fields of meta that cannot be updated are dropped."""
        return self._read(raw, self.contract.update)

    def _read(self, raw: bytes, settable: Schema) -> Body:
        body = read_json(raw)
        if not isinstance(body, dict):
            raise ApiError(400, "The body must be an object with meta and spec.")
        for name in ("meta", "spec"):
            if name not in body:
                raise refuse(name, "is required")
        if self.unknown == "reject" and (extra := body.keys() - {"meta", "spec"}):
            raise refuse(min(extra), "is not a known field")
        meta = body["meta"]
        if self.unknown != "reject" and isinstance(meta, dict):
            known = self.contract.meta["properties"].keys() - settable["properties"].keys()
            meta = {name: value for name, value in meta.items() if name not in known}
        accepted = accept(settable, meta, "meta", self.unknown)
        spec = accept(self.contract.specs[self.kind], body["spec"], "spec", self.unknown) or {}
        _RULES[self.kind](spec)
        return Body(accepted, spec)


def read_json(raw: bytes) -> Any:
    """Decode a body strictly: UTF-8, no NaN or infinity, no depth that exhausts the stack."""
    try:
        return json.loads(raw.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "The body is not valid JSON.") from error


def _check_environment(spec: dict[str, Any]) -> None:
    for number, variable in enumerate(spec.get("environmentVariables") or ()):
        if variable is not None:
            _check_variable(variable, f"spec.environmentVariables[{number}]")
    names: set[str] = set()
    for number, connection in enumerate(spec.get("connections") or ()):
        if connection["name"] in names:
            raise refuse(f"spec.connections[{number}].name", "is the name of another connection")
        names.add(connection["name"])


def _check_variable(variable: dict[str, Any], path: str) -> None:
    """A name, and at most one source; an empty object is none, as it may come from an answer."""
    if "name" not in variable:
        raise refuse(f"{path}.name", "is required")
    sources = [name for name in _VALUE_SOURCES if variable.get(name)]
    if variable.get("value") is not None:
        sources.append("value")
    if len(sources) > 1:
        raise refuse(path, f"has more than one of {', '.join(sources)}")


def _check_compute(spec: dict[str, Any]) -> None:
    """The rules on GPUs in the descriptions of gpuRequestType and the fields beside it."""
    request_type = spec.get("gpuRequestType")
    for name, owner in _GPU_REQUESTS:
        if name in spec and request_type != owner:
            raise refuse(f"spec.{name}", f"is allowed only if gpuRequestType is {owner}")
        if name not in spec and request_type == owner:
            raise refuse(f"spec.{name}", f"is required if gpuRequestType is {owner}")
    if spec.get("gpuDevicesRequest", 0) > 1 and request_type not in (None, "portion"):
        raise refuse("spec.gpuRequestType", "must be portion if gpuDevicesRequest is above 1")
    portion = spec.get("gpuPortionRequest", 0)
    if portion > 1:
        raise refuse("spec.gpuPortionRequest", "must be between 0 and 1")
    if spec.get("gpuPortionLimit", portion) < portion:
        raise refuse("spec.gpuPortionLimit", "must be no less than gpuPortionRequest")


_GPU_REQUESTS = (
    ("gpuPortionRequest", "portion"),
    ("gpuMemoryRequest", "memory"),
    ("migProfile", "migProfile"),
)
_RULES: Mapping[str, Any] = MappingProxyType(
    {"environment": _check_environment, "compute": _check_compute}
)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
