"""The asset bodies of the Run:ai API as tables: field, type, bounds.

Taken from the published OpenAPI document; tests/sandbox/test_contract.py compares every table with
that document, so that none can drift from it. Rules on several fields at once are in validation.py.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from reconciler.sandbox.schema import INT64, Flag, Items, Number, Record, Shape, Text, Whole

SCOPES: Final = ("system", "tenant", "cluster", "department", "project")
# The contract's pattern with possessive quantifiers: the same language, in linear time.
_QUANTITY: Final = r"([+]?+[0-9.]++)([eEinumkKMGTP]*+[-+]?+[0-9]*+)"


def _record(required: tuple[str, ...] = (), *, nullable: bool = True, **fields: Shape) -> Record:
    return Record(MappingProxyType(fields), required, nullable=nullable)


def _words(*choices: str, nullable: bool = True, minimum: int = 0) -> Text:
    return Text(choices=choices, nullable=nullable, minimum=minimum)


_PROBE_HANDLER = _record(
    httpGet=_record(
        nullable=False,
        path=Text(pattern=r"(/[a-zA-Z0-9\-_./]*)?"),
        port=Whole(1, 65535),
        host=Text(format="hostname"),
        scheme=_words("HTTP", "HTTPS"),
    )
)
_PROBES = _record(
    readiness=_record(
        initialDelaySeconds=Whole(0),
        periodSeconds=Whole(1),
        timeoutSeconds=Whole(1),
        successThreshold=Whole(1),
        failureThreshold=Whole(1),
        handler=_PROBE_HANDLER,
    )
)

_INTERNAL_TOOL = _record(
    required=("toolType", "connectionType", "containerPort"),
    toolType=_words(
        "jupyter-notebook",
        "pycharm",
        "visual-studio-code",
        "tensorboard",
        "rstudio",
        "mlflow",
        "custom",
        "matlab",
        "chatbot-ui",
        nullable=False,
        minimum=1,
    ),
    connectionType=_words(
        "LoadBalancer", "NodePort", "ExternalUrl", "ServingPort", nullable=False, minimum=1
    ),
    containerPort=Whole(1, 65535, nullable=False),
    nodePortInfo=_record(isCustomPort=Flag(nullable=False)),
    externalUrlInfo=_record(isCustomUrl=Flag(nullable=False), externalUrl=Text(1)),
    servingPortInfo=_record(protocol=_words("grpc", "http")),
)
_EXTERNAL_TOOL = _record(
    required=("toolType", "externalUrl"),
    toolType=_words("wandb", "comet", nullable=False, minimum=1),
    externalUrl=Text(1, nullable=False),
)
_CONNECTION = _record(
    required=("name",),
    nullable=False,
    name=Text(1, nullable=False),
    isExternal=Flag(nullable=False),
    internalToolInfo=_INTERNAL_TOOL,
    externalToolInfo=_EXTERNAL_TOOL,
)

_VARIABLE = _record(
    name=Text(1),
    # An empty value is a value of its own, so that it never stands for "no value" in an answer.
    value=Text(emptied=False),
    credential=_record(assetId=Text(1, format="uuid"), key=Text(1)),
    configMap=_record(name=Text(1, pattern=r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"), key=Text(1)),
    podFieldRef=_record(path=Text(1)),
    exclude=Flag(),
    description=Text(),
)

_CAPABILITY = _words(
    "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE",
    "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE",
    "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE",
    "NET_BROADCAST", "NET_RAW", "SETGID", "SETFCAP", "SETPCAP", "SETUID", "SYS_ADMIN", "SYS_BOOT",
    "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE",
    "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM",
    nullable=False,
)  # fmt: skip

ENVIRONMENT_SPEC: Final = _record(
    args=Text(1),
    command=Text(1),
    environmentVariables=Items(_VARIABLE),
    runAsGid=Whole(*INT64),
    runAsUid=Whole(*INT64),
    supplementalGroups=Text(),
    allowPrivilegeEscalation=Flag(),
    capabilities=Items(_CAPABILITY),
    createHomeDir=Flag(),
    hostIpc=Flag(),
    hostNetwork=Flag(),
    image=Text(1),
    imagePullPolicy=_words("Always", "Never", "IfNotPresent", minimum=1),
    probes=_PROBES,
    readOnlyRootFilesystem=Flag(),
    runAsNonRoot=Flag(),
    seccompProfileType=_words("RuntimeDefault", "Unconfined", "Localhost"),
    stdin=Flag(),
    tty=Flag(),
    uidGidSource=_words("fromTheImage", "fromIdpToken", "custom"),
    workingDir=Text(1),
    connections=Items(_CONNECTION, nullable=False),
    overrideUidGidInWorkspace=Flag(nullable=False),
)

COMPUTE_SPEC: Final = _record(
    cpuCoreLimit=Number(),
    cpuCoreRequest=Number(),
    cpuMemoryLimit=Text(pattern=_QUANTITY),
    cpuMemoryRequest=Text(pattern=_QUANTITY),
    extendedResources=Items(
        _record(resource=Text(1), quantity=Text(1, pattern=_QUANTITY), exclude=Flag())
    ),
    gpuDevicesRequest=Whole(0),
    gpuMemoryLimit=Text(pattern=_QUANTITY),
    gpuMemoryRequest=Text(pattern=_QUANTITY),
    gpuPortionLimit=Number(),
    gpuPortionRequest=Number(),
    gpuRequestType=_words("portion", "memory", minimum=1),
    largeShmRequest=Flag(),
)

_UPDATABLE_META: Final[dict[str, Shape]] = {
    "name": Text(1, nullable=False),
    "description": Text(1, 250),
}
_CREATION_META: Final[dict[str, Shape]] = {
    "scope": _words(*SCOPES, nullable=False, minimum=1),
    "clusterId": Text(1, format="uuid"),
    "departmentId": Text(1),
    "projectId": Whole(),
    "autoDelete": Flag(),
    "workloadSupportedTypes": _record(
        inference=Flag(),
        workspace=Flag(),
        training=Flag(),
        distributed=Flag(),
        distFramework=_words("MPI", "PyTorch", "TF", "XGBoost"),
    ),
    "private": Flag(),
}
_READ_ONLY_META: Final[dict[str, Shape]] = {
    "id": Text(1, format="uuid", nullable=False),
    "kind": Text(1, nullable=False),
    "tenantId": Whole(),
    "createdBy": Text(1, nullable=False),
    "createdAt": Text(1, nullable=False),
    "updatedBy": Text(1, nullable=False),
    "updatedAt": Text(1, nullable=False),
    "deletedAt": Text(1, nullable=False),
    "deletedBy": Text(1, nullable=False),
    "projectName": Text(1),
    "updateCount": Whole(*INT64, nullable=False),
}
READ_ONLY_NAMES: Final = frozenset(_READ_ONLY_META)
CREATION_NAMES: Final = frozenset(_CREATION_META)

CREATION_META: Final = Record(
    MappingProxyType({**_UPDATABLE_META, **_CREATION_META}), ("name", "scope"), nullable=False
)
UPDATE_META: Final = Record(MappingProxyType(_UPDATABLE_META), ("name",), nullable=False)
ASSET_META: Final = Record(
    MappingProxyType({**_UPDATABLE_META, **_CREATION_META, **_READ_ONLY_META})
)
SPECS: Final = MappingProxyType({"environment": ENVIRONMENT_SPEC, "compute": COMPUTE_SPEC})
