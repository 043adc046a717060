"""Docker engines and image registries. No SDK is imported before the first call of a provider."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from reconciler.config import Target
from reconciler.git.head import Provenance
from reconciler.providers.base import Provider
from reconciler.providers.docker.image import ImageProvider, ImageSettings
from reconciler.providers.docker.registry import Registries
from reconciler.providers.docker.registry_http import Connection
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.image.build_input import Surroundings
from reconciler.rayfine.image.hashcache import user_cache
from reconciler.rayfine.image.lockfile import LOCK_FILE, read_lock


def surroundings(target: Target, root: Path) -> Surroundings:
    """What the content of a target's images depends on beside the manifests."""
    return around(root, (target.docker.base_image or "") if target.docker else "")


def around(root: Path, default_base: str) -> Surroundings:
    """The same, for a base that is known. Raises `ConfigError` for a malformed lock file."""
    return Surroundings(read_lock(root / LOCK_FILE), default_base, user_cache())


@contextmanager
def open_docker(
    target: Target, root: Path, parallelism: int, origin: Callable[[], Provenance]
) -> Iterator[Sequence[Provider]]:
    """The providers of a target's Docker engine; their connections end with the block."""
    assert target.docker is not None
    around = surroundings(target, root)
    settings = ImageSettings(root, target.stack, around, origin, parallelism)
    connection = Connection(target.ca_bundle, target.proxies, target.timeout)
    with (
        closing(Engine(target.docker.host, target.timeout)) as engine,
        closing(Registries(connection)) as registries,
    ):
        yield (ImageProvider(settings, engine, registries),)
