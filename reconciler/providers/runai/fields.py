"""The fields of an asset's `spec`: one value of the API <-> one value of the canonical spec.

Each table row names a canonical field, its API field, and how to read (API -> canonical, None for
"as if absent") and write it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from reconciler.kinds.compute import COMPUTE
from reconciler.kinds.environment import ENVIRONMENT
from reconciler.providers.runai.nested import (
    read_connections,
    read_probes,
    read_resources,
    read_variables,
    write_connections,
    write_probes,
    write_resources,
    write_variables,
)
from reconciler.providers.runai.values import (
    read_count,
    read_memory,
    read_number,
    read_set,
    read_text,
    read_true,
    read_unless,
    same,
)


class Field(NamedTuple):
    """One row: canonical name, API name, and both conversions."""

    name: str
    api_name: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def _plain(name: str, api_name: str, read: Callable[[Any], Any] = same) -> Field:
    return Field(name, api_name, read, same)


ENVIRONMENT_FIELDS: Sequence[Field] = (
    _plain("image", "image", read_text),
    _plain("image_pull_policy", "imagePullPolicy", read_text),
    Field("environment_variables", "environmentVariables", read_variables, write_variables),
    Field("connections", "connections", read_connections, write_connections),
    _plain("command", "command", read_text),
    _plain("args", "args", read_text),
    _plain("working_dir", "workingDir", read_text),
    _plain("uid_gid_source", "uidGidSource", read_unless("fromTheImage")),
    _plain("run_as_uid", "runAsUid", read_number),
    _plain("run_as_gid", "runAsGid", read_number),
    _plain("supplemental_groups", "supplementalGroups", read_text),
    _plain("override_uid_gid_in_workspace", "overrideUidGidInWorkspace", read_true),
    _plain("allow_privilege_escalation", "allowPrivilegeEscalation"),
    _plain("capabilities", "capabilities", read_set),
    _plain("create_home_dir", "createHomeDir"),
    _plain("host_ipc", "hostIpc", read_true),
    _plain("host_network", "hostNetwork", read_true),
    Field("probes", "probes", read_probes, write_probes),
    _plain("read_only_root_filesystem", "readOnlyRootFilesystem"),
    _plain("run_as_non_root", "runAsNonRoot"),
    _plain("seccomp_profile_type", "seccompProfileType", read_text),
    _plain("stdin", "stdin"),
    _plain("tty", "tty"),
)

COMPUTE_FIELDS: Sequence[Field] = (
    _plain("cpu_core_request", "cpuCoreRequest", read_number),
    _plain("cpu_core_limit", "cpuCoreLimit", read_number),
    _plain("cpu_memory_request", "cpuMemoryRequest", read_memory),
    _plain("cpu_memory_limit", "cpuMemoryLimit", read_memory),
    _plain("gpu_devices_request", "gpuDevicesRequest", read_count),
    _plain("gpu_request_type", "gpuRequestType", read_text),
    _plain("gpu_portion_request", "gpuPortionRequest", read_number),
    _plain("gpu_portion_limit", "gpuPortionLimit", read_number),
    _plain("gpu_memory_request", "gpuMemoryRequest", read_memory),
    _plain("gpu_memory_limit", "gpuMemoryLimit", read_memory),
    _plain("large_shm_request", "largeShmRequest", read_true),
    Field("extended_resources", "extendedResources", read_resources, write_resources),
)

FIELDS: Mapping[str, Sequence[Field]] = {
    COMPUTE.name: COMPUTE_FIELDS,
    ENVIRONMENT.name: ENVIRONMENT_FIELDS,
}
