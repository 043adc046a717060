"""`reconcile sandbox`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from reconciler.cli.options import EXISTING_FILE, FILE, PORT
from reconciler.cli.place import Globals
from reconciler.errors import SandboxError
from reconciler.sandbox import (
    Behaviour,
    Endpoint,
    behaviour_from_environment,
    parse_behaviour,
    serve,
)
from reconciler.sandbox.switches import settings_help

_DATABASE = Path(".reconcile/sandbox.db")


@click.command(
    epilog=f"Switches, with --set NAME=VALUE (or the variable RECONCILE_SANDBOX_NAME):\n\n\b\n"
    f"{settings_help()}\n\n"
    "A seed file:\n\n\b\n"
    "  clusters:\n"
    "    - name: main\n"
    "      departments:\n"
    "        - {name: default, projects: [team-a, team-b]}\n"
    "  credentials:\n"
    "    - {name: hf-token, type: generic-secret, keys: [TOKEN]}\n"
    "  usage:\n"
    "    - {kind: environment, name: jupyter, templates: [starter]}\n\n"
    "Examples:\n\n\b\n"
    "  reconcile sandbox\n"
    "  reconcile sandbox --port 8099 --seed tenants.yaml\n"
    "  reconcile sandbox --set version=2.20 --set denied=clusters,credentials\n"
    "  reconcile sandbox --set absent=null --set visibility-lag=0.5"
)
@click.option(
    "--database",
    **FILE,
    help=f"SQLite file that keeps everything; default: {_DATABASE}.",
)
@click.option(
    "--seed",
    **EXISTING_FILE,
    help="YAML file with clusters, departments, projects, credentials and usage.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on.",
)
@click.option("--port", **PORT, default=0, help="Port; default: a free one.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A switch; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Announce the endpoint as one JSON line.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    database: Path | None,
    seed: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
    **address: Any,
) -> None:
    """Run the embedded Run:ai control plane in the foreground, until Ctrl-C.

    It keeps clusters, departments, projects and assets in one SQLite file and answers the part of
    the Run:ai API that reconcile uses: for trials, tests and demonstrations. It prints how to point
    a client at it. By default it holds cluster `main`, department `default` and projects `team-a`
    and `team-b`.
    """
    place: Globals = ctx.obj
    serve(
        database or place.directory / _DATABASE,
        seed=seed,
        behaviour=_behaviour(settings),
        **address,
        announce=_announce_json if as_json else _announce,
    )


def _behaviour(settings: tuple[str, ...]) -> Behaviour:
    given = dict(item.partition("=")[::2] for item in settings)
    for item in settings:
        if "=" not in item:
            raise SandboxError(f"--set {item!r} has no value", fix="Write it as NAME=VALUE.")
    return parse_behaviour(given) if given else behaviour_from_environment(os.environ)


def _announce(endpoint: Endpoint) -> None:
    click.echo(
        f"The sandbox listens on {endpoint.base_url}\n\n"
        "Point a client at it with:\n\n"
        f"  export RUNAI_BASE_URL={endpoint.base_url}\n"
        f"  export RUNAI_CLIENT_ID={endpoint.client_id}\n"
        f"  export RUNAI_CLIENT_SECRET={endpoint.client_secret.get_secret_value()}\n\n"
        "and a target of reconciler.yaml like this:\n\n"
        "  runai:\n"
        "    base_url: {env: RUNAI_BASE_URL}\n"
        "    client_id: {env: RUNAI_CLIENT_ID}\n"
        "    client_secret: {env: RUNAI_CLIENT_SECRET}\n\n"
        "Stop it with Ctrl-C."
    )
    sys.stdout.flush()


def _announce_json(endpoint: Endpoint) -> None:
    document = {
        "base_url": endpoint.base_url,
        "client_id": endpoint.client_id,
        "client_secret": endpoint.client_secret.get_secret_value(),
    }
    click.echo(json.dumps(document))
    sys.stdout.flush()
