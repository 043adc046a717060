"""Every kind of manifest, in the order of dependency. A new kind is one line here."""

from reconciler.kinds.base import Kind
from reconciler.kinds.image import RayfineImage

KINDS: tuple[Kind, ...] = (RayfineImage(),)
"""An earlier kind never refers to a later one."""
