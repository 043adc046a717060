"""Every kind of manifest, in the order of dependency. A new kind is one line here."""

from reconciler.kinds.base import Kind
from reconciler.kinds.compute import RunaiCompute
from reconciler.kinds.environment import RunaiEnvironment
from reconciler.kinds.image import RayfineImage

KINDS: tuple[Kind, ...] = (RayfineImage(), RunaiCompute(), RunaiEnvironment())
"""An earlier kind never refers to a later one."""
