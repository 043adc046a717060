"""`load_env(..., mode="remote", url=..., token=...)`: an environment that somebody serves."""

import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from reconciler.errors import RayfineError
from reconciler.rayfine.in_container.codec import CodecError, decode
from reconciler.rayfine.runtime.agent_client import AgentClient
from reconciler.rayfine.runtime.agent_connections import (
    CONNECT_SECONDS,
    ConnectionLostError,
    Endpoint,
)
from reconciler.rayfine.runtime.errors import EnvironmentEndedError, LoadError
from reconciler.rayfine.runtime.load_options import LoadOptions
from reconciler.rayfine.runtime.replica import Replica


class Served(Replica):
    """An environment behind a URL. It goes on when this end of it is cleaned up."""

    def __init__(self, name: str, url: str, endpoint: Endpoint) -> None:
        self.name = name
        self._url = url
        self.client = AgentClient(endpoint)

    def hide(self, variables: Mapping[str, str]) -> None:
        """Nothing is quoted: its server takes secrets out by itself."""

    def explain(self, error: Exception) -> RayfineError:
        return EnvironmentEndedError(
            f"the server of the environment was lost: {error}",
            where=self._url,
            fix="see whether `reconcile serve` still runs there, then load it again",
        )

    def remove(self) -> None:
        self.client.close()


def connect(options: LoadOptions, identity: str) -> Sequence[Replica]:
    """The served environment, once it answers, knows the token and serves what was asked for."""
    replica = Served(identity, options.url, endpoint_of(options))
    try:
        _check(replica, options)
    except BaseException:
        replica.remove()
        raise
    return [replica]


def endpoint_of(options: LoadOptions) -> Endpoint:
    """The parts of a URL. Raises `LoadError`."""
    try:
        parts = urlsplit(options.url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise LoadError(
            f"not a URL of a served environment: {options.url!r}",
            where="url",
            fix="write it as http://HOST:PORT or https://HOST:PORT",
        ) from error
    if not parts.hostname or parts.username or parts.query:
        raise LoadError(
            "a URL of a served environment has a host, and neither user nor query",
            where="url",
            fix="write it as http://HOST:PORT; the token is an argument of its own",
        )
    if not options.token or not options.token.isascii() or not options.token.isprintable():
        raise LoadError(
            "the token is missing, or is none",
            where=options.url,
            fix="give the token of `reconcile serve`: load_env(..., token=...)",
        )
    tls = _tls(options) if parts.scheme == "https" else None
    return Endpoint(parts.hostname, port, options.token, tls, parts.path.rstrip("/"))


def _tls(options: LoadOptions) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=options.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise LoadError(
            f"the certificates cannot be read: {error}",
            where=options.ca_file,
            fix="ca_file is a PEM file with the certificates to trust",
        ) from error


def _check(replica: Served, options: LoadOptions) -> None:
    if options.replicas != 1:
        raise LoadError(
            "the replicas of a served environment are its server's",
            where=options.url,
            fix="start it with `reconcile serve ENV --replicas N`, and leave replicas out here",
        )
    try:
        status, body = replica.client.exchange("GET", "/health", [], limit=CONNECT_SECONDS)
        health = decode(body) if status == 200 else {}
    except (ConnectionLostError, CodecError) as error:
        raise LoadError(
            f"no environment is served there: {error}",
            where=options.url,
            fix="start it: reconcile serve ENV, and check the address",
        ) from error
    if status == 401:
        raise LoadError(
            "the server refused the token",
            where=options.url,
            fix="give the token that `reconcile serve` was started with",
        )
    if status != 200 or not isinstance(health, dict):
        raise LoadError(
            f"no environment is served there: status {status}",
            where=options.url,
            fix="the address is that of another server",
        )
    names = health.get("names")
    if isinstance(names, list) and options.image not in [*names, ""]:
        raise LoadError(
            f"another environment is served there: {', '.join(map(str, names))[:200]}",
            where=options.image,
            fix=f"use that name, or another address than {options.url}",
        )
    if health.get("state") != "ready":
        raise LoadError(
            f"the environment there is not ready: {health.get('fault') or health.get('state')}",
            where=options.url,
            fix="start its server again",
        )
