"""Every kind of manifest, in the order of dependency. A new kind is one line here.

Those of other packages are added by their entry points: `plugins.py`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from reconciler.core.resource import KindTraits, Resource
from reconciler.kinds.base import Kind
from reconciler.kinds.compute import RunaiCompute
from reconciler.kinds.environment import RunaiEnvironment
from reconciler.kinds.git_data_source import RunaiGitDataSource
from reconciler.kinds.host_path_data_source import RunaiHostPathDataSource
from reconciler.kinds.image import RayfineImage
from reconciler.kinds.nfs_data_source import RunaiNfsDataSource
from reconciler.kinds.plugins import load_plugins
from reconciler.kinds.runai_asset import AssetKind
from reconciler.kinds.s3_data_source import RunaiS3DataSource

_OURS: tuple[Kind, ...] = (
    RayfineImage(),
    RunaiNfsDataSource(),
    RunaiHostPathDataSource(),
    RunaiGitDataSource(),
    RunaiS3DataSource(),
    RunaiCompute(),
    RunaiEnvironment(),
)
_PLUGINS = load_plugins([kind.traits.name for kind in _OURS])
KINDS = tuple(sorted((*_OURS, *_PLUGINS), key=lambda kind: kind.traits.rank))
"""An earlier kind never refers to a later one."""
KIND_NAMED: dict[str, Kind] = {kind.traits.name: kind for kind in KINDS}
KIND_TRAITS: dict[str, KindTraits] = {name: kind.traits for name, kind in KIND_NAMED.items()}
ASSET_KINDS = tuple(kind for kind in KINDS if isinstance(kind, AssetKind))

if TYPE_CHECKING:
    KindName = str
    RunaiKindName = str
else:  # for models: what people write most comes first
    KindName = Literal[tuple(kind.traits.name for kind in reversed(KINDS))]
    RunaiKindName = Literal[tuple(kind.traits.name for kind in reversed(ASSET_KINDS))]


def made_of_files(resources: Iterable[Resource]) -> list[Resource]:
    """Those whose objects are made of files beside the manifests."""
    return [item for item in resources if KIND_NAMED[item.key.kind].files]
