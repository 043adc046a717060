"""Where an engine is: what was given, DOCKER_HOST, or the Docker context -> the SDK's arguments."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.errors import ConfigError, UnreachableError
from reconciler.rayfine.docker.ssh import TUNNELS, Tunnel
from reconciler.support.hosts import has_login

_FIELDS = ("ca_cert", "client_cert", "verify")


@dataclass(frozen=True, slots=True)
class DockerTls:
    """Paths of PEM files. Without `ca_cert` the system's authorities count."""

    ca_cert: str = ""
    client_cert: tuple[str, str] | None = None
    verify: bool = True

    def for_sdk(self) -> Any:
        from docker.tls import TLSConfig  # noqa: PLC0415  (heavy SDK)

        return TLSConfig(
            client_cert=self.client_cert, ca_cert=self.ca_cert or None, verify=self.verify
        )


def read_tls(given: Any) -> DockerTls | None:
    """What the SDK takes as `tls`: its `TLSConfig`, the arguments of one, True, or nothing."""
    if not given:
        return None
    if given is True:
        return DockerTls()
    stated: dict[str, Any]
    if not isinstance(given, Mapping):
        stated = {
            "client_cert": getattr(given, "cert", None),
            "ca_cert": getattr(given, "ca_cert", None),
            "verify": getattr(given, "verify", True),
        }
    else:
        stated = dict(given)
    unknown = sorted(set(stated) - set(_FIELDS))
    pair = stated.get("client_cert") or None
    if unknown or (pair is not None and len(pair) != 2):
        raise ConfigError(
            f"not the TLS settings of an engine: {', '.join(unknown) or 'client_cert'}",
            where="tls",
            fix="give {'ca_cert': FILE, 'client_cert': (CERT_FILE, KEY_FILE), 'verify': True}",
        )
    return DockerTls(
        ca_cert=_absolute(stated["ca_cert"]) if stated.get("ca_cert") else "",
        client_cert=None if pair is None else (_absolute(pair[0]), _absolute(pair[1])),
        verify=stated.get("verify") is not False,
    )


def _absolute(path: str) -> str:
    return str(Path(path).absolute())


SYSTEM = "Docker engine"


def connection(host: str | None, tls: DockerTls | None) -> tuple[dict[str, Any], Tunnel | None]:
    """Address and TLS as the SDK takes them, and the ssh connection that the address is behind.

    Knocks at a Unix socket. Raises `OSError`, `UnreachableError` or `AccessError`.
    """
    from docker.constants import DEFAULT_UNIX_SOCKET  # noqa: PLC0415
    from docker.utils import kwargs_from_env  # noqa: PLC0415

    settings: dict[str, Any] = {}
    if not host and not os.environ.get("DOCKER_HOST"):
        settings = _from_context()
    settings = settings or {**kwargs_from_env()}
    if host:
        settings["base_url"] = host
    if tls is not None:
        settings["tls"] = tls.for_sdk()
    address = str(settings.get("base_url") or DEFAULT_UNIX_SOCKET)
    if has_login(address):
        raise UnreachableError(
            "a user or password in the address of an engine is not accepted",
            where=shown_address(address),
            fix="use a socket, ssh://USER@HOST, or tcp:// with TLS certificates",
        )
    if not address.startswith("ssh://"):
        _knock(address)
        return settings, None
    tunnel = TUNNELS.get(address)
    return {"base_url": tunnel.engine}, tunnel


def shown_address(address: str) -> str:
    """The address for people, without a login that is not accepted in it."""
    if not has_login(address):
        return address
    scheme, _, rest = address.partition("://")
    server, slash, path = rest.partition("/")
    return f"{scheme}://***@{server.rpartition('@')[2]}{slash}{path}"


def _from_context() -> dict[str, Any]:
    """Address and TLS of the Docker context in use; empty for the one called `default`."""
    from docker.context import ContextAPI  # noqa: PLC0415
    from docker.context.config import get_current_context_name  # noqa: PLC0415

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    context: Any = ContextAPI.get_context(name) if name != "default" else None
    if context is None:
        if name != "default":
            raise UnreachableError(
                f"there is no Docker context {name!r}",
                where=SYSTEM,
                fix="see `docker context ls`, or set `docker.host` of the target",
            )
        return {}
    found = {"base_url": context.Host}
    return {**found, "tls": context.TLSConfig} if context.TLSConfig else found


def _knock(address: str) -> None:
    """Connect to a Unix socket once; the SDK leaves one open if that fails. Raises `OSError`."""
    if address.startswith(("unix://", "http+unix://")):
        with socket.socket(socket.AF_UNIX) as knock:
            knock.connect("/" + address.partition("://")[2].lstrip("/"))
