"""What only the descriptions of the contract say of a kind of asset: all else is in contract.json.

Rules between fields, and defaults. A kind that is not named here has neither.
"""

from __future__ import annotations

from typing import Any

from reconciler.sandbox.json_types import refuse

_VALUE_SOURCES = ("secret", "credential", "configMap", "podFieldRef")
_GPU_REQUESTS = (
    ("gpuPortionRequest", "portion"),
    ("gpuMemoryRequest", "memory"),
    ("migProfile", "migProfile"),
)


def check_spec(kind: str, spec: dict[str, Any]) -> None:
    """Refuse a spec that breaks a rule of its kind with a 400."""
    match kind:
        case "environment":
            _check_environment(spec)
        case "compute":
            _check_compute(spec)


def fill_described(kind: str, spec: dict[str, Any]) -> None:
    """Add the defaults of a spec that the schema does not state."""
    if kind == "environment":
        if "image" in spec:
            spec.setdefault("imagePullPolicy", _pull_policy(spec["image"]))
        spec.setdefault("supplementalGroups", "")
        spec.setdefault("connections", [])


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


def _pull_policy(image: str) -> str:
    """`Always` for the tag latest, else `IfNotPresent`; no tag and no digest means latest."""
    if "@" in image:
        return "IfNotPresent"
    _, _, tag = image.rpartition("/")[2].partition(":")
    return "Always" if tag in ("", "latest") else "IfNotPresent"
