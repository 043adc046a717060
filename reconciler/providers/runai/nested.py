"""The parts of an asset's spec that are lists or trees: the API's form <-> the canonical one. Pure.

Lists whose entries have names become mappings by name; what equals a documented default is left
out. What a manifest could not state is kept, under names of its own, so that it differs.
"""

from collections.abc import Mapping
from typing import Any

from reconciler.providers.runai.values import (
    as_list,
    as_mapping,
    by_name,
    present,
    read_memory,
    read_number,
)

EXTERNAL_TOOLS = frozenset({"wandb", "comet"})


def read_variables(value: Any) -> dict[str, Any] | None:
    return by_name([_read_variable(as_mapping(entry)) for entry in as_list(value)])


def _read_variable(entry: Mapping[str, Any]) -> tuple[str, Any]:
    name, value = entry.get("name") or "", entry.get("value") or ""
    if len(entry) == 2 and value:
        return name, value
    canonical: dict[str, Any] = {"value": value} if value else {}
    if source := entry.get("credential"):
        canonical["credential"] = present(
            as_mapping(source), ("assetId", "asset_id"), ("key", "key")
        )
    if source := entry.get("secret"):  # up to 2.19; no manifest can state it, so it has to differ
        canonical["secret"] = present(as_mapping(source), ("name", "name"), ("key", "key"))
    if source := entry.get("configMap"):
        canonical["config_map"] = present(as_mapping(source), ("name", "name"), ("key", "key"))
    if (source := entry.get("podFieldRef")) and (path := as_mapping(source).get("path")):
        canonical["pod_field"] = path
    if entry.get("exclude"):
        canonical["exclude"] = True
    if (text := entry.get("description")) and (text := text.strip()):
        canonical["description"] = text
    canonical = {key: item for key, item in canonical.items() if item != {}}
    return name, value if canonical.keys() <= {"value"} else canonical


def write_variables(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_write_variable(name, variable) for name, variable in variables.items()]


def _write_variable(name: str, variable: Any) -> dict[str, Any]:
    if not isinstance(variable, Mapping):
        return {"name": name, "value": variable}
    entry: dict[str, Any] = {"name": name}
    if source := variable.get("credential"):
        entry["credential"] = {"assetId": source["asset_id"], "key": source["key"]}
    elif source := variable.get("config_map"):
        entry["configMap"] = dict(source)
    elif path := variable.get("pod_field"):
        entry["podFieldRef"] = {"path": path}
    elif "value" in variable or not variable.get("exclude"):
        entry["value"] = variable.get("value", "")
    if variable.get("exclude"):
        entry["exclude"] = True
    if text := variable.get("description"):
        entry["description"] = text
    return entry


def read_connections(value: Any) -> dict[str, Any] | None:
    return by_name([_read_connection(as_mapping(entry)) for entry in as_list(value)])


def _read_connection(entry: Mapping[str, Any]) -> tuple[str, Any]:
    inside = as_mapping(entry.get("internalToolInfo") or {})
    outside = as_mapping(entry.get("externalToolInfo") or {})
    canonical: dict[str, Any] = {}
    if inside:
        canonical.update(
            present(
                inside,
                ("toolType", "tool_type"),
                ("connectionType", "connection_type"),
                ("containerPort", "container_port"),
            )
        )
        for info, names in _CONNECTION_INFO.items():
            if found := inside.get(info):
                canonical.update(present(as_mapping(found), *names))
    is_external = bool(entry.get("isExternal"))
    if outside and not inside:
        canonical.update(present(outside, ("toolType", "tool_type"), _EXTERNAL_URL))
    elif outside:  # both: nothing that a manifest could state, so it has to differ
        canonical["external_tool"] = present(outside, ("toolType", "tool_type"), _EXTERNAL_URL)
    if is_external != (canonical.get("tool_type") in EXTERNAL_TOOLS):
        canonical["is_external"] = is_external
    return entry.get("name") or "", canonical


_EXTERNAL_URL = ("externalUrl", "external_url")
_CONNECTION_INFO = {
    "externalUrlInfo": (("isCustomUrl", "is_custom_url"), _EXTERNAL_URL),
    "nodePortInfo": (("isCustomPort", "is_custom_port"),),
    "servingPortInfo": (("protocol", "protocol"),),
}
_INFO_OF_TYPE = {
    "ExternalUrl": "externalUrlInfo",
    "NodePort": "nodePortInfo",
    "ServingPort": "servingPortInfo",
}


def write_connections(connections: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_write_connection(name, item) for name, item in connections.items()]


def _write_connection(name: str, connection: Mapping[str, Any]) -> dict[str, Any]:
    tool = connection["tool_type"]
    if tool in EXTERNAL_TOOLS:
        info = {"toolType": tool, "externalUrl": connection["external_url"]}
        return {"name": name, "isExternal": True, "externalToolInfo": info}
    inside: dict[str, Any] = {
        "toolType": tool,
        "connectionType": connection["connection_type"],
        "containerPort": connection["container_port"],
    }
    info_name = _INFO_OF_TYPE.get(connection["connection_type"])
    if info_name is not None:  # an empty one is what the user interface sends
        inside[info_name] = {
            api_name: connection[canonical]
            for api_name, canonical in _CONNECTION_INFO[info_name]
            if canonical in connection
        }
    return {"name": name, "isExternal": False, "internalToolInfo": inside}


PROBE_NAMES = (
    ("initialDelaySeconds", "initial_delay_seconds"),
    ("periodSeconds", "period_seconds"),
    ("timeoutSeconds", "timeout_seconds"),
    ("successThreshold", "success_threshold"),
    ("failureThreshold", "failure_threshold"),
)
HTTP_NAMES = ("path", "port", "host", "scheme")
_HTTP_DEFAULTS = {"path": "/", "scheme": "HTTP"}


def read_probes(value: Any) -> dict[str, Any] | None:
    probe = as_mapping(as_mapping(value).get("readiness") or {})
    readiness = {
        name: read_number(probe[api_name])
        for api_name, name in PROBE_NAMES
        if probe.get(api_name) is not None
    }
    request = as_mapping(as_mapping(probe.get("handler") or {}).get("httpGet") or {})
    http_get = {
        name: request[name]
        for name in HTTP_NAMES
        if request.get(name) not in (None, "", _HTTP_DEFAULTS.get(name))
    }
    if http_get:
        readiness["handler"] = {"http_get": http_get}
    return {"readiness": readiness} if readiness else None


def write_probes(probes: Mapping[str, Any]) -> dict[str, Any]:
    readiness = probes["readiness"]
    probe = {api_name: readiness[name] for api_name, name in PROBE_NAMES if name in readiness}
    request = readiness.get("handler", {}).get("http_get", {})
    return {"readiness": {**probe, "handler": {"httpGet": dict(request) or {"path": "/"}}}}


def read_resources(value: Any) -> dict[str, Any] | None:
    return by_name([_read_resource(as_mapping(entry)) for entry in as_list(value)])


def _read_resource(entry: Mapping[str, Any]) -> tuple[str, Any]:
    quantity = read_memory(entry.get("quantity") or "")
    if not entry.get("exclude"):
        return entry.get("resource") or "", quantity or "0"
    canonical = {"quantity": quantity, "exclude": True} if quantity else {"exclude": True}
    return entry.get("resource") or "", canonical


def write_resources(resources: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"resource": name, **(item if isinstance(item, Mapping) else {"quantity": item})}
        for name, item in resources.items()
    ]
