"""The fields of an asset's `spec`: one value of the API <-> one value of the canonical spec.

Each table row names a canonical field, its API field, and how to read (API -> canonical, None for
"as if absent") and write it. Reading is tolerant of what servers may answer for an absent value
(nothing, null, an empty value); it raises `ValueError` for a type that the field cannot have.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.kinds.quantity import canonical_memory
from reconciler.resource import Secret

EXTERNAL_TOOLS = frozenset({"wandb", "comet"})


class Field(NamedTuple):
    """One row: canonical name, API name, and both conversions."""

    name: str
    api_name: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _read_text(value: Any) -> str | None:
    text = str(value).strip()
    return text or None


def _read_true(value: Any) -> bool | None:
    """A flag whose documented default is false."""
    return None if value is False else bool(value)


def _read_number(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _read_count(value: Any) -> Any:
    """A number whose zero equals absent."""
    return _read_number(value) or None


def _read_memory(value: Any) -> str | None:
    text = str(value).strip()
    return canonical_memory(text) if text else None


def _read_set(value: Any) -> list[str] | None:
    return sorted({str(item) for item in _list(value)}) or None


def _read_unless(default: str) -> Callable[[Any], str | None]:
    return lambda value: None if value == default else _read_text(value)


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list was expected, not {type(value).__name__}")  # noqa: TRY004
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, not {type(value).__name__}")  # noqa: TRY004
    return value


def _by_name(entries: list[tuple[str, Any]]) -> dict[str, Any] | None:
    """Entries by name; a name that occurs again is kept apart as `NAME#2`, and so differs."""
    named: dict[str, Any] = {}
    for name, value in entries:
        key, count = name, 1
        while key in named:
            count += 1
            key = f"{name}#{count}"
        named[key] = value
    return named or None


def _present(mapping: Mapping[str, Any], *names: tuple[str, str]) -> dict[str, Any]:
    """The values of API names that are there, under their canonical names."""
    return {
        name: mapping[api_name]
        for api_name, name in names
        if mapping.get(api_name) not in (None, "", False)
    }


def _read_variables(value: Any) -> dict[str, Any] | None:
    return _by_name([_read_variable(_mapping(entry)) for entry in _list(value)])


def _read_variable(entry: Mapping[str, Any]) -> tuple[str, Any]:
    name, value = entry.get("name") or "", entry.get("value") or ""
    if len(entry) == 2 and value:
        return name, value
    canonical: dict[str, Any] = {"value": value} if value else {}
    if source := entry.get("credential"):
        canonical["credential"] = _present(
            _mapping(source), ("assetId", "asset_id"), ("key", "key")
        )
    if source := entry.get("configMap"):
        canonical["config_map"] = _present(_mapping(source), ("name", "name"), ("key", "key"))
    if (source := entry.get("podFieldRef")) and (path := _mapping(source).get("path")):
        canonical["pod_field"] = path
    if entry.get("exclude"):
        canonical["exclude"] = True
    if (text := entry.get("description")) and (text := text.strip()):
        canonical["description"] = text
    canonical = {key: item for key, item in canonical.items() if item != {}}
    return name, value if canonical.keys() <= {"value"} else canonical


def _write_variables(variables: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_write_variable(name, variable) for name, variable in variables.items()]


def _write_variable(name: str, variable: Any) -> dict[str, Any]:
    if not isinstance(variable, Mapping):
        return {"name": name, "value": reveal(variable)}
    entry: dict[str, Any] = {"name": name}
    if source := variable.get("credential"):
        entry["credential"] = {"assetId": source["asset_id"], "key": source["key"]}
    elif source := variable.get("config_map"):
        entry["configMap"] = dict(source)
    elif path := variable.get("pod_field"):
        entry["podFieldRef"] = {"path": path}
    elif "value" in variable or not variable.get("exclude"):
        entry["value"] = reveal(variable.get("value", ""))
    if variable.get("exclude"):
        entry["exclude"] = True
    if text := variable.get("description"):
        entry["description"] = text
    return entry


def reveal(value: Any) -> Any:
    """The text of a secret: only for a request body."""
    return value.reveal() if isinstance(value, Secret) else value


def _read_connections(value: Any) -> dict[str, Any] | None:
    return _by_name([_read_connection(_mapping(entry)) for entry in _list(value)])


def _read_connection(entry: Mapping[str, Any]) -> tuple[str, Any]:
    inside = _mapping(entry.get("internalToolInfo") or {})
    outside = _mapping(entry.get("externalToolInfo") or {})
    canonical: dict[str, Any] = {}
    if inside:
        canonical.update(
            _present(
                inside,
                ("toolType", "tool_type"),
                ("connectionType", "connection_type"),
                ("containerPort", "container_port"),
            )
        )
        for info, names in _CONNECTION_INFO.items():
            if found := inside.get(info):
                canonical.update(_present(_mapping(found), *names))
    is_external = bool(entry.get("isExternal"))
    if outside and not inside:
        canonical.update(_present(outside, ("toolType", "tool_type"), _EXTERNAL_URL))
    elif outside:  # both: nothing that a manifest could state, so it has to differ
        canonical["external_tool"] = _present(outside, ("toolType", "tool_type"), _EXTERNAL_URL)
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


def _write_connections(connections: Mapping[str, Any]) -> list[dict[str, Any]]:
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


_PROBE_NAMES = (
    ("initialDelaySeconds", "initial_delay_seconds"),
    ("periodSeconds", "period_seconds"),
    ("timeoutSeconds", "timeout_seconds"),
    ("successThreshold", "success_threshold"),
    ("failureThreshold", "failure_threshold"),
)
_HTTP_NAMES = ("path", "port", "host", "scheme")
_HTTP_DEFAULTS = {"path": "/", "scheme": "HTTP"}


def _read_probes(value: Any) -> dict[str, Any] | None:
    probe = _mapping(_mapping(value).get("readiness") or {})
    readiness = {
        name: _read_number(probe[api_name])
        for api_name, name in _PROBE_NAMES
        if probe.get(api_name) is not None
    }
    request = _mapping(_mapping(probe.get("handler") or {}).get("httpGet") or {})
    http_get = {
        name: request[name]
        for name in _HTTP_NAMES
        if request.get(name) not in (None, "", _HTTP_DEFAULTS.get(name))
    }
    if http_get:
        readiness["handler"] = {"http_get": http_get}
    return {"readiness": readiness} if readiness else None


def _write_probes(probes: Mapping[str, Any]) -> dict[str, Any]:
    readiness = probes["readiness"]
    probe = {api_name: readiness[name] for api_name, name in _PROBE_NAMES if name in readiness}
    request = readiness.get("handler", {}).get("http_get", {})
    return {"readiness": {**probe, "handler": {"httpGet": dict(request) or {"path": "/"}}}}


def _read_resources(value: Any) -> dict[str, Any] | None:
    return _by_name([_read_resource(_mapping(entry)) for entry in _list(value)])


def _read_resource(entry: Mapping[str, Any]) -> tuple[str, Any]:
    quantity = _read_memory(entry.get("quantity") or "")
    if not entry.get("exclude"):
        return entry.get("resource") or "", quantity or "0"
    canonical = {"quantity": quantity, "exclude": True} if quantity else {"exclude": True}
    return entry.get("resource") or "", canonical


def _write_resources(resources: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"resource": name, **(item if isinstance(item, Mapping) else {"quantity": item})}
        for name, item in resources.items()
    ]


def _plain(name: str, api_name: str, read: Callable[[Any], Any] = _same) -> Field:
    return Field(name, api_name, read, _same)


ENVIRONMENT_FIELDS: Sequence[Field] = (
    _plain("image", "image", _read_text),
    _plain("image_pull_policy", "imagePullPolicy", _read_text),
    Field("environment_variables", "environmentVariables", _read_variables, _write_variables),
    Field("connections", "connections", _read_connections, _write_connections),
    _plain("command", "command", _read_text),
    _plain("args", "args", _read_text),
    _plain("working_dir", "workingDir", _read_text),
    _plain("uid_gid_source", "uidGidSource", _read_unless("fromTheImage")),
    _plain("run_as_uid", "runAsUid", _read_number),
    _plain("run_as_gid", "runAsGid", _read_number),
    _plain("supplemental_groups", "supplementalGroups", _read_text),
    _plain("override_uid_gid_in_workspace", "overrideUidGidInWorkspace", _read_true),
    _plain("allow_privilege_escalation", "allowPrivilegeEscalation"),
    _plain("capabilities", "capabilities", _read_set),
    _plain("create_home_dir", "createHomeDir"),
    _plain("host_ipc", "hostIpc", _read_true),
    _plain("host_network", "hostNetwork", _read_true),
    Field("probes", "probes", _read_probes, _write_probes),
    _plain("read_only_root_filesystem", "readOnlyRootFilesystem"),
    _plain("run_as_non_root", "runAsNonRoot"),
    _plain("seccomp_profile_type", "seccompProfileType", _read_text),
    _plain("stdin", "stdin"),
    _plain("tty", "tty"),
)

COMPUTE_FIELDS: Sequence[Field] = (
    _plain("cpu_core_request", "cpuCoreRequest", _read_number),
    _plain("cpu_core_limit", "cpuCoreLimit", _read_number),
    _plain("cpu_memory_request", "cpuMemoryRequest", _read_memory),
    _plain("cpu_memory_limit", "cpuMemoryLimit", _read_memory),
    _plain("gpu_devices_request", "gpuDevicesRequest", _read_count),
    _plain("gpu_request_type", "gpuRequestType", _read_text),
    _plain("gpu_portion_request", "gpuPortionRequest", _read_number),
    _plain("gpu_portion_limit", "gpuPortionLimit", _read_number),
    _plain("gpu_memory_request", "gpuMemoryRequest", _read_memory),
    _plain("gpu_memory_limit", "gpuMemoryLimit", _read_memory),
    _plain("large_shm_request", "largeShmRequest", _read_true),
    Field("extended_resources", "extendedResources", _read_resources, _write_resources),
)


class Shape(NamedTuple):
    """Which names of the API are known in an object.

    `inside` lists those that hold more: (name, shape, "") for an object, and for a list of
    objects (name, shape of each, the field that names each).
    """

    names: frozenset[str]
    inside: tuple[tuple[str, Any, str], ...] = ()


def _shape(*names: str, **objects: Shape) -> Shape:
    inside = tuple((name, shape, "") for name, shape in objects.items())
    return Shape(frozenset({*names, *objects}), inside)


_VARIABLE = _shape(
    "name",
    "value",
    "exclude",
    "description",
    credential=_shape("assetId", "key"),
    configMap=_shape("name", "key"),
    podFieldRef=_shape("path"),
)
_CONNECTION = _shape(
    "name",
    "isExternal",
    internalToolInfo=_shape(
        "toolType",
        "connectionType",
        "containerPort",
        nodePortInfo=_shape("isCustomPort"),
        externalUrlInfo=_shape("isCustomUrl", "externalUrl"),
        servingPortInfo=_shape("protocol"),
    ),
    externalToolInfo=_shape("toolType", "externalUrl"),
)
_PROBE = _shape(
    *(api_name for api_name, _ in _PROBE_NAMES), handler=_shape(httpGet=_shape(*_HTTP_NAMES))
)
_INSIDE: tuple[tuple[str, Shape, str], ...] = (
    ("environmentVariables", _VARIABLE, "name"),
    ("connections", _CONNECTION, "name"),
    ("probes", _shape(readiness=_PROBE), ""),
    ("extendedResources", _shape("resource", "quantity", "exclude"), "resource"),
)


def shape_of(fields: Sequence[Field]) -> Shape:
    """Every name of the API that these fields know, at any depth."""
    names = frozenset(field.api_name for field in fields)
    return Shape(names, tuple(item for item in _INSIDE if item[0] in names))
