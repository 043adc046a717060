"""The suite for kinds of other packages holds of ours; its table has to name them all."""

from typing import Any

import pytest

from reconciler.kinds.registry import ASSET_KINDS, KIND_NAMED
from reconciler.testing import AssetKindSuite

pytestmark = pytest.mark.slow

SEED = """
clusters: [{name: main, departments: [{name: default, projects: [team-a]}]}]
credentials:
  - {name: hub, type: password}
  - {name: key, type: access-key}
"""
SPECS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "RunaiNfsDataSource": (
        {"server": "nfs", "path": "/e", "mount_path": "/m", "read_only": True},
        {"server": "nfs2", "path": "/f", "mount_path": "/n", "read_only": False},
    ),
    "RunaiHostPathDataSource": (
        {"path": "/e", "mount_path": "/m", "mount_propagation": "None"},
        {"path": "/f", "mount_path": "/n", "read_only": False},
    ),
    "RunaiGitDataSource": (
        {"repository": "r", "path": "/m", "branch": "b", "password_asset_id": "hub"},
        {"repository": "s", "path": "/n", "revision": "v1", "credential_id": "hub"},
    ),
    "RunaiS3DataSource": (
        {"bucket": "a", "path": "/m", "access_key_asset_id": "key"},
        {"bucket": "b", "path": "/n", "url": "https://s3"},
    ),
}
UNTRIED = {"RunaiCompute", "RunaiEnvironment"}
"""The laws beside this file try these at greater length."""


def test_the_table_names_every_kind() -> None:
    assert SPECS.keys() | UNTRIED == {kind.traits.name for kind in ASSET_KINDS}


def _suite(name: str) -> type[AssetKindSuite]:
    first, second = SPECS[name]
    stated = {"kind": KIND_NAMED[name], "first": first, "second": second, "seed": SEED}
    return type(f"Test{name}", (AssetKindSuite,), stated)


globals().update({f"Test{name}": _suite(name) for name in SPECS})
