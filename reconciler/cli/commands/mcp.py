"""`reconcile mcp`."""

import gc
import os
import secrets
from typing import Any, NoReturn

import click

from reconciler.cli.options import (
    PORT,
    checked_token,
    config_from_option,
    parallelism_option,
    target_option,
)
from reconciler.cli.place import ExitCode, Globals
from reconciler.errors import ConfigError, ReconcileError
from reconciler.workflow.opening import open_config
from reconciler.workflow.plan_request import PlanRequest

TOKEN = "RECONCILE_MCP_TOKEN"  # noqa: S105  (the name of a variable)


@click.command(
    epilog="Tools: validate, plan, explain, get, list_objects, propose_manifest, propose_removal; "
    "with --allow-writes also apply_plan, which carries out a plan by the digest that plan "
    "returned.\n\n"
    "Over standard input and output the client starts the server itself. Over HTTP it listens on "
    "127.0.0.1 only; every request needs the token.\n\n"
    "Examples:\n\n\b\n"
    "  reconcile mcp                              # for a client that starts it\n"
    "  reconcile -C infra mcp --target staging\n"
    "  reconcile mcp --config-from origin/main    # a checkout that others can edit\n"
    "  reconcile mcp --http 8765                  # prints the URL and a new token\n"
    "  reconcile mcp --http 8765 --token-env RECONCILE_MCP_TOKEN --allow-writes"
)
@click.option(
    "--http",
    "port",
    **PORT,
    help="Serve streamable HTTP on this port of 127.0.0.1 (0: a free one).",
)
@click.option(
    "--token-env",
    metavar="NAME",
    help=f"The variable with the token for --http.  [default: {TOKEN}; if that is not set, a new "
    "token is printed to standard error]",
)
@click.option(
    "--allow-writes", is_flag=True, help="Offer the tool that applies a plan by its digest."
)
@parallelism_option
@config_from_option(", at every call")
@target_option
@click.pass_obj
def command(
    place: Globals,
    /,
    port: int | None,
    token_env: str | None,
    allow_writes: bool,
    **given: Any,
) -> ExitCode:
    """Serve the project to models by the Model Context Protocol. Read-only by default.

    Needs the extra `mcp`: pip install 'reconciler[mcp]'. Texts from live objects reach the client
    as escaped data. A client cannot override a guard.
    """
    _require_sdk()
    if token_env is not None and port is None:
        raise click.UsageError("--token-env is for --http")
    asked = PlanRequest(place, **given)
    with open_config(asked):
        pass  # what is wrong with it is said before a client comes
    gc.enable()  # a server is long-lived; see `main`
    from reconciler.mcp_server.protocol import make_server, serve_stdio  # noqa: PLC0415  (SDK)
    from reconciler.mcp_server.workspace import Workspace  # noqa: PLC0415

    workspace = Workspace(asked)
    server = make_server(workspace, allow_writes=allow_writes)
    try:
        if port is None:
            serve_stdio(server, lambda: _end(workspace))
        else:
            _serve_http(server, port, token_env)
            click.echo("Stopped.", err=True)
    finally:
        workspace.close()
    return ExitCode.OK


def _end(workspace: Any) -> NoReturn:
    """End a server that waits for its client, once the writes that have begun are done."""
    workspace.close()
    click.echo("Stopped.", err=True)
    os._exit(ExitCode.OK)


def _serve_http(server: Any, port: int, token_env: str | None) -> None:
    from reconciler.mcp_server.http import listen, serve_http  # noqa: PLC0415  (SDK)

    token, generated = _token(token_env)
    try:
        listening = listen(port)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on port {port}: {error.strerror or error}",
            where="--http",
            fix="choose another port, or 0 for a free one",
        ) from error

    def announce(url: str) -> None:
        click.echo(f"Serving MCP on {url}", err=True)
        if generated:
            click.echo(f"Token: {token}", err=True)

    with listening:
        serve_http(server, listening, token, announce)


def _token(name: str | None) -> tuple[str, bool]:
    """The token of the variable, or a new one; and whether it is new."""
    given = os.environ.get(name or TOKEN, "")
    if not given and name is None:
        return secrets.token_urlsafe(32), True
    return checked_token(given, f"variable {name or TOKEN}"), False


def _require_sdk() -> None:
    try:
        import mcp  # noqa: F401, PLC0415  (the question is whether it can be imported)
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise ReconcileError(
            "the MCP SDK is not installed",
            where="reconcile mcp",
            fix="install it with: pip install 'reconciler[mcp]'",
        ) from error
