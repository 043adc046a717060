"""Amounts that a workload may ask for: field types for cores, memory and GPUs, and their limits.

Each limit is checked by the field's validator, where the loader hands its context to pydantic, and
by the kind on expansion, through the same `*_fault` function.
"""

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictFloat,
    StrictInt,
    ValidationInfo,
    WithJsonSchema,
)

from reconciler.kinds.api_fields import COUNT, MEMORY, NUMBER
from reconciler.kinds.base import Limits, field_fault
from reconciler.kinds.quantity import (
    LEAST_MEMORY,
    PATTERN,
    parse_bytes,
    suggest_memory,
    too_little_memory,
)
from reconciler.kinds.runai_asset import context_of
from reconciler.strict_yaml import WrittenFloat

_LIMIT_FIX = "ask for less, or raise {}"


def cores_fault(cores: float, limits: Limits) -> tuple[str, str] | None:
    """What is wrong with a number of CPU cores above the limit."""
    if cores <= limits.max_cpu_cores:
        return None
    what = f"CPU core count ({cores:g}) exceeds maximum allowed ({limits.max_cpu_cores:g})"
    return what, _LIMIT_FIX.format(limits.source("max_cpu_cores"))


def memory_fault(memory: str, limits: Limits) -> tuple[str, str] | None:
    """What is wrong with an amount of memory above the limit, which counts in 2^30 bytes."""
    amount = parse_bytes(memory)
    if amount is None or amount <= limits.max_memory_gb * 2**30:
        return None
    what = f"memory ({memory}) exceeds maximum allowed ({limits.max_memory_gb:g}Gi)"
    return what, _LIMIT_FIX.format(limits.source("max_memory_gb"))


def gpus_fault(gpus: int, limits: Limits) -> tuple[str, str] | None:
    """What is wrong with a number of GPUs above the limit."""
    if gpus <= limits.max_gpus:
        return None
    what = f"GPU count ({gpus}) exceeds maximum allowed ({limits.max_gpus})"
    return what, _LIMIT_FIX.format(limits.source("max_gpus"))


def _within_cores(cores: float, info: ValidationInfo) -> float:
    context = context_of(info)
    if context and (fault := cores_fault(cores, context.limits)):
        raise field_fault(*fault)
    return int(cores) if cores == int(cores) else cores


def _within_memory(memory: str, info: ValidationInfo) -> str:
    context = context_of(info)
    if context and (fault := memory_fault(memory, context.limits)):
        raise field_fault(*fault)
    return memory


def _within_gpus(gpus: int, info: ValidationInfo) -> int:
    context = context_of(info)
    if context and (fault := gpus_fault(gpus, context.limits)):
        raise field_fault(*fault)
    return gpus


def _as_text(value: Any) -> Any:
    """A number of a manifest as it is written; all else as it is."""
    if isinstance(value, WrittenFloat) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _check_memory(value: Any) -> Any:
    text = _as_text(value)
    if not isinstance(text, str):
        return value
    amount = parse_bytes(text)
    if amount is None:
        raise field_fault(f"{text!r} is no amount of memory", suggest_memory(text))
    if 0 < amount < LEAST_MEMORY:
        raise field_fault(*too_little_memory(text))
    return text


def _read_cores(value: Any) -> Any:
    """Kubernetes' thousandths (`500m`) as a number."""
    if not isinstance(value, str) or re.fullmatch(r"\s*[0-9.]+\s*", value):
        return value
    if re.fullmatch("[0-9]{1,9}m", value.strip()):
        return int(value.strip()[:-1]) / 1000
    fix = "write a number without quotes, such as 2 or 0.5, or thousandths, such as 500m"
    raise field_fault(f"{value!r} is no number of cores", fix)


def _check_gpus(value: Any) -> Any:
    if isinstance(value, float):
        if value == int(value):
            return int(value)
        part = (
            "for a part of one write a RunaiCompute with gpu_devices_request: 1, "
            f"gpu_request_type: portion and gpu_portion_request: {value:g}"
        )
        fix = part if 0 < value < 1 else "write a whole number"
        raise field_fault("GPUs are counted in whole devices", fix)
    return value


def check_quantity(value: Any) -> Any:
    text = _as_text(value)
    if isinstance(text, str) and parse_bytes(text) is None:
        raise field_fault(f"{text!r} is no quantity", "write a number such as 2 or 500m")
    return text


_FINITE = Field(ge=0, allow_inf_nan=False)
Cores = Annotated[
    StrictFloat,
    NUMBER,
    _FINITE,
    BeforeValidator(_read_cores),
    AfterValidator(_within_cores),
    WithJsonSchema({"type": ["number", "string"], "minimum": 0, "pattern": "^[0-9]{1,9}m$"}),
]
AnyMemory = Annotated[
    str,
    MEMORY,
    BeforeValidator(_check_memory, json_schema_input_type=Annotated[str, Field(pattern=PATTERN)]),
]
Memory = Annotated[AnyMemory, AfterValidator(_within_memory)]
Gpus = Annotated[
    StrictInt, COUNT, Field(ge=0), BeforeValidator(_check_gpus), AfterValidator(_within_gpus)
]
Portion = Annotated[StrictFloat, NUMBER, Field(ge=0, le=1, allow_inf_nan=False)]
