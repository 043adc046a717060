"""RunaiEnvironment: an environment asset of Run:ai. Authoring model -> canonical specs.

The `env_spec` fields of the Run:ai environment guide are accepted as they are; everything else
that the API's environment asset has is there under its name in snake_case. `compute` becomes a
`RunaiCompute` resource of the same id, name and scope, `tools` become connections. In canonical
form an absent field equals its documented default: `image_pull_policy` is left out where it is
what the image's tag implies, `host_ipc: false` and its like are left out, lists without an order
are sorted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, StrictInt, ValidationError

from reconciler.core.resource import (
    KindTraits,
    Reference,
    Resource,
    ResourceKey,
    Spec,
    has_secrets,
)
from reconciler.core.secrecy import conceal_resource
from reconciler.kinds.api_fields import (
    NUMBER,
    SHORTHAND,
    TEXT,
    Codec,
    canonical_values,
    read_unless,
)
from reconciler.kinds.base import (
    ID_PATTERN,
    Document,
    FieldError,
    LoadContext,
    Strict,
    field_fault,
)
from reconciler.kinds.capabilities import Capabilities
from reconciler.kinds.compute import COMPUTE, limit_faults
from reconciler.kinds.connections import Connections, Tools, expand_connections, fold_tools
from reconciler.kinds.image import IMAGE, reference_form, split_reference
from reconciler.kinds.limited_fields import Cores, Gpus, Memory
from reconciler.kinds.probes import PROBES, Probes, canonical_probes
from reconciler.kinds.pull_policy import default_pull_policy
from reconciler.kinds.quantity import MEMORY_FORMAT, canonical_memory
from reconciler.kinds.runai_asset import (
    ASSET_IDENTITY,
    ASSET_IMMUTABLE,
    AssetKind,
    AssetList,
    AssetSpec,
    FalseFlag,
    Fault,
    Flag,
    Text,
    asset_resource,
    check_description,
    expand_meta,
)
from reconciler.kinds.variables import VARIABLES_SINCE, Variables, expand_variables

Whole = Annotated[StrictInt | None, NUMBER]
ENVIRONMENT = KindTraits("RunaiEnvironment", ASSET_IMMUTABLE, ASSET_IDENTITY, 20)


class ImageReference(Strict):
    """An image that a manifest of this repository builds."""

    from_: str = Field(
        alias="from",
        pattern=rf"^{IMAGE.name}\.{ID_PATTERN[1:]}",
        description="Address of the image; it is built first and pinned to its content.",
        examples=["RayfineImage.affine"],
    )


def _read_image(value: Any) -> str | Reference:
    if isinstance(value, Mapping):
        return _read_reference(value)
    if not isinstance(value, str):
        fix = "write it like nvcr.io/nvidia/pytorch:24.01-py3, or {from: RayfineImage.ID}"
        raise field_fault("an image is text, or a reference to a RayfineImage", fix)
    image = value.strip()
    if "{{" in image or "${" in image or "$(" in image:
        fix = "write it out; where targets differ, use an overlay for each"
        raise field_fault("there are no templates or variables in an image", fix)
    if image.split() != [image]:
        raise field_fault(
            f"{value!r} is no image name" if image else "the image is empty",
            "write it like nvcr.io/nvidia/pytorch:24.01-py3",
        )
    if split_reference(image) is None:
        raise field_fault(f"{image!r} is no image reference", reference_form(image))
    return image


def _read_reference(value: Mapping[str, Any]) -> Reference:
    address = value.get("from")
    fix = f"write {{from: {IMAGE.name}.ID}}"
    if set(value) != {"from"}:
        raise field_fault("a reference to an image has exactly one field, from", fix)
    if not isinstance(address, str):
        raise field_fault("the address of an image is text", fix, ("from",))
    kind, _, name = address.partition(".")
    if kind != IMAGE.name or not name:
        raise field_fault(f"{address!r} is not the address of a {IMAGE.name}", fix, ("from",))
    return Reference(ResourceKey(kind, name), "image")


class ComputeShorthand(Strict):
    """The compute asset beside an environment, in the Run:ai guide's words."""

    gpu: Gpus | None = Field(default=None, description="Whole GPUs.", examples=[1])
    cpu_cores: Cores | None = Field(default=None, description="CPU cores.", examples=[8])
    memory: Memory | None = Field(
        default=None, description=f"Memory: {MEMORY_FORMAT}.", examples=["64Gi"]
    )


