"""A sandbox with its provider, and short ways to act on them, for the provider's tests."""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from reconciler.config import RunaiTarget, Target
from reconciler.core.ownership import desired_mark
from reconciler.core.plan import Action, Change
from reconciler.core.resource import LiveResource, Resource, ResourceKey, Source
from reconciler.kinds.compute import COMPUTE
from reconciler.kinds.environment import ENVIRONMENT
from reconciler.providers.runai import RunaiSystem
from reconciler.providers.runai.assets import AssetProvider
from reconciler.providers.runai.connection import Connection, Credentials
from reconciler.providers.runai.system import Login
from reconciler.sandbox import Behaviour, Endpoint, RequestLog, SandboxServer
from tests.faults.proxy import FaultProxy
from tests.login import log_in

STACK = "ml"
QUICK: Mapping[str, Any] = {"first_pause": 0.01, "longest_pause": 0.05}


@dataclass
class World:
    """A running sandbox behind a fault proxy, and the system that talks to it."""

    endpoint: Endpoint
    requests: RequestLog
    proxy: FaultProxy
    system: RunaiSystem
    login: Login
    token: list[str] = field(default_factory=list)

    @property
    def environments(self) -> AssetProvider:
        return self.provider(ENVIRONMENT.name)

    @property
    def computes(self) -> AssetProvider:
        return self.provider(COMPUTE.name)

    def provider(self, kind: str) -> AssetProvider:
        (found,) = [item for item in self.system.providers if item.traits.name == kind]
        assert isinstance(found, AssetProvider)
        return found

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request of somebody else, past the proxy."""
        if not self.token:
            self.token.append(log_in(self.endpoint))
        return self._send(method, path, body)

    def _send(self, method: str, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token[0]}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.endpoint.base_url + path, method=method, data=data, headers=headers
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def create(self, resource: Resource) -> LiveResource:
        """Create this, and the live object as it is then read."""
        (bound,) = self.environments.resolve([resource])
        change = Change(resource.key, Action.CREATE, bound)
        uid = self.environments.write(change, print)
        assert self.environments.settle([change], {change.address: uid}) == {}
        return self.live(uid)

    def live(self, uid: str) -> LiveResource:
        (found,) = [item for item in self.environments.read() if item.uid == uid]
        return found

    def names(self) -> list[str]:
        """The names of all environment assets that are not built in, sorted."""
        return sorted(item.name for item in self.environments.read())


def target(base_url: str, **changes: Any) -> Target:
    """A target for `open_runai`; credentials are the caller's."""
    timeout = changes.pop("timeout", 5.0)
    return Target("test", STACK, runai=RunaiTarget(base_url=base_url, **changes), timeout=timeout)


@contextmanager
def world(
    directory: Path, behaviour: Behaviour | None = None, seed: str = "", **changes: Any
) -> Iterator[World]:
    """`changes` are for the connection; `patience` is how long writes are waited for (seconds)."""
    seed_file = directory / "seed.yaml"
    if seed:
        seed_file.write_text(seed)
    server = SandboxServer(
        directory / "sandbox.db",
        seed=seed_file if seed else None,
        behaviour=behaviour or Behaviour(),
    )
    with ExitStack() as stack:
        endpoint = stack.enter_context(server)
        proxy = stack.enter_context(FaultProxy(endpoint.base_url))
        defaults = changes.pop("server_defaults", {})
        patience = changes.pop("patience", 5.0)
        login = connect(proxy.base_url, endpoint, **changes)
        stack.callback(login.close)
        system = RunaiSystem(
            target(proxy.base_url, server_defaults=defaults, timeout=patience),
            login,
        )
        yield World(endpoint, server.requests, proxy, system, login)


def connect(base_url: str, endpoint: Endpoint, **changes: Any) -> Login:
    """A login with quick retries."""
    from reconciler.providers.runai.client import Client  # noqa: PLC0415  (enters the SDK)

    secret: SecretStr = changes.pop("client_secret", endpoint.client_secret)
    token = changes.pop("token", None)
    credentials = Credentials(endpoint.client_id, secret, token)
    settings = {"timeout": 5.0, **QUICK, **changes}
    return Login(lambda: Client(Connection(base_url, credentials, **settings)))


def wanted(name: str = "train", /, **spec: Any) -> Resource:
    """A resource for an environment of the tenant."""
    resource_id = spec.pop("id", name)
    rest = {key: spec.pop(key) for key in ("protect", "adopt") if key in spec}
    full = {"name": name, "scope": "tenant", "image": "busybox:1", **spec}
    key = ResourceKey("RunaiEnvironment", resource_id)
    return Resource(key, full, Source("manifests/a.yaml", 3), **rest)


def is_ours(live: LiveResource, resource: Resource) -> bool:
    """Whether a live object bears exactly the mark of a resource."""
    return live.mark == desired_mark(resource, STACK)
