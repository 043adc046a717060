"""`mode="local"`: replicas as containers of a Docker engine."""

import difflib
import ipaddress
import re
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from reconciler.errors import BuildError
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.image.reference import parse_reference
from reconciler.rayfine.runtime.container import Container, Launch, start_container
from reconciler.rayfine.runtime.errors import LoadError
from reconciler.rayfine.runtime.load_options import LoadOptions
from reconciler.rayfine.runtime.replica import start_together


def reach(host: str) -> str:
    """The name under which the ports of an engine's machine are reached. Raises `LoadError`."""
    parts = urlsplit(host)
    if parts.scheme == "ssh" and parts.hostname:
        return "127.0.0.1"  # there: the ssh connection leads to it
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
        raise LoadError(
            f"not the address of another machine's engine: {host!r}",
            where="host",
            fix="write it as ssh://USER@HOST, or tcp://HOST:2376 with tls= for an engine with TLS",
        )
    return parts.hostname


def publish(host: str) -> str:
    """Where ports are bound there: the address that we use, or for a name all of them."""
    name = reach(host)
    if name == "localhost":
        return "127.0.0.1"
    with suppress(ValueError):
        return str(ipaddress.ip_address(name))
    return "0.0.0.0"  # noqa: S104 (the names of another machine are not ours to look up)


def start_local(docker: Engine, options: LoadOptions, identity: str) -> Sequence[Container]:
    """Start every replica and wait until all are ready. Raises, and then leaves none behind."""
    image = find_image(docker, options.image)
    names = replica_names(identity, options.replicas)
    launches = [launch_of(docker, options, image, name) for name in names]
    if len(launches) == 1:
        return [start_ready(docker, launches[0])]
    return start_together([partial(start_ready, docker, launch) for launch in launches])


def replica_names(identity: str, count: int) -> list[str]:
    return [f"{identity}-{n}" for n in range(1, count + 1)] if count > 1 else [identity]


def start_ready(docker: Engine, launch: Launch) -> Container:
    container = start_container(docker, launch)
    try:
        container.wait_ready()
    except BaseException:
        container.remove()
        raise
    return container


def launch_of(docker: Engine, options: LoadOptions, image: dict[str, Any], name: str) -> Launch:
    return Launch(name, image, options, **_place(docker, options))


def _place(docker: Engine, options: LoadOptions) -> dict[str, str]:
    """Where ports are bound and reached: on loopback, but for an engine that is asked over TCP.

    Raises `LoadError` for Ray Client there: it asks nobody for a token.
    """
    address = docker.address()
    if options.transport == "ray-client" and (docker.tunnel() or not _is_here(address)):
        raise LoadError(
            "Ray Client reaches containers of this machine only: whoever reaches its port may run "
            "code there",
            where=docker.name,
            fix="leave transport out: the agent serves other machines as well",
        )
    return {"publish": publish(address), "reach": reach(address)} if address else {}


def _is_here(address: str) -> bool:
    return not address or ipaddress.ip_address(publish(address)).is_loopback


def new_identity(image: str) -> str:
    """A container name for an image: readable, and unique without asking anyone."""
    try:
        reference = parse_reference(image)
        text = f"{reference.path.rpartition('/')[2]}-{reference.tag or reference.digest[7:19]}"
    except BuildError:
        text = image
    readable = re.sub(r"[^a-zA-Z0-9_.-]+", "-", text).strip("-._")[:60]
    return f"rayfine-{readable or 'env'}-{uuid.uuid4().hex[:10]}"


def find_image(docker: Engine, name: str) -> dict[str, Any]:
    """The image. Raises `LoadError` that names images with a similar name."""
    found = docker.inspect(name)
    if found is not None:
        return found
    tags = [
        tag
        for image in docker.list_images({"dangling": ["false"]})
        for tag in image.tags
        if ":src-" not in tag
    ]
    wanted = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    close = difflib.get_close_matches(wanted, tags, 3, 0.6)
    fix = "build it first: build_image_from_env(env_path, image_tag)"
    if close:
        fix = f"did you mean {' or '.join(close)}? Or {fix}"
    raise LoadError("there is no such image on the engine", where=name, fix=fix)