class RunaiEnvironmentSpec(AssetSpec):
    """An environment asset: image, variables, tools and security of a workload's container."""

    image: Annotated[
        Any, TEXT, PlainValidator(_read_image, json_schema_input_type=str | ImageReference)
    ] = Field(
        description="Image name, or {from: RayfineImage.ID} for one of this repository.",
        examples=["nvcr.io/nvidia/pytorch:24.01-py3", {"from": "RayfineImage.affine"}],
    )
    image_pull_policy: Annotated[Literal["Always", "Never", "IfNotPresent"] | None, TEXT] = Field(
        default=None, description="Always for a latest tag, otherwise IfNotPresent, by default."
    )
    environment_variables: Variables = None
    compute: Annotated[ComputeShorthand | None, SHORTHAND] = Field(
        default=None, description="Makes a compute asset of the same name and scope beside it."
    )
    tools: Tools = None
    connections: Connections = None
    command: Text = Field(default=None, description="Entry point.", examples=["python"])
    args: Text = Field(
        default=None, description="Arguments of the command.", examples=["-x my-script.py"]
    )
    working_dir: Text = Field(
        default=None, description="Working directory.", examples=["/home/myfolder"]
    )
    uid_gid_source: Annotated[
        Literal["fromTheImage", "fromIdpToken", "custom"] | None, Codec(read_unless("fromTheImage"))
    ] = Field(default=None, description="Where user and group come from; the image by default.")
    run_as_uid: Whole = Field(
        default=None, description="User id, with uid_gid_source: custom.", examples=[500]
    )
    run_as_gid: Whole = Field(
        default=None, description="Group id, with uid_gid_source: custom.", examples=[30]
    )
    supplemental_groups: Text = Field(
        default=None, description="More group ids, separated by commas.", examples=["2,3,5,8"]
    )
    override_uid_gid_in_workspace: FalseFlag = Field(
        default=None, description="Let a workspace state its own uid and gid."
    )
    allow_privilege_escalation: Flag = Field(
        default=None, description="Let processes gain more privileges."
    )
    capabilities: Capabilities = None
    create_home_dir: Flag = Field(default=None, description="Make a home directory.")
    host_ipc: FalseFlag = Field(default=None, description="Use the host's IPC; false by default.")
    host_network: FalseFlag = Field(
        default=None, description="Use the host's network; false by default."
    )
    probes: Annotated[Probes | None, PROBES] = Field(
        default=None, description="Checks of the container's health."
    )
    read_only_root_filesystem: Flag = Field(
        default=None, description="Mount the root file system read-only."
    )
    run_as_non_root: Flag = Field(default=None, description="Refuse to run as root.")
    seccomp_profile_type: Annotated[
        Literal["RuntimeDefault", "Unconfined", "Localhost"] | None, TEXT
    ] = Field(default=None, description="Seccomp profile; Run:ai does not support Localhost yet.")
    stdin: Flag = Field(default=None, description="Keep standard input open.")
    tty: Flag = Field(default=None, description="Allocate a terminal; needs stdin.")


