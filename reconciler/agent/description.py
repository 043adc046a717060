"""What an asset is, label by label: of a specification, and of a live object. Pure.

A caller's plain words stand bare, as in the Run:ai guide; all text of a live object is quoted.
"""

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.core.resource import LiveResource, Named, Reference, Secret, Spec, redact
from reconciler.kinds.base import SCOPES
from reconciler.kinds.pull_policy import default_pull_policy
from reconciler.kinds.runai_asset import WORKLOAD_TYPES
from reconciler.render.escape import literal
from reconciler.render.model_text import plain, quoted


def asset_lines(spec: Mapping[str, Any], compute: Mapping[str, Any] | None) -> list[str]:
    """What a specification says, one label a line: for previews."""
    lines = [f"Name: {plain(spec['name'])}", f"Scope: {plain(spec['scope'])}"]
    if spec.get("scope_id"):
        lines.append(f"Scope ID: {scope_id_of(spec, plain)}")
    lines += [f"Image: {image_of(spec)}", f"Image Pull Policy: {pull_policy(spec)}"]
    if spec.get("description"):
        lines.append(f"Description: {quoted(spec['description'])}")
    lines += ["", *workload_lines(spec)]
    if compute is not None:
        lines += ["", "Compute (an asset of its own, of the same name):"]
        lines += [
            f"  • {_COMPUTE[name]}: {plain(compute[name])}" for name in _COMPUTE if name in compute
        ]
    for label, name in (
        ("Environment Variables", "environment_variables"),
        ("Tools and Connections", "connections"),
    ):
        if spec.get(name):
            lines += ["", f"{label}:"]
            lines += [f"  • {plain(key)}: {_value(item)}" for key, item in spec[name].items()]
    rest = sorted(spec.keys() - _SHOWN)
    if rest:
        lines += [
            "",
            "Other Fields:",
            *(f"  • {plain(name)}: {_value(spec[name])}" for name in rest),
        ]
    return lines


_COMPUTE = {
    "gpu_devices_request": "GPUs",
    "cpu_core_request": "CPU cores",
    "cpu_memory_request": "Memory",
}
_SHOWN = frozenset(
    {
        *("name", "scope", "scope_id", "image", "image_pull_policy", "description"),
        *("workload_types", "environment_variables", "connections"),
    }
)


def _value(item: Any) -> str:
    if isinstance(item, Secret):
        return "(sensitive value)"
    if isinstance(item, Mapping) and set(item) == {"value"}:
        item = item["value"]
    return plain(item) if isinstance(item, str) else quoted(literal(redact(item)))


def image_of(spec: Mapping[str, Any]) -> str:
    image = spec.get("image", "")
    return plain(image.key.address if isinstance(image, Reference) else image)


def pull_policy(spec: Mapping[str, Any]) -> str:
    """The policy that holds: what is stated, or what the image's tag stands for in the API."""
    stated = spec.get("image_pull_policy")
    if stated is None and isinstance(spec.get("image"), str):
        stated = default_pull_policy(spec["image"])
    return plain(stated or "IfNotPresent")


def workload_lines(spec: Mapping[str, Any]) -> list[str]:
    """The supported workload types, as the guide lists them."""
    types = spec.get("workload_types") or {}
    named = [name for name in WORKLOAD_TYPES if types.get(name)]
    framework = f" ({plain(types['dist_framework'])})" if types.get("dist_framework") else ""
    lines = [f"  ✓ {name}{framework if name == 'distributed' else ''}" for name in named]
    return ["Supported Workload Types:", *(lines or ["  (not stated: the server's default)"])]


def live_lines(live: LiveResource) -> list[str]:
    """The details of a live asset; all of it is data of others."""
    types = live.spec.get("workload_types") or {}
    named = ", ".join(name for name in WORKLOAD_TYPES if types.get(name))
    lines = [
        f"- Environment Name: {quoted(live.name)}",
        f"- Environment ID: {quoted(live.uid)}",
        f"- Scope: {_scope(live)}",
        f"- Image: {quoted(live.spec.get('image', '(none)'))}",
        f"- Supported Workloads: {named or '(not stated)'}",
    ]
    if live.spec.get("description"):
        lines.append(f"- Description: {quoted(live.spec['description'])}")
    if live.updated_by or live.updated_at:
        by = quoted(live.updated_by) if live.updated_by else "(not told)"
        lines.append(f"- Last Changed: {quoted(live.updated_at or '(not told)')} by {by}")
    return lines


def _scope(live: LiveResource) -> str:
    scope = str(live.spec.get("scope", ""))
    word = scope if scope in SCOPES else quoted(scope)
    return f"{word} ({scope_id_of(live.spec, quoted)})" if live.spec.get("scope_id") else word


def scope_id_of(spec: Spec, show: Callable[[object], str]) -> str:
    """The id of the scope, and its name where that is known."""
    uid = spec["scope_id"]
    return f"{show(uid)}, named {show(uid.name)}" if isinstance(uid, Named) else show(uid)
