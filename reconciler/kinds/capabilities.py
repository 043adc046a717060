"""The POSIX capabilities that an environment asset may add, as the API's description lists them."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from reconciler.kinds.base import field_fault
from reconciler.kinds.suggestion import closest

CAPABILITIES = (
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETGID",
    "SETFCAP",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
)


def _check_capabilities(value: Any) -> Any:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, str) and item not in CAPABILITIES:
                word = item.upper().removeprefix("CAP_")
                fix = f"write {word}" if word in CAPABILITIES else closest(word, CAPABILITIES)
                raise field_fault(f"there is no capability {item!r}", fix, (index,))
    return value


Capabilities = Annotated[
    list[str] | None,
    BeforeValidator(
        _check_capabilities,
        json_schema_input_type=list[
            Annotated[str, Field(json_schema_extra={"enum": list(CAPABILITIES)})]
        ],
    ),
    Field(description="POSIX capabilities to add.", examples=[["NET_ADMIN"]]),
]
