"""The POSIX capabilities that an environment asset may add, as the API's description lists them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from reconciler.kinds.api_fields import TEXTS
from reconciler.kinds.base import field_fault
from reconciler.support.suggest import did_you_mean

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


def _check_capability(name: str) -> str:
    if name not in CAPABILITIES:
        word = name.upper().removeprefix("CAP_")
        known = did_you_mean(word, CAPABILITIES, "it may be")
        raise field_fault(
            f"there is no capability {name!r}", f"write {word}" if word in CAPABILITIES else known
        )
    return name


Capabilities = Annotated[
    list[
        Annotated[
            str,
            Field(json_schema_extra={"enum": list(CAPABILITIES)}),
            AfterValidator(_check_capability),
        ]
    ]
    | None,
    TEXTS,
    Field(description="POSIX capabilities to add.", examples=[["NET_ADMIN"]]),
]
