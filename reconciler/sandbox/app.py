"""The HTTP side: routes, the login check, and errors turned into the contract's payloads."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.api_schema import load_contract
from reconciler.sandbox.assets import Assets
from reconciler.sandbox.combined_list import combine
from reconciler.sandbox.connections import json_response
from reconciler.sandbox.credentials import Credentials
from reconciler.sandbox.database import Database, has_no_room
from reconciler.sandbox.login import grant, grant_oauth
from reconciler.sandbox.org_units import OrgUnits
from reconciler.sandbox.queries import Query, read_query
from reconciler.sandbox.request_log import TOKEN_PATHS, Request, RequestLog
from reconciler.sandbox.seeding import CREDENTIAL_KINDS
from reconciler.sandbox.switches import Absent, Behaviour, Right
from reconciler.sandbox.tokens import Tokens
from reconciler.sandbox.unit_answers import UnitAnswers, list_ranks

BODY_LIMIT: Final = 1024**2
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Call:
    """A request as the answers take it; `id` is "" where the path has none."""

    id: str
    query: Query
    body: bytes


@dataclass(frozen=True)
class _Operation:
    """What answers a method at a path, and the right that it needs."""

    right: Right
    answer: Callable[[_Call], str]
    status: int = 200


_Operations = dict[tuple[str, str], _Operation]


def make_app(database: Database, behaviour: Behaviour, log: RequestLog) -> web.Application:
    """Make the application that serves one database as one version of a control plane."""
    contract = load_contract(behaviour.version)
    tokens = Tokens(database, behaviour)
    app = web.Application(
        client_max_size=BODY_LIMIT, middlewares=[_make_guard(tokens, behaviour, log)]
    )
    units = UnitAnswers(OrgUnits(database), behaviour, contract)
    operations = {**_unit_operations(units), **_credential_operations(Credentials(database))}
    assets = {kind: Assets(kind, database, behaviour, contract) for kind in contract.specs}
    for kind, path in contract.endpoints.items():
        operations |= _asset_operations(path, assets[kind])
    for path, names in contract.combined.items():
        operations["get", path] = _combined_list(path, assets, names, behaviour.absent)
    logins = {
        "/api/v1/token": _log_in(tokens, contract.grants),
        "/api/v2/token": _log_in_oauth(tokens),
    }
    # A path without variables goes before one that it would fit.
    for path in sorted(contract.paths, key=lambda path: "{" in path):
        for method, parameters in contract.paths[path].items():
            app.router.add_route(
                method,
                path,
                logins.get(path) or _make_handler(operations[method, path], parameters, behaviour),
            )
    return app


def _make_handler(
    operation: _Operation, parameters: Mapping[str, Mapping[str, object]], behaviour: Behaviour
) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        needed = {operation.right} if request.method == "GET" else {operation.right, "writes"}
        if needed.intersection(behaviour.denied):
            raise ApiError(403, f"The account may not {request.method} {operation.right}.")
        query = read_query(parameters, request.query, behaviour.unknown_parameters)
        asset_id = next(iter(request.match_info.values()), "")
        answer = operation.answer(_Call(asset_id, query, await request.read()))
        return json_response(answer, operation.status)

    return handle


def _make_guard(tokens: Tokens, behaviour: Behaviour, log: RequestLog) -> Middleware:
    latency = behaviour.latency

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        due = asyncio.get_running_loop().time() + latency
        try:
            if request.path not in TOKEN_PATHS:
                tokens.check(request.headers.get("Authorization", ""))
            response = await handler(request)
        except ApiError as error:
            response = json_response(error.body(), error.status)
        except web.HTTPNotFound:
            status = int(behaviour.missing_paths)
            response = json_response(ApiError(status, "There is no such endpoint.").body(), status)
        except web.HTTPException as error:  # aiohttp's own: no such method, body too long
            response = _refusal(error)
        except web.RequestPayloadError:  # chunks or compression that cannot be read
            response = json_response(ApiError(400, "The body cannot be read.").body(), 400)
        except ConnectionError:
            raise  # the client has gone, in the middle of its body
        except sqlite3.OperationalError as error:
            response = _unwritten(error)
        except Exception:  # noqa: BLE001 -- whatever it is, the client gets the contract's 500
            _LOG.exception("%s %r failed", request.method, request.path)
            response = json_response(ApiError(500, "Something went wrong.").body(), 500)
        log.add(Request(request.method, request.path, request.query_string, response.status))
        if latency:
            await asyncio.sleep(due - asyncio.get_running_loop().time())
        return response

    return guard


def _unwritten(error: sqlite3.OperationalError) -> web.Response:
    """What a database answers that cannot be used now: nothing was written."""
    if has_no_room(error):
        _LOG.warning("the sandbox database cannot be written: %s", error)
        said = f"The sandbox's disk cannot be written: {error}."
        return json_response(ApiError(507, said).body(), 507)
    _LOG.exception("the sandbox database did not answer")
    return json_response(ApiError(503, "The database is busy; please try again.").body(), 503)


def _refusal(error: web.HTTPException) -> web.Response:
    response = json_response(ApiError(error.status, error.reason).body(), error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _log_in(tokens: Tokens, grants: tuple[str, ...]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return json_response(grant(tokens, grants, await request.read()))

    return handle


def _log_in_oauth(tokens: Tokens) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        status, text = grant_oauth(tokens, await request.read())
        return json_response(text, status)

    return handle


def _right_to(path: str) -> Right:
    """What an account may be denied: the word behind `asset`, one for all data sources."""
    return cast("Right", path.split("/")[4])


def _combined_list(
    path: str, assets: Mapping[str, Assets], names: Mapping[str, str], absent: Absent
) -> _Operation:
    return _Operation(_right_to(path), lambda call: combine(assets, names, absent, call.query))


def _asset_operations(all_: str, assets: Assets) -> _Operations:
    right, one = _right_to(all_), f"{all_}/{{AssetId}}"
    return {
        ("get", all_): _Operation(right, lambda call: assets.list(call.query)),
        ("post", all_): _Operation(right, lambda call: assets.create(call.body), 202),
        ("get", one): _Operation(right, lambda call: assets.get(call.id, call.query)),
        ("put", one): _Operation(right, lambda call: assets.update(call.id, call.body), 202),
        ("delete", one): _Operation(right, lambda call: assets.delete(call.id), 202),
    }


def _credential_operations(credentials: Credentials) -> _Operations:
    def of_type(type_: str) -> _Operation:
        return _Operation("credentials", lambda call: credentials.list_type(type_, call.query))

    path = "/api/v1/asset/credentials"
    return {
        ("get", path): _Operation("credentials", lambda call: credentials.list_all(call.query)),
        **{("get", f"{path}/{type_}"): of_type(type_) for type_ in CREDENTIAL_KINDS},
    }


def _unit_operations(units: UnitAnswers) -> _Operations:
    clusters, org_units = "/api/v1/clusters", "/api/v1/org-unit"
    answers: Mapping[str, tuple[Right, Callable[[_Call], str]]] = {
        clusters: ("clusters", lambda call: units.list_clusters(call.query)),
        f"{clusters}/minimal": (
            "clusters-minimal",
            lambda call: units.list_clusters_minimal(call.query),
        ),
        f"{clusters}/{{clusterUuid}}": (
            "clusters",
            lambda call: units.get_cluster(call.id, call.query),
        ),
        f"{org_units}/projects": ("projects", lambda call: units.list_projects(call.query)),
        f"{org_units}/projects/{{projectId}}": (
            "projects",
            lambda call: units.get_project(call.id),
        ),
        f"{org_units}/departments": (
            "departments",
            lambda call: units.list_departments(call.query),
        ),
        f"{org_units}/departments/{{departmentId}}": (
            "departments",
            lambda call: units.get_department(call.id),
        ),
        f"{org_units}/priorities": ("ranks", lambda _: list_ranks("priorities")),
        f"{org_units}/ranks": ("ranks", lambda _: list_ranks("ranks")),
    }
    return {("get", path): _Operation(*answer) for path, answer in answers.items()}
