"""RunaiConfigMapDataSource: a config map of the cluster, mounted into workloads of Run:ai."""

from collections.abc import Mapping

from pydantic import Field

from reconciler.core.resource import KindTraits
from reconciler.kinds.runai_asset import (
    ASSET_IDENTITY,
    ASSET_IMMUTABLE,
    DATA_SOURCES,
    AssetKind,
    AssetSpec,
    NeededText,
    Text,
)


class RunaiConfigMapDataSourceSpec(AssetSpec):
    """A config map, and where workloads have it."""

    config_map: NeededText = Field(description="Name of the config map.", examples=["settings"])
    mount_path: NeededText = Field(description="Where workloads have it.", examples=["/settings"])
    sub_path: Text = Field(default=None, description="The one key to mount, as a file.")
    default_mode: Text = Field(default=None, description="Mode of its files.", examples=["0644"])


class RunaiConfigMapDataSource(AssetKind):
    """Config map data sources of a Run:ai control plane."""

    traits = KindTraits("RunaiConfigMapDataSource", ASSET_IMMUTABLE, ASSET_IDENTITY, rank=5)
    model = RunaiConfigMapDataSourceSpec
    words = "config map data sources"
    endpoint = f"{DATA_SOURCES.path}/config-map"
    listing = DATA_SOURCES
    api_kind = "config-map"
    nested = "config_map"
    since: Mapping[str, tuple[int, int]] = {"sub_path": (2, 21), "default_mode": (2, 23)}
