"""The MCP server over streamable HTTP: loopback only, with a token, and no web page as a caller.

A web page in the browser of the same person can reach loopback ports, and by DNS rebinding under
a name of its own. So the Host must be this address, an Origin must be none or this one, and every
request must bear the token, compared in constant time.
"""

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

from reconciler.signals import handled

HOST = "127.0.0.1"
PATH = "/mcp"
_SHUTDOWN_SECONDS = 2
"""For answers under way; a write that has begun is waited for by the workspace."""


@dataclass(frozen=True, slots=True)
class TokenGuard:
    """Lets only requests with the token through to an application."""

    app: ASGIApp
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 unless the token is right; what is no HTTP (start and stop) goes through."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._knows(scope)):
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


def make_app(server: Server[Any], port: int, token: str) -> ASGIApp:
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
    return TokenGuard(app, token)


def serve_http(
    server: Server[Any], listening: socket.socket, token: str, announce: Callable[[str], None]
) -> None:
    """Serve on a listening socket until a signal; `announce` is told the URL first.

    SIGINT and SIGTERM count from the announcement on; uvicorn looks for them only once it serves.
    """
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        make_app(server, port, token),
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