class RunaiEnvironment(AssetKind):
    """Environment assets of a Run:ai control plane."""

    traits = ENVIRONMENT
    model = RunaiEnvironmentSpec
    words = "environment assets"
    endpoint = "/api/v1/asset/environment"
    api_kind = "environment"
    listing = AssetList(endpoint, "environments", (2, 21))
    since = VARIABLES_SINCE
    credentials = ("environment_variables.*.credential.asset_id",)

    def expand(self, document: Document, context: LoadContext) -> Sequence[Resource]:
        """The environment, and the compute asset it states. Raises `FieldError`."""
        faults: list[Fault] = []
        meta = expand_meta(document, context, faults)
        spec = {**meta, **self._canonical(document.spec, context, faults)}
        check_description(
            document, context, has_secrets(spec.get("environment_variables", {})), faults
        )
        compute = _expand_compute(document.spec.compute, context, faults)
        if faults:
            raise FieldError(*faults)
        environment = conceal_resource(
            asset_resource(ENVIRONMENT.name, document, spec, _warnings(spec))
        )
        if compute is None:
            return (environment,)
        for name in ASSET_IDENTITY:
            if name in meta:
                compute[name] = meta[name]
        part = asset_resource(COMPUTE.name, document, compute)
        return (replace(part, part_of=environment.key), environment)

    def _canonical(
        self, stated: RunaiEnvironmentSpec, context: LoadContext, faults: list[Fault]
    ) -> dict[str, Any]:
        spec = {**canonical_values(self.fields, stated), "image": stated.image}
        if stated.image_pull_policy == default_pull_policy(stated.image):
            spec.pop("image_pull_policy", None)
        if variables := stated.environment_variables:
            spec["environment_variables"] = expand_variables(variables, context, faults)
        if stated.tools or stated.connections:
            spec["connections"] = expand_connections(stated.tools, stated.connections, faults)
        if stated.probes is not None and (probes := canonical_probes(stated.probes)):
            spec["probes"] = probes
        if stated.tty and not stated.stdin:
            faults.append((("spec", "tty"), "tty needs stdin", "add stdin: true"))
        return spec

    def state(self, spec: Spec) -> dict[str, Any]:
        """The same, with `tools` in place of the connections that they make."""
        stated = super().state(spec)
        tools, connections = fold_tools(stated.pop("connections", {}))
        if tools:
            stated["tools"] = tools
        if connections:
            stated["connections"] = connections
        return self.in_order(stated)

    def fold(self, stated: Mapping[str, Any], compute: Spec) -> dict[str, Any] | None:
        """The stated spec with `compute`, if that makes exactly this compute asset."""
        asked = {word: compute[name] for name, word in _SHORTHAND.items() if name in compute}
        own = {name: value for name, value in compute.items() if name not in ASSET_IDENTITY}
        try:
            shorthand = ComputeShorthand.model_validate(asked)
        except ValidationError:
            return None
        if not asked or _made_by(shorthand) != own:
            return None
        return self.in_order({**stated, "compute": asked})

    def implies(self, spec: Any) -> Mapping[str, Any]:
        """The compute asset beside it is what `compute`, `scope` and `scope_id` say."""
        if not isinstance(spec, Mapping) or not spec.get("compute"):
            return super().implies(spec)
        own = {name: value for name, value in spec.items() if name != "compute"}
        beside = [spec.get(name) for name in ("compute", "scope", "scope_id")]
        return {COMPUTE.name: beside, ENVIRONMENT.name: own}


_SHORTHAND = {
    "gpu_devices_request": "gpu",
    "cpu_core_request": "cpu_cores",
    "cpu_memory_request": "memory",
}
"""Fields of a compute asset, and the words of `compute` that ask for them."""


def _expand_compute(
    fields: ComputeShorthand | None, context: LoadContext, faults: list[Fault]
) -> dict[str, Any] | None:
    if fields is None:
        return None
    spec = _made_by(fields)
    if not spec:
        fix = "state gpu, cpu_cores or memory, or remove compute"
        faults.append((("spec", "compute"), "compute asks for nothing", fix))
    for path, what, fix in limit_faults(spec, context.limits, ()):
        faults.append((("spec", "compute", _SHORTHAND[str(path[0])]), what, fix))
    return spec


def _made_by(fields: ComputeShorthand) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if fields.gpu:
        spec["gpu_devices_request"] = fields.gpu
    if fields.gpu == 1:
        spec["gpu_request_type"] = "portion"
        spec["gpu_portion_request"] = 1
    if fields.cpu_cores is not None:
        spec["cpu_core_request"] = fields.cpu_cores
    if fields.memory is not None:
        spec["cpu_memory_request"] = canonical_memory(fields.memory)
    return spec


def _warnings(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """What the API accepts but, by its description, does not use."""
    if spec.get("uid_gid_source") == "custom":
        return ()
    return tuple(
        f"{name} is used only with uid_gid_source: custom"
        for name in ("run_as_uid", "run_as_gid", "supplemental_groups")
        if name in spec
    )
