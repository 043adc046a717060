"""The SDK's own client against the server: in one process, over stdio, and over HTTP."""

import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import anyio
import mcp_types as types
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from reconciler.cli.place import Globals
from reconciler.mcp_server.protocol import make_server
from reconciler.mcp_server.workspace import Workspace
from reconciler.workflow.plan_request import PlanRequest

T = TypeVar("T")


@dataclass(frozen=True)
class Called:
    """What a tool answered: its text, that as JSON, whether it is an error, and its resource."""

    raw: str
    value: dict[str, Any]
    failed: bool
    uri: str = ""


async def call(client: Client, name: str, /, **arguments: Any) -> Called:
    """Call a tool."""
    result = await client.call_tool(name, arguments)
    assert isinstance(result, types.CallToolResult)
    first, *rest = result.content
    assert isinstance(first, types.TextContent)
    uris = [item.uri for item in rest if isinstance(item, types.ResourceLink)]
    return Called(
        first.text, json.loads(first.text), bool(result.is_error), uris[0] if uris else ""
    )


async def read_plan(client: Client, uri: str) -> dict[str, Any]:
    """The plan behind a link."""
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, types.TextResourceContents)
    document: dict[str, Any] = json.loads(content.text)
    return document


def in_process(
    directory: Path,
    use: Callable[[Client], Awaitable[T]],
    *,
    allow_writes: bool = False,
    config_from: str | None = None,
) -> T:
    """Use a client of a server in this process."""
    place = Globals(directory, None, None)

    async def run() -> T:
        workspace = Workspace(PlanRequest(place, parallelism=4, config_from=config_from))
        async with Client(make_server(workspace, allow_writes=allow_writes)) as client:
            return await use(client)

    return anyio.run(run)


def command_line(directory: Path, *options: str) -> list[str]:
    """`reconcile -C DIR mcp ...` with this interpreter."""
    return [sys.executable, "-m", "reconciler", "-C", str(directory), "mcp", *options]


def over_stdio(directory: Path, use: Callable[[Client], Awaitable[T]], *options: str) -> T:
    """Use a client that starts `reconcile mcp` itself."""
    program, *arguments = command_line(directory, *options)

    async def run() -> T:
        parameters = StdioServerParameters(command=program, args=arguments, cwd=Path.cwd())
        async with Client(parameters) as client:
            return await use(client)

    return anyio.run(run)
