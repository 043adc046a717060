"""A gateway in front of a real agent, both without a container: real HTTP, real env.py."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reconciler.rayfine import EnvironmentWrapper
from reconciler.rayfine.gateway import Gateway
from tests.rayfine.runtime.agents import agent, environment

TOKEN = "a-token-of-the-tests"
NAME = "env:v1"


class Offered:
    """A running gateway, and the environment behind it. `fixed`: its owner has set it up."""

    def __init__(self, gateway: Gateway, env: EnvironmentWrapper, fixed: bool) -> None:
        self.fixed = fixed
        self.gateway = gateway
        self.env = env
        self.port = gateway.port

    @property
    def url(self) -> str:
        return self.gateway.url


@contextmanager
def offered(
    directory: Path,
    source: str,
    variables: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Offered]:
    """Serve this env.py; `variables` as in `reconcile serve --setup`."""
    with agent(directory, source) as replica, Gateway(("127.0.0.1", 0), TOKEN, tls) as gateway:
        env = environment(replica)
        gateway.serve(env, [NAME], variables)
        yield Offered(gateway, env, variables is not None)
