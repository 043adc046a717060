"""What people write for an environment -> an image, and the engine that has it."""

import difflib
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from reconciler.cli.place import Globals
from reconciler.config import Config, Target, find_config, resolve_target
from reconciler.core.resource import Resource
from reconciler.errors import ConfigError
from reconciler.kinds.image import IMAGE
from reconciler.rayfine.docker.engine import Engine
from reconciler.workflow.session import read_config
from reconciler.workflow.target_manifests import read_manifests


@dataclass(frozen=True, slots=True)
class Chosen:
    """An image, and the engine that has it; an empty `docker_host` is the ordinary one."""

    image: str
    docker_host: str = ""
    address: str = ""

    @property
    def place(self) -> dict[str, Any]:
        """Where it runs, as options of `load_env`."""
        if self.docker_host.startswith(("ssh://", "tcp://", "http://", "https://")):
            return {"mode": "remote", "host": self.docker_host}
        return {"docker_host": self.docker_host}

    def __str__(self) -> str:
        return f"{self.address} ({self.image})" if self.address else self.image


def choose_image(
    place: Globals, name: str, target: str | None, docker_host: str, *, here: bool = True
) -> Chosen:
    """`RayfineImage.ID` or `ID` of the manifests is its content tag; anything else an image.

    What has a `:` or a `/` is an image at once; the manifests are not read. Where it runs `here`,
    on this engine, it has to be there.
    """
    stated = name.startswith(f"{IMAGE.name}.")
    if not stated and (":" in name or "/" in name or not _has_config(place)):
        return Chosen(name, docker_host)
    config = read_config(place)
    chosen = resolve_target(config, target, os.environ)
    images = [item for item in read_manifests(config, chosen) if item.key.kind == IMAGE.name]
    found = next(
        (item for item in images if item.key.id == name.removeprefix(f"{IMAGE.name}.")), None
    )
    if found is None:
        if stated:
            raise _unknown(name, images, config)
        return Chosen(name, docker_host)
    host = docker_host or (chosen.docker.host or "" if chosen.docker else "")
    image = Chosen(_content_tag(found, config, chosen), host, found.key.address)
    if here:
        _require_built(image)
    return image


def variables(given: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The variables of `--setup NAME=VALUE` and `--setup-env NAME`. Raises `ConfigError`."""
    found = dict(_pair(item, "--setup") for item in given)
    return {**found, **{name: variable(name, "--setup-env") for name in names}}


def variable(name: str, option: str) -> str:
    """The value of a variable of this process. Raises `ConfigError` that names it."""
    if name not in os.environ:
        raise ConfigError(
            f"the variable {name} is not set",
            where=f"{option} {name}",
            fix=f"set it: export {name}=...",
        )
    return os.environ[name]


def _pair(item: str, option: str) -> tuple[str, str]:
    name, sign, value = item.partition("=")
    if not sign or not name:
        raise ConfigError(
            f"{item!r} has no name and value", where=option, fix=f"write it as {option} NAME=VALUE"
        )
    return name, value


def _has_config(place: Globals) -> bool:
    try:
        return (place.config or find_config(place.directory)).is_file()
    except ConfigError:
        return False


def _content_tag(resource: Resource, config: Config, target: Target) -> str:
    """The `:src-` tag of the content that is on the disk now."""
    from reconciler.providers.docker.desired import resolve_images  # noqa: PLC0415  (heavy)
    from reconciler.rayfine.image.build_input import Surroundings  # noqa: PLC0415
    from reconciler.rayfine.image.hashcache import user_cache  # noqa: PLC0415
    from reconciler.rayfine.image.lockfile import LOCK_FILE, read_lock  # noqa: PLC0415

    around = Surroundings(
        lock=read_lock(config.root / LOCK_FILE),
        default_base=(target.docker.base_image or "") if target.docker else "",
        cache_directory=user_cache(),
    )
    found = resolve_images([resource], config.root, around)
    return str(found[resource.key].resource.exports["image"])


def _require_built(image: Chosen) -> None:
    with closing(Engine(image.docker_host or None)) as engine:
        if engine.inspect(image.image) is None:
            raise ConfigError(
                f"the image of its present content is not on this engine: {image.image}",
                where=image.address,
                fix=f"build it: reconcile apply --only {image.address} --apply (or pull it, "
                "if it is pushed)",
            )


def _unknown(name: str, images: Sequence[Resource], config: Config) -> ConfigError:
    addresses = [item.key.address for item in images]
    close = difflib.get_close_matches(name, addresses, 3)
    fix = f"there are: {', '.join(sorted(addresses)[:20])}" if addresses else "write one"
    if close:
        fix = f"did you mean {' or '.join(close)}?"
    return ConfigError(f"there is no {name} in the manifests", where=config.path.name, fix=fix)
