"""What people write for an environment -> an image, and the engine that has it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import click

from reconciler.cli.calls import read_pairs
from reconciler.cli.place import Globals
from reconciler.config import Config, Target, find_config, resolve_target
from reconciler.core.resource import Resource
from reconciler.errors import ConfigError
from reconciler.kinds.image import IMAGE
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.load_options import MOST_CONCURRENCY
from reconciler.support.suggest import similar
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


ENVIRONMENT_OPTIONS = ("engine", "replicas", "memory", "max_concurrency")
"""Options that are those of `load_env`, and say how an environment runs."""


def environment_options(command: Any) -> Any:
    """Add the options of how and where an environment runs, and its variables."""
    options = (
        click.option(
            "--replicas",
            type=click.IntRange(1, 1000),
            metavar="N",
            help="Containers.  [default: 1]",
        ),
        click.option(
            "--setup",
            multiple=True,
            metavar="NAME=VALUE",
            help="A variable for env.py; others on this machine can see it while this runs. "
            "Repeatable.",
        ),
        click.option(
            "--setup-env",
            multiple=True,
            metavar="NAME",
            help="A variable for env.py with the value it has here: for secrets. Repeatable.",
        ),
        click.option(
            "--engine",
            type=click.Choice(["ray", "process"]),
            help="How env.py is run.  [default: ray]",
        ),
        click.option(
            "--max-concurrency",
            type=click.IntRange(1, MOST_CONCURRENCY),
            metavar="N",
            help="Calls side by side in each container.  [default: as in a Ray actor: synchronous "
            "methods one after the other, asynchronous ones side by side]",
        ),
        click.option("--memory", metavar="SIZE", help="Limit of each container, such as 2g."),
        click.option(
            "--docker-host",
            default="",
            metavar="ADDRESS",
            help="Another Docker engine: ssh://USER@HOST or tcp://HOST:PORT.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def load_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options for `load_env` that were given."""
    names = (*ENVIRONMENT_OPTIONS, "call_timeout")
    return {name: given[name] for name in names if given.get(name) is not None}


def choose_image(
    place: Globals, name: str, target: str | None, docker_host: str, *, here: bool = True
) -> Chosen:
    """The image that a name means: `RayfineImage.ID` or `ID` of the manifests, else an image.

    A name with `:` or `/` is an image; the manifests are not read. If it runs `here`, this engine
    must have the image.
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
    found = read_pairs(given, "--setup", "NAME=VALUE")
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
    return str(found[resource.key].resource.outputs["image"])


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
    listed = f"there are: {', '.join(sorted(addresses)[:20])}" if addresses else "write one"
    fix = similar(name, addresses, listed)
    return ConfigError(f"there is no {name} in the manifests", where=config.path.name, fix=fix)
