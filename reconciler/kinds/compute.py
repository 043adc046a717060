"""RunaiCompute: a compute asset of Run:ai. Authoring model -> canonical spec.

Fields are those of the API in snake_case. Canonical: whole numbers as int, memory in its shortest
notation, `extended_resources` a mapping from the resource to its quantity (or to a mapping with
`quantity` and `exclude`), zero GPU devices and `large_shm_request: false` left out.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
)

from reconciler.core.resource import KindTraits, Resource
from reconciler.kinds.api_fields import TEXT, TRUE, canonical_values, named_list, read_memory, shape
from reconciler.kinds.base import (
    Document,
    FieldError,
    Limits,
    LoadContext,
    Strict,
)
from reconciler.kinds.limited_fields import (
    AnyMemory,
    Cores,
    Gpus,
    Memory,
    Portion,
    check_quantity,
    cores_fault,
    gpus_fault,
    memory_fault,
)
from reconciler.kinds.named_lists import ByName
from reconciler.kinds.quantity import (
    MEMORY_FORMAT,
    canonical_memory,
    parse_bytes,
)
from reconciler.kinds.runai_asset import (
    ASSET_IDENTITY,
    ASSET_IMMUTABLE,
    AssetKind,
    AssetList,
    AssetSpec,
    Fault,
    asset_resource,
    check_description,
    expand_meta,
)

COMPUTE = KindTraits(
    "RunaiCompute", ASSET_IMMUTABLE, ASSET_IDENTITY, 10, part_of="RunaiEnvironment"
)

_CPU_FIELDS = ("cpu_core_request", "cpu_core_limit")
_MEMORY_FIELDS = ("cpu_memory_request", "cpu_memory_limit")


class Quantity(Strict):
    """How much of an extended resource."""

    quantity: Annotated[str | None, BeforeValidator(check_quantity)] = Field(
        default=None, description="Amount.", examples=["2"]
    )
    exclude: StrictBool = Field(
        default=False, description="Leave out a resource that a policy sets by default."
    )


def _to_quantity(value: Any) -> Any:
    return value if isinstance(value, dict) else {"quantity": value}


def _read_resource(entry: Mapping[str, Any]) -> tuple[str, Any]:
    quantity = read_memory(entry.get("quantity") or "")
    return entry.get("resource") or "", _canonical(quantity, bool(entry.get("exclude")))


def _write_resource(name: str, item: Any) -> dict[str, Any]:
    return {"resource": name, **(item if isinstance(item, Mapping) else {"quantity": item})}


def _canonical(quantity: str | None, exclude: bool) -> str | dict[str, Any]:
    if not exclude:
        return quantity or "0"
    return {"quantity": quantity, "exclude": True} if quantity else {"exclude": True}


ExtendedResources = Annotated[
    dict[
        Annotated[str, Field(min_length=1)],
        Annotated[
            Quantity, BeforeValidator(_to_quantity, json_schema_input_type=str | int | Quantity)
        ],
    ]
    | None,
    ByName("resource"),
    named_list(
        "resource", _read_resource, _write_resource, shape("resource", "quantity", "exclude")
    ),
    Field(
        description="Quantity by resource name.", examples=[{"hardware-vendor.example/foo": "2"}]
    ),
]


class ComputeFields(Strict):
    """The fields of a compute asset's own spec."""

    cpu_core_request: Cores | None = Field(
        default=None, description="CPU cores to reserve.", examples=[4, 0.5]
    )
    cpu_core_limit: Cores | None = Field(default=None, description="CPU cores to use at most.")
    cpu_memory_request: Memory | None = Field(
        default=None, description=f"Memory to reserve: {MEMORY_FORMAT}.", examples=["64Gi"]
    )
    cpu_memory_limit: Memory | None = Field(default=None, description="Memory to use at most.")
    gpu_devices_request: Gpus | None = Field(default=None, description="Whole GPU devices.")
    gpu_request_type: Annotated[Literal["portion", "memory"] | None, TEXT] = Field(
        default=None, description="Whether a part of a GPU is stated as portion or as memory."
    )
    gpu_portion_request: Portion | None = Field(
        default=None, description="Part of each GPU, 0 to 1.", examples=[0.5]
    )
    gpu_portion_limit: Portion | None = Field(
        default=None, description="Part of each GPU to use at most."
    )
    gpu_memory_request: AnyMemory | None = Field(
        default=None, description="Memory of each GPU.", examples=["20Gi"]
    )
    gpu_memory_limit: AnyMemory | None = Field(
        default=None, description="Memory of each GPU to use at most."
    )
    large_shm_request: Annotated[StrictBool | None, TRUE] = Field(
        default=None, description="Mount a large /dev/shm."
    )
    extended_resources: ExtendedResources = None


