"""Sandboxes on loopback, and plain HTTP to talk to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from reconciler.sandbox import Behaviour, Endpoint, SandboxServer
from tests.login import log_in

JUPYTER: dict[str, Any] = {
    "name": "Jupyter",
    "internalToolInfo": {
        "toolType": "jupyter-notebook",
        "connectionType": "ExternalUrl",
        "containerPort": 8888,
        "externalUrlInfo": {},
    },
}


@dataclass(frozen=True)
class Answer:
    """Status, decoded body and headers of a response."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Http:
    """Plain requests to one endpoint, logged in unless a call says otherwise."""

    def __init__(self, endpoint: Endpoint, pool: urllib3.PoolManager) -> None:
        self._endpoint = endpoint
        self._pool = pool
        self.token = self.log_in()

    def log_in(self) -> str:
        return log_in(self._endpoint)

    def send(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> Answer:
        """`body` is JSON, or raw bytes; `token` "" sends none."""
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        token = self.token if token is None else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = self._pool.request(
            method, self._endpoint.base_url + path, body=raw, headers=headers, retries=False
        )
        return Answer(response.status, response.json(), response.headers)

    def create(self, kind: str, name: str, *, spec: object = None, **meta: object) -> Answer:
        body = {"meta": {"name": name, "scope": "tenant", **meta}, "spec": spec or {}}
        return self.send("POST", f"/api/v1/asset/{kind}", body)

    def names(self, kind: str, query: str = "") -> list[str]:
        """The names that a list shows, built-in assets aside."""
        return [name for name, scope in self.listed(kind, query) if scope != "system"]

    def listed(self, kind: str, query: str = "") -> list[tuple[str, str]]:
        """Name and scope of all that a list shows."""
        answer = self.send("GET", f"/api/v1/asset/{kind}{query}")
        assert answer.status == 200, answer.body
        return [(each["meta"]["name"], each["meta"]["scope"]) for each in answer.body["entries"]]


@dataclass(frozen=True)
class Running:
    """A started sandbox."""

    server: SandboxServer
    endpoint: Endpoint
    http: Http


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start sandboxes: `start(seed="yaml text", absent="null", ...)`; they end with the test."""
    with ExitStack() as stack:

        def begin(
            database: Path = tmp_path / "sandbox.db",
            seed: str | None = None,
            busy: float = 10.0,
            **switches: Any,
        ) -> Running:
            seed_file = None
            if seed is not None:
                seed_file = tmp_path / "seed.yaml"
                seed_file.write_text(seed)
            behaviour = Behaviour(**switches)
            server = SandboxServer(database, seed=seed_file, behaviour=behaviour, busy=busy)
            endpoint = stack.enter_context(server)
            http = Http(endpoint, stack.enter_context(urllib3.PoolManager(maxsize=20)))
            server.requests.clear()
            return Running(server, endpoint, http)

        yield begin


@pytest.fixture
def sandbox(start: Start) -> Running:
    """A sandbox with default behaviour and organisation."""
    return start()
