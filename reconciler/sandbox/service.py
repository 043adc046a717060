"""One server's life in an event loop: open the database, listen, announce, stop."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web
from pydantic import SecretStr

from reconciler.errors import SandboxError, SeedError
from reconciler.sandbox.answers import ApiError
from reconciler.sandbox.api_schema import load_contract
from reconciler.sandbox.app import make_app
from reconciler.sandbox.assets import Assets
from reconciler.sandbox.connections import QuietServer
from reconciler.sandbox.database import Database
from reconciler.sandbox.endpoint import Endpoint, Setup
from reconciler.sandbox.request_log import RequestLog
from reconciler.sandbox.seed import SeedFile, load_seed
from reconciler.sandbox.seeding import Planted, plant
from reconciler.sandbox.switches import Behaviour

_GRACE_SECONDS = 5.0
_LOG = logging.getLogger(__name__)


async def run_service(
    setup: Setup, log: RequestLog, stop: asyncio.Event, announce: Callable[[Endpoint], None]
) -> None:
    """Serve until `stop` is set; `announce` is called once, when it listens.

    A SandboxError says why the database, the seed or the port cannot be used.
    """
    seed = load_seed(setup.seed) if setup.seed else None
    database = Database(setup.database, setup.busy)
    try:
        planted = plant(database, seed, again=setup.seed_again)
        _create(planted, database, setup.behaviour, seed)
        application = web.AppRunner(make_app(database, setup.behaviour, log))
        await application.setup()
        assert application.server is not None
        runner = web.ServerRunner(QuietServer(application.server), shutdown_timeout=_GRACE_SECONDS)
        await runner.setup()
        try:
            base_url = await _listen(runner, setup.host, setup.port)
            client_id = database.setting("client_id")
            client_secret = SecretStr(database.setting("client_secret"))
            announce(Endpoint(base_url, client_id, client_secret))
            await stop.wait()
        finally:
            await runner.cleanup()
            await application.cleanup()
    finally:
        database.close()


def _create(
    planted: Planted, database: Database, behaviour: Behaviour, seed: SeedFile | None
) -> None:
    """Create the assets of a seed that do not exist yet, each checked like a request."""
    contract = load_contract(behaviour.version)
    for number, (kind, body) in enumerate(planted):
        try:
            Assets(kind, database, behaviour, contract).create(json.dumps(body).encode())
        except ApiError as error:
            if error.status != HTTPStatus.CONFLICT:
                assert seed is not None
                raise SeedError(
                    f"the asset {body['meta']['name']} is refused: {error.message}",
                    where=seed.where("assets", number),
                    fix="Write meta and spec as in a request of this Run:ai version.",
                ) from error


async def _listen(runner: web.BaseRunner, host: str, port: int) -> str:
    """Start to listen; the address as a base URL."""
    if not _is_loopback(host):
        _LOG.warning("the sandbox listens on %s, where others can reach it, without TLS", host)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise SandboxError(
            f"the sandbox cannot listen on {host}:{port}: {error.strerror}",
            fix="Choose another port (0 for any free one) or an address of this machine.",
        ) from error
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{runner.addresses[0][1]}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