class RunaiComputeSpec(AssetSpec, ComputeFields):
    """A compute asset: what a workload that uses it asks for."""


class RunaiCompute(AssetKind):
    """Compute assets of a Run:ai control plane."""

    traits = COMPUTE
    model = RunaiComputeSpec
    words = "compute assets"
    endpoint = "/api/v1/asset/compute"
    api_kind = "compute"
    listing = AssetList(endpoint, "compute resources", (2, 24))

    def expand(self, document: Document, context: LoadContext) -> Sequence[Resource]:
        """One resource. Raises `FieldError` with everything that is wrong."""
        faults: list[Fault] = []
        spec = expand_meta(document, context, faults)
        spec.update(canonical_values(self.fields, document.spec))
        if resources := document.spec.extended_resources:
            spec["extended_resources"] = {
                name: _canonical(item.quantity and canonical_memory(item.quantity), item.exclude)
                for name, item in resources.items()
            }
        check_description(document, context, secrets=False, faults=faults)
        faults += limit_faults(spec, context.limits, ("spec",))
        faults += _consistency_faults(spec)
        if faults:
            raise FieldError(*faults)
        return (asset_resource(COMPUTE.name, document, spec),)


def limit_faults(spec: dict[str, Any], limits: Limits, at: tuple[str, ...]) -> list[Fault]:
    """What of a canonical compute spec exceeds the limits; requests and limits alike."""
    faults: list[Fault] = []
    for names, check in (
        (_CPU_FIELDS, cores_fault),
        (_MEMORY_FIELDS, memory_fault),
        (("gpu_devices_request",), gpus_fault),
    ):
        faults += [
            ((*at, name), *fault)
            for name in names
            if name in spec and (fault := check(spec[name], limits))
        ]
    return faults


def _consistency_faults(spec: dict[str, Any]) -> list[Fault]:
    """Rules between fields, from the descriptions in the API's specification."""
    faults: list[Fault] = []

    def add(name: str, what: str, fix: str) -> None:
        faults.append((("spec", name), what, fix))

    kind = spec.get("gpu_request_type")
    for wanted, field in (("portion", "gpu_portion_request"), ("memory", "gpu_memory_request")):
        if kind == wanted and field not in spec:
            add("gpu_request_type", f"gpu_request_type {wanted} needs {field}", f"add {field}")
        if kind != wanted and field in spec:
            fix = f"set gpu_request_type: {wanted}, or remove {field}"
            add(field, f"{field} needs gpu_request_type {wanted}", fix)
    if spec.get("gpu_devices_request", 0) > 1 and kind == "memory":
        fix = "ask for one device, or use gpu_request_type: portion"
        add("gpu_request_type", "several GPU devices cannot be asked for by memory", fix)
    for request, limit in zip(
        ("cpu_core_request", "gpu_portion_request", "cpu_memory_request", "gpu_memory_request"),
        ("cpu_core_limit", "gpu_portion_limit", "cpu_memory_limit", "gpu_memory_limit"),
        strict=True,
    ):
        if request in spec and limit in spec and _amount(spec[limit]) < _amount(spec[request]):
            add(limit, f"{limit} is below {request}", f"raise it to {spec[request]} or more")
    return faults


def _amount(value: str | float) -> Fraction:
    return (parse_bytes(value) or Fraction(0)) if isinstance(value, str) else Fraction(value)
