"""The suite for kinds of assets, on a config map."""

from runai_config_maps import RunaiConfigMapDataSource

from reconciler.testing import AssetKindSuite


class TestConfigMaps(AssetKindSuite):
    kind = RunaiConfigMapDataSource()
    first = {"config_map": "settings", "mount_path": "/settings"}
    second = {"config_map": "others", "mount_path": "/o", "sub_path": "a", "default_mode": "0600"}
