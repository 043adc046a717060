"""The HTTP side: routes, the login check, and errors turned into the contract's payloads."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.assets import Assets
from reconciler.sandbox.behaviour import Behaviour
from reconciler.sandbox.contract import SPECS
from reconciler.sandbox.credentials import Credentials
from reconciler.sandbox.database import Database
from reconciler.sandbox.login import grant, grant_oauth
from reconciler.sandbox.org_units import OrgUnits
from reconciler.sandbox.planting import CREDENTIAL_KINDS
from reconciler.sandbox.request_log import Request, RequestLog
from reconciler.sandbox.tokens import Tokens
from reconciler.sandbox.unit_answers import UnitAnswers

BODY_LIMIT: Final = 1024**2
_PUBLIC = frozenset({"/api/v1/token", "/api/v2/token"})
_LOG = logging.getLogger(__name__)


def make_app(database: Database, behaviour: Behaviour, log: RequestLog) -> web.Application:
    """Make the application that serves one database."""
    tokens = Tokens(database, behaviour.token_lifetime)
    app = web.Application(
        client_max_size=BODY_LIMIT, middlewares=[_make_guard(tokens, behaviour.latency, log)]
    )
    units = UnitAnswers(OrgUnits(database))
    app.router.add_routes(_token_routes(tokens))
    for kind in SPECS:
        app.router.add_routes(
            _asset_routes(f"/api/v1/asset/{kind}", Assets(kind, database, behaviour))
        )
    app.router.add_routes(_credential_routes(Credentials(database)))
    app.router.add_routes(_unit_routes(units))
    return app


def _make_guard(tokens: Tokens, latency: float, log: RequestLog) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        due = asyncio.get_running_loop().time() + latency
        try:
            if request.path not in _PUBLIC:
                tokens.check(request.headers.get("Authorization", ""))
            response = await handler(request)
        except ApiError as error:
            response = _json(error.body(), error.status)
        except web.HTTPException as error:  # aiohttp's own: no such route, method, body too long
            response = _refusal(error)
        except sqlite3.OperationalError:
            _LOG.exception("the sandbox database did not answer")
            response = _json(ApiError(503, "The database is busy; please try again.").body(), 503)
        except Exception:  # noqa: BLE001 -- whatever it is, the client gets the contract's 500
            _LOG.exception("%s %s failed", request.method, request.path)
            response = _json(ApiError(500, "Something went wrong.").body(), 500)
        log.add(Request(request.method, request.path, request.query_string, response.status))
        if latency:
            await asyncio.sleep(due - asyncio.get_running_loop().time())
        return response

    return guard


def _refusal(error: web.HTTPException) -> web.Response:
    response = _json(ApiError(error.status, error.reason).body(), error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _json(text: str, status: int = 200) -> web.Response:
    return web.Response(
        body=text.encode("ascii"), status=status, content_type="application/json", charset="utf-8"
    )


def _token_routes(tokens: Tokens) -> list[web.RouteDef]:
    async def grant_v1(request: web.Request) -> web.Response:
        return _json(grant(tokens, await request.read()))

    async def grant_v2(request: web.Request) -> web.Response:
        status, text = grant_oauth(tokens, await request.read())
        return _json(text, status)

    return [web.post("/api/v1/token", grant_v1), web.post("/api/v2/token", grant_v2)]


def _asset_routes(path: str, assets: Assets) -> list[web.RouteDef]:
    async def list_(request: web.Request) -> web.Response:
        return _json(assets.list(request.query))

    async def create(request: web.Request) -> web.Response:
        return _json(assets.create(await request.read()), 202)

    async def get(request: web.Request) -> web.Response:
        return _json(assets.get(request.match_info["id"], request.query))

    async def update(request: web.Request) -> web.Response:
        return _json(assets.update(request.match_info["id"], await request.read()), 202)

    async def delete(request: web.Request) -> web.Response:
        return _json(assets.delete(request.match_info["id"]), 202)

    one = path + "/{id}"
    return [
        web.get(path, list_, allow_head=False),
        web.post(path, create),
        web.get(one, get, allow_head=False),
        web.put(one, update),
        web.delete(one, delete),
    ]


def _credential_routes(credentials: Credentials) -> list[web.RouteDef]:
    def of_type(type_: str) -> web.RouteDef:
        async def list_(request: web.Request) -> web.Response:
            return _json(credentials.list_type(type_, request.query))

        return web.get(f"/api/v1/asset/credentials/{type_}", list_, allow_head=False)

    async def list_all(request: web.Request) -> web.Response:
        return _json(credentials.list_all(request.query))

    return [
        *(of_type(each) for each in CREDENTIAL_KINDS),
        web.get("/api/v1/asset/credentials", list_all, allow_head=False),
    ]


def _unit_routes(units: UnitAnswers) -> list[web.RouteDef]:
    async def list_clusters(request: web.Request) -> web.Response:
        return _json(units.list_clusters(request.query))

    async def get_cluster(request: web.Request) -> web.Response:
        return _json(units.get_cluster(request.match_info["id"], request.query))

    async def list_projects(request: web.Request) -> web.Response:
        return _json(units.list_projects(request.query))

    async def get_project(request: web.Request) -> web.Response:
        return _json(units.get_project(request.match_info["id"]))

    async def list_departments(request: web.Request) -> web.Response:
        return _json(units.list_departments(request.query))

    async def get_department(request: web.Request) -> web.Response:
        return _json(units.get_department(request.match_info["id"]))

    return [
        web.get("/api/v1/clusters", list_clusters, allow_head=False),
        web.get("/api/v1/clusters/{id}", get_cluster, allow_head=False),
        web.get("/api/v1/org-unit/projects", list_projects, allow_head=False),
        web.get("/api/v1/org-unit/projects/{id}", get_project, allow_head=False),
        web.get("/api/v1/org-unit/departments", list_departments, allow_head=False),
        web.get("/api/v1/org-unit/departments/{id}", get_department, allow_head=False),
    ]
