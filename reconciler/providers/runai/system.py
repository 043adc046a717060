"""One control plane for the time of one command: the login, the sandbox if it is one, providers."""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from reconciler.config import RunaiTarget, Target
from reconciler.core.resource import Resource
from reconciler.errors import ConfigError, ReconcileError, SandboxError, SeedError, UnreachableError
from reconciler.git.head import Provenance
from reconciler.kinds.registry import ASSET_KINDS
from reconciler.kinds.runai_asset import AssetKind, AssetList
from reconciler.providers.base import Provider
from reconciler.providers.runai.asset_api import AssetApi
from reconciler.providers.runai.assets import AssetProvider
from reconciler.providers.runai.backoff import Patience
from reconciler.providers.runai.confirm import Rules
from reconciler.providers.runai.connection import Connection, Credentials
from reconciler.providers.runai.lister import Lister
from reconciler.providers.runai.mapping import AssetMapping
from reconciler.providers.runai.organisation import UnitLists
from reconciler.providers.runai.reading import AssetReader
from reconciler.providers.runai.rights import Right, rights
from reconciler.providers.runai.scopes import ScopeDirectory
from reconciler.providers.runai.server import Server
from reconciler.providers.runai.writing import AssetWriter

log = logging.getLogger(__name__)

_REMEMBER_FAILURE = 5.0
"""Seconds for which a failed login is not tried again, so that its readers fail together."""


class RunaiSystem:
    """The providers of one control plane; iterating gives them in order of rank."""

    def __init__(
        self, target: Target, login: "Login", origin: Callable[[], Provenance] = Provenance
    ) -> None:
        self._origin = origin
        self._login = login
        self.reached = False
        self._units = UnitLists(login)
        self._server = Server(login, self._units)
        self._defaults = target.runai.server_defaults if target.runai else {}
        directory = ScopeDirectory(self._units, self._server)
        self._listers = {
            kinds[0].listing: Lister(
                AssetApi(kinds[0], login),
                [kind.traits.name for kind in kinds],
                self._units,
                self._server,
            )
            for kinds in _kinds_by_list()
        }
        self.providers: tuple[Provider, ...] = tuple(
            self._provider(kind, login, directory, target) for kind in ASSET_KINDS
        )

    def _provider(
        self, kind: AssetKind, login: "Login", directory: ScopeDirectory, target: Target
    ) -> Provider:
        name, api = kind.traits.name, AssetApi(kind, login)
        key = target.runai.mark_key if target.runai else None
        mapping = AssetMapping(
            name,
            kind.fields,
            self._defaults.get(name, {}),
            self._origin,
            key.get_secret_value().encode() if key else b"",
            directory.names,
            kind.credentials,
        )
        reader = AssetReader(api, mapping, self._listers[kind.listing])
        rules = Rules(target.stack, kind, Patience(target.timeout, stop=login.stop), self._origin)
        writer = AssetWriter(api, mapping, reader, rules)
        return AssetProvider(reader, writer, mapping, directory, rules)

    def __iter__(self) -> Iterator[Provider]:
        return iter(self.providers)

    @property
    def units(self) -> UnitLists:
        """Clusters, departments, projects and credentials, each read when it is asked for."""
        return self._units

    def check(self) -> tuple[str, ...]:
        """Log in; lines about how, and which version is there, for `reconcile doctor`.

        Raises `ProviderError` if the control plane cannot be reached or refuses us.
        """
        way = self._login().way
        how = "the token of the target" if way is None else f"logged in by {way}"
        words = (how, self._server.describe())
        self.reached = True
        return words

    def rights(self, resources: Sequence[Resource]) -> Iterator[Right]:
        """The rights that a plan of these manifests needs, to be tried after `check`."""
        return rights(self._units, self.providers, resources)


def _kinds_by_list() -> Collection[Sequence[AssetKind]]:
    """The kinds that are in each list."""
    found: dict[AssetList, list[AssetKind]] = {}
    for kind in ASSET_KINDS:
        found.setdefault(kind.listing, []).append(kind)
    return found.values()


class Login:
    """Makes the client on first use, for all threads; the SDK is imported there, too.

    Once `stop` is set nobody waits for it any more.
    """

    def __init__(self, connect: Callable[[], Any], stop: threading.Event | None = None) -> None:
        self._connect = connect
        self.stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._client: Any = None
        self._failure: ReconcileError | None = None
        self._failed_at = 0.0

    def __call__(self) -> Any:
        """The logged-in client. Raises `ProviderError`, or what is wrong with the target itself."""
        with self._lock:
            if self._client is None:
                recent = time.monotonic() - self._failed_at < _REMEMBER_FAILURE
                if self._failure is not None and recent:
                    raise self._failure
                try:
                    self._client = self._connect()
                except ReconcileError as error:
                    self._failure, self._failed_at = error, time.monotonic()
                    raise
            return self._client

    def close(self) -> None:
        """End the client's connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None


@contextmanager
def open_runai(
    target: Target,
    parallelism: int,
    origin: Callable[[], Provenance] = Provenance,
    stop: threading.Event | None = None,
) -> Iterator[RunaiSystem]:
    """The control plane of a target, which must have one. Nothing is connected before it is used.

    A `sandbox` target starts the embedded control plane on first use, on a free port of the
    loopback interface, and ends it with the block; `RECONCILE_SANDBOX_*` variables set how it
    behaves.
    """
    runai = target.runai
    if runai is None:
        raise ConfigError(f"target {target.name} has no control plane", fix="add `runai:` to it")
    with ExitStack() as stack:
        login = Login(
            lambda: _connect(
                replace(_connection(target, runai, parallelism, stack), stop=login.stop)
            ),
            stop,
        )
        stack.callback(login.close)
        yield RunaiSystem(target, login, origin)


def _connect(connection: Connection) -> Any:
    from reconciler.providers.runai.client import Client  # noqa: PLC0415  (enters the SDK)

    return Client(connection)


def _connection(
    target: Target, runai: RunaiTarget, parallelism: int, stack: ExitStack
) -> Connection:
    if runai.sandbox is not None:
        return _start_sandbox(target, runai, parallelism, stack)
    if runai.base_url is None:
        raise ConfigError(
            f"target {target.name} names no control plane", fix="add base_url, or sandbox"
        )
    return Connection(
        base_url=runai.base_url,
        credentials=Credentials(runai.client_id, runai.client_secret, runai.token),
        timeout=target.timeout,
        parallelism=parallelism,
        ca_bundle=target.ca_bundle,
        proxy=target.proxies.to(runai.base_url),
    )


def _start_sandbox(
    target: Target, runai: RunaiTarget, parallelism: int, stack: ExitStack
) -> Connection:
    from reconciler.sandbox import (  # noqa: PLC0415  (only a sandbox target needs it)
        SandboxServer,
        behaviour_from_environment,
    )

    assert runai.sandbox is not None
    behaviour = behaviour_from_environment(os.environ)
    server = SandboxServer(runai.sandbox, seed=runai.seed, seed_again=False, behaviour=behaviour)
    try:
        endpoint = stack.enter_context(server)
    except SeedError:  # a file of the project, as reconciler.yaml is
        raise
    except SandboxError as error:  # to the plan, a control plane like any other that is down
        raise UnreachableError(error.what, where=error.where, fix=error.fix) from error
    log.debug("the sandbox listens at %s", endpoint.base_url)
    return Connection(
        base_url=endpoint.base_url,
        credentials=Credentials(endpoint.client_id, endpoint.client_secret),
        timeout=target.timeout,
        parallelism=parallelism,
    )
