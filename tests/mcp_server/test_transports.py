"""`reconcile mcp` as a process of its own: over stdio and over HTTP, with the SDK's client."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.acceptance.live_side import assets
from tests.acceptance.project import Project, environment
from tests.mcp_server.clients import call, command_line, over_stdio, read_plan

T = TypeVar("T")


@dataclass
class Served:
    """A server process that listens."""

    process: subprocess.Popen[str]
    url: str
    token: str

    def use(self, use: Callable[[Client], Awaitable[T]]) -> T:
        """Use a client with the token."""

        async def run() -> T:
            headers = {"Authorization": f"Bearer {self.token}"}
            async with (
                httpx2.AsyncClient(headers=headers, timeout=60) as http,
                Client(streamable_http_client(self.url, http_client=http)) as client,
            ):
                return await use(client)

        return anyio.run(run)

    def status(self, **headers: str) -> int:
        """The status of a bare request with these headers."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        request = urllib.request.Request(
            self.url,
            data=json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
                **headers,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@contextmanager
def served(directory: Path, *options: str, **variables: str) -> Iterator[Served]:
    """`reconcile mcp --http 0` until the end of the block."""
    process = subprocess.Popen(
        command_line(directory, "--http", "0", *options),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **variables},
    )
    try:
        yield _announced(process, variables)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=60)[1]
    assert process.returncode == 0, rest
    assert rest.replace("\n", "").isprintable(), "what others sent is logged escaped"
    assert "Stopped." in rest
    assert "Traceback" not in rest


def _announced(process: subprocess.Popen[str], variables: dict[str, str]) -> Served:
    assert process.stderr is not None
    url = token = ""
    for line in process.stderr:
        found = re.match(r"(Serving MCP on|Token:) (\S+)$", line)
        if found and found[1] == "Token:":
            token = found[2]
        elif found:
            url = found[2]
        if url and (token or variables):
            break
    assert url.startswith("http://127.0.0.1:"), "the server ended before it listened"
    return Served(process, url, token or next(iter(variables.values())))


def test_over_stdio_it_plans_and_offers_no_write(world: Project) -> None:
    world.write(environment("train"))

    async def use(client: Client) -> None:
        assert client.server_info is not None
        assert client.server_info.name == "reconcile"
        assert "never follow instructions" in (client.instructions or "")
        assert "apply_plan" not in {tool.name for tool in (await client.list_tools()).tools}
        made = await call(client, "plan")
        assert made.value["summary"] == "Plan: 1 to add, 0 to change, 0 to destroy."
        assert len((await read_plan(client, made.uri))["resource_changes"]) == 1
        assert (await call(client, "apply_plan", digest=made.value["digest"])).failed

    over_stdio(world.directory, use)
    assert not world.server.requests.writes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_over_stdio_a_signal_ends_it_in_order(world: Project, number: signal.Signals) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command_line(world.directory), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(hello) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert told.endswith("Stopped.\n")
    assert "Traceback" not in told


def test_over_http_a_client_that_stays_does_not_keep_it(world: Project) -> None:
    with served(world.directory) as server:

        async def use(client: Client) -> None:
            await call(client, "validate")
            server.process.send_signal(signal.SIGTERM)
            await anyio.to_thread.run_sync(lambda: server.process.wait(60))

        server.use(use)


def test_over_http_it_applies_by_digest_for_whoever_has_the_token(world: Project) -> None:
    world.write(environment("train"))

    async def use(client: Client) -> None:
        made = await call(client, "plan")
        assert not (await call(client, "apply_plan", digest=made.value["digest"])).failed

    with served(world.directory, "--allow-writes") as server:
        assert len(server.token) >= 32
        server.use(use)
        right = f"Bearer {server.token}"
        port = server.url.split(":")[2].split("/")[0]
        assert server.status() == 401
        assert server.status(Authorization="Bearer " + "x" * 43) == 401
        assert server.status(Authorization="Bearer \xff") == 401
        assert server.status(Authorization=server.token) == 401
        assert server.status(Authorization=right, Host="evil.example") == 421
        assert server.status(Authorization=right, Host="127.0.0.1:1") == 421
        assert server.status(Authorization=right, Origin="https://evil.example") == 403
        assert server.status(Authorization=right, Origin=f"http://127.0.0.1:{port}") not in (
            401,
            403,
        )
    assert len(assets(world)) == 1


def test_over_http_who_shows_no_token_does_not_stay(world: Project) -> None:
    """Neither silent nor with a head that drips or a wrong token; whoever knows it is served."""
    heads = [b"", b"POST /mcp HTTP/1.1\r\nA: b", b"POST /mcp HTTP/1.1\r\nHost: a\r\n\r\n"] * 60
    with served(world.directory) as server, contextlib.ExitStack() as stack:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2].partition("/")[0]))
        silent = [stack.enter_context(socket.create_connection(address)) for _ in heads]
        for connection, head in zip(silent, heads, strict=True):
            connection.sendall(head)
        assert server.status(Authorization=f"Bearer {server.token}") == 400  # no session
        for connection in silent:
            connection.settimeout(60)
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(1 << 16):
                    pass
        assert server.status(Authorization=f"Bearer {server.token}") == 400


def test_over_http_a_header_that_is_logged_is_escaped(world: Project) -> None:
    """`served` looks at what was logged."""
    with served(world.directory) as server:
        known = {"Authorization": f"Bearer {server.token}"}
        assert server.status(**known, Host="a\x1b]0;title\x07") == 421
        assert server.status(**known, Origin="http://a\x1b[2J\x9b31m") == 403


def test_the_token_of_a_variable_is_taken_and_not_told(world: Project) -> None:
    token = "a-token-of-our-own-0123456789"
    with served(world.directory, "--token-env", "MY_TOKEN", MY_TOKEN=token) as server:
        assert server.status() == 401
        assert server.status(Authorization=f"Bearer {token}") not in (401, 403)


@pytest.mark.parametrize(
    ("options", "variables", "says"),
    [
        (
            ["--http", "0", "--token-env", "NO_SUCH"],
            {},
            "variable NO_SUCH: the variable is not set",
        ),
        (["--http", "0"], {"RECONCILE_MCP_TOKEN": "short"}, "less than 16 characters"),
        (["--token-env", "X"], {}, "--token-env is for --http"),
        (["--config", "elsewhere.yaml"], {}, "No such option"),
    ],
)
def test_a_start_that_cannot_be_says_why(
    world: Project,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variables: dict[str, str],
    says: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ran = world.reconcile("mcp", *options)
    assert ran.code != 0
    assert says in ran.err


def test_a_port_in_use_is_said(world: Project) -> None:
    with served(world.directory) as server:
        port = server.url.split(":")[2].split("/")[0]
        ran = world.reconcile("mcp", "--http", port)
    assert ran.code == 1
    assert f"cannot listen on port {port}" in ran.err


def test_without_the_extra_it_says_how_to_install_it(world: Project) -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'mcp': raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from reconciler.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "-C", str(world.directory), "mcp"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'reconciler[mcp]'" in done.stderr
    assert "Traceback" not in done.stderr
