"""RunaiS3DataSource: a bucket of an S3 service, mapped into workloads of Run:ai."""

from pydantic import Field

from reconciler.core.resource import KindTraits
from reconciler.kinds.runai_asset import (
    ASSET_IDENTITY,
    ASSET_IMMUTABLE,
    DATA_SOURCES,
    AssetKind,
    AssetSpec,
    CredentialName,
    NeededText,
    Text,
)


class RunaiS3DataSourceSpec(AssetSpec):
    """A bucket, and where workloads have it."""

    bucket: NeededText = Field(description="Name of the bucket.", examples=["datasets"])
    path: NeededText = Field(description="Where workloads have it.", examples=["/mnt/datasets"])
    url: Text = Field(
        default=None,
        description="URL of the S3 service; that of Amazon by default.",
        examples=["https://s3.amazonaws.com"],
    )
    access_key_asset_id: CredentialName = Field(
        default=None,
        description="Name or id of the access key credential for a private bucket.",
        examples=["datasets-reader"],
    )


class RunaiS3DataSource(AssetKind):
    """S3 data sources of a Run:ai control plane."""

    traits = KindTraits("RunaiS3DataSource", ASSET_IMMUTABLE, ASSET_IDENTITY, 5)
    model = RunaiS3DataSourceSpec
    words = "S3 data sources"
    endpoint = f"{DATA_SOURCES.path}/s3"
    listing = DATA_SOURCES
    api_kind = "s3"
    credentials = ("access_key_asset_id",)
