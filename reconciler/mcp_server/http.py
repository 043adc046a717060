"""The MCP server over streamable HTTP: loopback only, with a token, and no web page as a caller.

A web page in the browser of the same person can reach loopback ports, and by DNS rebinding under
a name of its own. So the Host must be this address, an Origin must be none or this one, and every
request must bear the token, compared in constant time. A connection that has not shown it does not
stay, so that silent ones of other users shut nobody out.
"""

import asyncio
import hmac
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import anyio
import uvicorn
from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from reconciler.rayfine.in_container.streams import Strangers
from reconciler.support.signals import handled

HOST = "127.0.0.1"
PATH = "/mcp"
_SHUTDOWN_SECONDS = 2
"""For answers under way; a write that has begun is waited for by the workspace."""


@dataclass(frozen=True, slots=True)
class TokenGuard:
    """Lets only requests with the token through to an application."""

    app: ASGIApp
    token: str
    door: "Door"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 unless the token is right; what is no HTTP (start and stop) goes through."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._knows(scope)):
            self.door.strangers.remove(scope.get("client"))
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            answer = JSONResponse(
                {"error": "the token is missing or wrong: send `Authorization: Bearer TOKEN`"},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
            await answer(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode("latin-1"), self.token.encode("latin-1"))
        return same and scheme.lower() == "bearer"


class Door:
    """The connections of one server, and which of them have not shown the token."""

    def __init__(self) -> None:
        self._open: dict[Any, asyncio.Transport] = {}
        self.strangers = Strangers(lambda client: self._open[client].abort())

    def protocol(self) -> type[asyncio.Protocol]:
        """What uvicorn makes one of for each connection."""
        door = self

        class Watched(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                door._open[self.client] = transport
                door.strangers.add(self.client)

            def connection_lost(self, exc: Exception | None) -> None:
                door.strangers.remove(self.client)
                door._open.pop(self.client, None)
                super().connection_lost(exc)

        return Watched

    async def look(self) -> None:
        """End those whose time is over."""
        self.strangers.end_late()


def make_app(server: Server[Any], port: int, token: str, door: Door) -> ASGIApp:
    """The guarded application for this port."""
    names = (f"{HOST}:{port}", f"localhost:{port}")
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=list(names),
            allowed_origins=[f"http://{name}" for name in names],
        ),
    )
    return TokenGuard(app, token, door)


def serve_http(
    server: Server[Any], listening: socket.socket, token: str, announce: Callable[[str], None]
) -> None:
    """Serve on a listening socket until a signal; `announce` is told the URL first.

    SIGINT and SIGTERM count from the announcement on; uvicorn looks for them only once it serves.
    """
    port = listening.getsockname()[1]
    door = Door()
    config = uvicorn.Config(
        make_app(server, port, token, door),
        http=door.protocol(),
        callback_notify=door.look,
        timeout_notify=1,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        log_config=None,
    )
    runner = uvicorn.Server(config)

    def end(_number: int, _frame: FrameType | None) -> None:
        # Raised in the middle of an import, an interrupt could become any error.
        runner.should_exit = True

    with handled(end, signal.SIGINT, signal.SIGTERM):
        announce(f"http://{HOST}:{port}{PATH}")
        anyio.run(lambda: runner.serve(sockets=[listening]))


def listen(port: int) -> socket.socket:
    """A socket that listens on the loopback address; port 0 takes a free one. Raises `OSError`."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen()
    except OSError:
        made.close()
        raise
    return made
