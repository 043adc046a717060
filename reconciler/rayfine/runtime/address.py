"""The address of another machine's engine -> where its containers' ports are bound and reached."""

import ipaddress
from contextlib import suppress
from urllib.parse import urlsplit

from reconciler.rayfine.runtime.errors import LoadError


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
