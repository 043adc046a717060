"""Connections that answer a request which is no HTTP without repeating any of it.

aiohttp quotes what it cannot read, an Authorization header for example, in its answer and in its
log. Here the answer is the contract's 400 and the log says nothing.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from reconciler.sandbox.answers import ApiError

_LOG = logging.getLogger(__name__)


class QuietServer(web.Server):
    """Serves as another server does, over quiet connections."""

    def __init__(self, server: web.Server) -> None:
        super().__init__(server.request_handler, request_factory=server.request_factory)

    def __call__(self) -> web.RequestHandler:
        return _QuietConnection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # it is how to have none
        )


class _QuietConnection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 -- aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        text = "The request is not valid HTTP." if status < 500 else "Something went wrong."
        response = json_response(ApiError(status, text).body(), status)
        response.force_close()
        return response

    def log_exception(self, *args: object, **kw: object) -> None:  # noqa: ARG002
        """Name what ended the connection, and quote nothing; our own failures app.py logs."""
        kind = type(kw.get("exc_info")).__name__
        _LOG.debug("a connection was given up: %s", kind)


def json_response(text: str, status: int = 200) -> web.Response:
    """An answer of ASCII JSON."""
    return web.Response(
        body=text.encode("ascii"), status=status, content_type="application/json", charset="utf-8"
    )
