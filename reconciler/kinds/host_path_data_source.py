"""RunaiHostPathDataSource: a directory of each node, mounted into workloads of Run:ai."""

from typing import Annotated, Literal

from pydantic import Field

from reconciler.core.resource import KindTraits
from reconciler.kinds.api_fields import TEXT
from reconciler.kinds.runai_asset import (
    ASSET_IDENTITY,
    ASSET_IMMUTABLE,
    DATA_SOURCES,
    AssetKind,
    AssetSpec,
    NeededText,
    TrueFlag,
)


class RunaiHostPathDataSourceSpec(AssetSpec):
    """A directory of the node that a workload runs on, and where the workload has it."""

    path: NeededText = Field(description="Directory of the node.", examples=["/var/datasets"])
    mount_path: NeededText = Field(
        description="Where workloads have it.", examples=["/mnt/datasets"]
    )
    read_only: TrueFlag = Field(default=None, description="Mount it read-only; true by default.")
    mount_propagation: Annotated[Literal["None", "HostToContainer"] | None, TEXT] = Field(
        default=None,
        description="HostToContainer shows what the node mounts below it later. Several host "
        "paths of a workload need the same value.",
    )


class RunaiHostPathDataSource(AssetKind):
    """Host path data sources of a Run:ai control plane. One in use cannot be deleted."""

    traits = KindTraits("RunaiHostPathDataSource", ASSET_IMMUTABLE, ASSET_IDENTITY, 5)
    model = RunaiHostPathDataSourceSpec
    words = "host path data sources"
    endpoint = f"{DATA_SOURCES.path}/host-path"
    listing = DATA_SOURCES
    api_kind = "hostPath"
