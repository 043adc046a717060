"""RunaiNfsDataSource: what an NFS server exports, mounted into workloads of Run:ai."""

from pydantic import Field

from reconciler.core.resource import KindTraits
from reconciler.kinds.runai_asset import (
    ASSET_IDENTITY,
    ASSET_IMMUTABLE,
    DATA_SOURCES,
    AssetKind,
    AssetSpec,
    NeededText,
    TrueFlag,
)


class RunaiNfsDataSourceSpec(AssetSpec):
    """An export of an NFS server, and where workloads have it."""

    server: NeededText = Field(
        description="Host name or IP address of the NFS server.", examples=["nfs.example.com"]
    )
    path: NeededText = Field(
        description="Path that the server exports.", examples=["/exports/datasets"]
    )
    mount_path: NeededText = Field(
        description="Where workloads have it.", examples=["/mnt/datasets"]
    )
    read_only: TrueFlag = Field(default=None, description="Mount it read-only; true by default.")


class RunaiNfsDataSource(AssetKind):
    """NFS data sources of a Run:ai control plane."""

    traits = KindTraits("RunaiNfsDataSource", ASSET_IMMUTABLE, ASSET_IDENTITY, 5)
    model = RunaiNfsDataSourceSpec
    words = "NFS data sources"
    endpoint = f"{DATA_SOURCES.path}/nfs"
    listing = DATA_SOURCES
    api_kind = "nfs"
