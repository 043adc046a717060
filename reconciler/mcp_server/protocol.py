"""The tools and the plans as an MCP server, over standard input and output or over HTTP.

The SDK's low-level server is used: its high-level one would coerce arguments and ignore unknown
ones, and an argument that a model believes in and nobody reads is how accidents happen.
"""

import functools
import logging
import signal
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from reconciler import __version__
from reconciler.errors import ManifestError, Problem, ReconcileError
from reconciler.mcp_server.arguments import read_arguments
from reconciler.mcp_server.tools import INSTRUCTIONS, PLAN_SCHEME, Answer, Tool, plan_uri, tools
from reconciler.mcp_server.truncation import ANSWER_SCHEME, Fitted, Part, fit
from reconciler.mcp_server.workspace import Workspace
from reconciler.support.suggest import nearest

log = logging.getLogger(__name__)

_MOST_PROBLEMS = 20
_Context = ServerRequestContext[Any, Any]


def make_server(workspace: Workspace, *, allow_writes: bool) -> Server[Any]:
    """The server, not yet connected to anything."""
    offered = {tool.name: tool for tool in tools(allow_writes=allow_writes)}
    handlers = _Handlers(workspace, offered)
    return Server(
        "reconcile",
        title="reconcile: Run:ai environments and images from Git",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_resource_templates,
        on_read_resource=handlers.read_resource,
    )


def serve_stdio(server: Server[Any], end: Callable[[], None]) -> None:
    """Serve over standard input and output until the client closes them.

    On SIGINT or SIGTERM `end` is called and must end the process: the thread that waits for the
    client's next line cannot be interrupted.
    """

    async def serve() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_await_signal, end)
            async with stdio_server() as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())
            tasks.cancel_scope.cancel()

    anyio.run(serve)


async def _await_signal(end: Callable[[], None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        async for _ in received:
            await anyio.to_thread.run_sync(end)


class _Handlers:
    """What the SDK calls for each request."""

    def __init__(self, workspace: Workspace, offered: dict[str, Tool]) -> None:
        self._workspace = workspace
        self._offered = offered

    async def list_tools(
        self, _context: _Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[describe(tool) for tool in self._offered.values()])

    async def call_tool(
        self, _context: _Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            answer = await anyio.to_thread.run_sync(
                functools.partial(self._call, params.name, params.arguments or {})
            )
        except ReconcileError as error:
            return self._result(_refusal(error), failed=True)
        return self._result(answer.value, answer.uri, failed=answer.failed)

    def _result(
        self, answer: dict[str, Any], uri: str = "", *, failed: bool
    ) -> types.CallToolResult:
        """The answer as a tool result of a bounded size, with a link to the rest of it."""
        fitted = fit(answer, uri)
        if fitted.whole:
            self._workspace.keep_answer(fitted.uri, fitted.whole)
        content: list[types.ContentBlock] = [types.TextContent(type="text", text=fitted.text)]
        if fitted.uri:
            content.append(_link(fitted))
        return types.CallToolResult(content=content, is_error=failed)

    def _call(self, name: str, arguments: dict[str, Any]) -> Answer:
        tool = self._offered.get(name)
        if tool is None:
            raise _no_tool(name, list(self._offered))
        return tool.run(self._workspace, read_arguments(tool.arguments, arguments))

    async def list_resources(
        self, _context: _Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        found = [
            types.Resource(
                name=f"plan {digest}",
                uri=plan_uri(digest),
                mime_type="application/json",
                description="A plan that this server showed, as it was then.",
            )
            for digest in self._workspace.digests()
        ]
        return types.ListResourcesResult(resources=found)

    async def list_resource_templates(
        self, _context: _Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        templates = [
            types.ResourceTemplate(
                name="plan",
                uri_template=PLAN_SCHEME + "{digest}",
                mime_type="application/json",
                description="A plan by its digest (without `sha256:`), as `plan` showed it.",
            ),
            types.ResourceTemplate(
                name="answer",
                uri_template=ANSWER_SCHEME + "{digest}",
                mime_type="application/json",
                description="The whole of an answer that had to leave something out; it names it.",
            ),
        ]
        return types.ListResourceTemplatesResult(resource_templates=templates)

    async def read_resource(
        self, _context: _Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        text = self._resource(str(params.uri))
        content = types.TextResourceContents(
            uri=params.uri, text=text, mime_type="application/json"
        )
        return types.ReadResourceResult(contents=[content])

    def _resource(self, uri: str) -> str:
        if uri.startswith(ANSWER_SCHEME):
            whole, what = self._workspace.answer(uri), "answer of that name any more: call the tool"
        else:
            shown = self._workspace.shown("sha256:" + uri.removeprefix(PLAN_SCHEME))
            whole = shown.document if shown else None
            what = "plan of that digest any more: call the tool `plan`"
        if whole is None:
            message = (
                f"this server has no {what}{' again' if uri.startswith(ANSWER_SCHEME) else ''}"
            )
            raise MCPError(code=types.INVALID_PARAMS, message=message, data={"uri": uri})
        return whole


def _link(fitted: Fitted) -> types.ResourceLink:
    plan = fitted.uri.startswith(PLAN_SCHEME)
    return types.ResourceLink(
        type="resource_link",
        name="plan" if plan else "answer",
        title="The whole plan as JSON" if plan else "The whole answer as JSON",
        uri=fitted.uri,
        mime_type="application/json",
    )


def describe(tool: Tool) -> types.Tool:
    """What a client is told of a tool; arguments it does not know are refused, and it says so."""
    schema = tool.arguments.model_json_schema()
    schema.pop("description", None)
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema,
        annotations=types.ToolAnnotations(
            title=tool.title,
            read_only_hint=not tool.writes,
            destructive_hint=tool.destroys,
            idempotent_hint=tool.repeatable,
            open_world_hint=False,
        ),
    )


def _refusal(error: ReconcileError) -> dict[str, Any]:
    words: dict[str, Any] = {"error": error.what}
    if error.where:
        words["where"] = error.where
    if isinstance(error, ManifestError):
        words["problems"] = Part([_problem(item) for item in error.problems], _MOST_PROBLEMS)
    if error.fix:
        words["fix"] = error.fix
    return words


def _problem(problem: Problem) -> dict[str, str]:
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    return {"where": place, "error": problem.message, "fix": problem.fix}


def _no_tool(name: str, known: list[str]) -> ReconcileError:
    if name == "apply_plan":
        return ReconcileError(
            "this server is read-only: it applies nothing",
            where="apply_plan",
            fix="a person starts it with: reconcile mcp --allow-writes",
        )
    meant = nearest(name, known)
    return ReconcileError(
        f"there is no tool {name!r}",
        where="tools",
        fix=f"did you mean {meant}?" if meant else f"use one of {', '.join(known)}",
    )
