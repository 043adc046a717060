"""RunaiGitDataSource: a Git repository, cloned into workloads of Run:ai."""

from collections.abc import Mapping

from pydantic import Field, model_validator

from reconciler.core.resource import KindTraits
from reconciler.kinds.base import field_fault
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


class RunaiGitDataSourceSpec(AssetSpec):
    """A Git repository, and where workloads have it."""

    repository: NeededText = Field(
        description="URL of the repository.", examples=["https://github.com/example/models"]
    )
    path: NeededText = Field(description="Where workloads have it.", examples=["/workspace/models"])
    branch: Text = Field(default=None, description="Branch to check out.", examples=["main"])
    revision: Text = Field(
        default=None, description="Commit or tag to check out.", examples=["v1.2"]
    )
    password_asset_id: CredentialName = Field(
        default=None,
        description="Name or id of the password credential for a private repository.",
        examples=["github"],
    )
    credential_id: CredentialName = Field(
        default=None,
        description="The same of a credential of any type that Git takes. Needs Run:ai 2.23.",
        examples=["github"],
    )

    @model_validator(mode="after")
    def _check_one_credential(self) -> "RunaiGitDataSourceSpec":
        if self.password_asset_id and self.credential_id:
            fix = "keep credential_id, or password_asset_id for a server older than 2.23"
            raise field_fault("a repository has one credential", fix, ("credential_id",))
        return self


class RunaiGitDataSource(AssetKind):
    """Git data sources of a Run:ai control plane."""

    traits = KindTraits("RunaiGitDataSource", ASSET_IMMUTABLE, ASSET_IDENTITY, 5)
    model = RunaiGitDataSourceSpec
    words = "Git data sources"
    endpoint = f"{DATA_SOURCES.path}/git"
    listing = DATA_SOURCES
    api_kind = "git"
    since: Mapping[str, tuple[int, int]] = {"credential_id": (2, 23)}
    credentials = ("password_asset_id", "credential_id")
