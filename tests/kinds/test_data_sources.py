"""The data sources on the manifest side: their fields, credentials and secrets."""

from typing import Any

import pytest

from reconciler.core.resource import has_secrets
from reconciler.kinds.base import Kind
from reconciler.kinds.git_data_source import RunaiGitDataSource
from reconciler.kinds.host_path_data_source import RunaiHostPathDataSource
from reconciler.kinds.nfs_data_source import RunaiNfsDataSource
from reconciler.kinds.s3_data_source import RunaiS3DataSource
from tests.kinds.expanding import expand, faults

LEAST: list[tuple[Kind, dict[str, Any]]] = [
    (RunaiNfsDataSource(), {"server": "nfs", "path": "/e", "mount_path": "/m"}),
    (RunaiHostPathDataSource(), {"path": "/e", "mount_path": "/m"}),
    (RunaiGitDataSource(), {"repository": "https://git/x", "path": "/m"}),
    (RunaiS3DataSource(), {"bucket": "b", "path": "/m"}),
]
each = pytest.mark.parametrize(
    ("kind", "least"), LEAST, ids=[kind.traits.name for kind, _ in LEAST]
)


def canonical(kind: Kind, **spec: Any) -> dict[str, Any]:
    (resource,) = expand(kind, {"scope": "tenant", **spec})
    return dict(resource.spec)


@each
def test_each_states_itself(kind: Kind, least: dict[str, Any]) -> None:
    spaced = {name: f" {value} " for name, value in least.items()}
    spec = canonical(kind, **spaced, description=" Of all ", workload_types=["training"])
    assert spec == {
        "name": "train",
        "scope": "tenant",
        "description": "Of all",
        "workload_types": {"training": True},
        **least,
    }


@each
def test_what_is_missing_or_blank_is_named(kind: Kind, least: dict[str, Any]) -> None:
    for name in least:
        rest = {key: value for key, value in least.items() if key != name}
        assert f"spec.{name}" in str(faults(kind, {"scope": "tenant", **rest}))
        assert f"spec.{name}" in faults(kind, {"scope": "tenant", **rest, name: "  "})


@each
def test_what_concerns_all_assets_is_checked(kind: Kind, least: dict[str, Any]) -> None:
    found = faults(kind, {"scope": "project", **least, "name": "b", "description": "x" * 240})
    assert found.keys() == {"spec.name", "spec.scope", "spec.description"}
    assert faults(kind, {"scope": "tenant", **least, "mountPath": "/x"})


@pytest.mark.parametrize("kind", [RunaiNfsDataSource(), RunaiHostPathDataSource()])
def test_read_only_is_the_default(kind: Kind) -> None:
    least = next(spec for other, spec in LEAST if other.traits == kind.traits)
    assert canonical(kind, **least, read_only=True) == canonical(kind, **least)
    assert canonical(kind, **least, read_only=False)["read_only"] is False


def test_git_takes_one_credential() -> None:
    spec = {"scope": "tenant", "repository": "r", "path": "/m", "password_asset_id": "a"}
    assert canonical(RunaiGitDataSource(), **spec)["password_asset_id"] == "a"
    found = faults(RunaiGitDataSource(), {**spec, "credential_id": "b"})
    assert "one credential" in found["spec.credential_id"]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (RunaiGitDataSource(), {"repository": "https://me:s3cr3t@git/x", "path": "/m"}),
        (RunaiS3DataSource(), {"bucket": "b", "path": "/m", "url": "https://me:s3cr3t@s3"}),
    ],
)
def test_a_password_in_a_url_is_hidden_and_warned_of(kind: Kind, spec: dict[str, Any]) -> None:
    (resource,) = expand(kind, {"scope": "tenant", **spec})
    assert has_secrets(resource.spec)
    assert "s3cr3t" not in repr(resource)
    assert "looks like a secret" in resource.warnings[0]
