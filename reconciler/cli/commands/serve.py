"""`reconcile serve`."""

import gc
import ipaddress
import json
import secrets
import ssl
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from reconciler.cli.commands.run import interrupted_by_signals
from reconciler.cli.env_options import (
    Chosen,
    choose_image,
    environment_options,
    load_options,
    variable,
    variables,
)
from reconciler.cli.options import EXISTING_FILE, PORT, checked_token, target_option
from reconciler.cli.place import ExitCode, Globals
from reconciler.errors import ConfigError
from reconciler.rayfine import load_env
from reconciler.rayfine.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen, and who may call. `generated`: the token is ours and has to be told."""

    host: str
    port: int
    token: str
    generated: bool
    tls: ssl.SSLContext | None

    def open(self) -> Gateway:
        """Listen, before anything is started. Raises `ConfigError`."""
        try:
            return Gateway((self.host, self.port), self.token, self.tls)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on port {self.port}: {error.strerror or error}",
                where=f"--host {self.host}",
                fix="choose another --port, or leave it out; --host is an address of this machine",
            ) from error


@click.command(
    epilog="All callers share one environment. With --setup or --setup-env it is set up once, "
    "here, and callers cannot change its variables; otherwise they call setup themselves.\n\n"
    "Examples:\n\n\b\n"
    "  reconcile serve affine:latest\n"
    "  reconcile serve RayfineImage.affine --port 8470 --token-env RAYFINE_TOKEN "
    "--setup-env CHUTES_API_KEY\n"
    "  reconcile serve affine --host 0.0.0.0 --tls-cert server.pem --tls-key server.key\n\n"
    "And elsewhere:\n\n\b\n"
    "  reconcile run affine:latest evaluate --url http://127.0.0.1:8470 "
    "--token-env RAYFINE_TOKEN"
)
@click.argument("env")
@click.option("--port", **PORT, default=0, help="Default: a free one.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on; one that others reach needs --tls-cert, or --plain-http.",
)
@click.option(
    "--token-env",
    metavar="NAME",
    help="The variable with the token that callers need; default: a new one is made and printed.",
)
@click.option("--tls-cert", **EXISTING_FILE, help="Certificate chain (PEM): serve https.")
@click.option(
    "--tls-key", **EXISTING_FILE, help="Its private key (PEM); default: in the same file."
)
@click.option(
    "--plain-http", is_flag=True, help="Others may reach it without TLS: a trusted network."
)
@environment_options
@click.option("--json", "as_json", is_flag=True, help="Announce the address as one JSON line.")
@target_option
@click.pass_obj
def command(place: Globals, /, env: str, **given: Any) -> ExitCode:
    """Serve an environment over HTTP until Ctrl-C, for `load_env(..., mode="remote")`.

    ENV is an image, or a RayfineImage of the manifests. Every request needs the token. The
    containers are removed at the end.
    """
    gc.enable()
    listening = _listening(given)
    setup = None
    if given["setup"] or given["setup_env"]:
        setup = variables(given["setup"], given["setup_env"])
    with ExitStack() as stack:
        gateway = stack.enter_context(listening.open())
        try:
            stack.enter_context(interrupted_by_signals("the environment was cleaned up"))
            chosen = choose_image(place, env, given["target"], given["docker_host"])
            click.echo(f"Starting {chosen}...", err=True)
            options = {**load_options(given), **chosen.place}
            loaded = stack.enter_context(load_env(chosen.image, **options))
            if setup is not None:
                loaded.setup(**setup)
            gateway.serve(loaded, _names(chosen, env), setup)
            _announce(gateway, chosen, listening, as_json=given["as_json"])
            gateway.wait()
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
    return ExitCode.OK


def _names(chosen: Chosen, env: str) -> list[str]:
    return sorted({env, chosen.image, *filter(None, [chosen.address])})


def _listening(given: dict[str, Any]) -> Listening:
    host = str(given["host"])
    tls = _tls(given["tls_cert"], given["tls_key"])
    if tls is None and not _is_loopback(host) and not given["plain_http"]:
        raise ConfigError(
            "others could reach this address, and read the token on the way",
            where=f"--host {host}",
            fix="give --tls-cert FILE; or, in a network that you trust, --plain-http",
        )
    name = given["token_env"]
    token = (
        checked_token(variable(name, "--token-env"), f"--token-env {name}")
        if name
        else secrets.token_urlsafe(32)
    )
    return Listening(host, int(given["port"]), token, not name, tls)


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key is not None:
            raise ConfigError("there is a key without a certificate", fix="give --tls-cert FILE")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the certificate and its key cannot be used: {error}",
            where=f"--tls-cert {certificate}",
            fix="give a PEM file with the certificate and, with --tls-key, its key",
        ) from error
    return context


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _announce(gateway: Gateway, chosen: Chosen, listening: Listening, *, as_json: bool) -> None:
    if as_json:
        token = {"token": listening.token} if listening.generated else {}
        click.echo(json.dumps({"url": gateway.url, "image": chosen.image, **token}))
    else:
        export = f"  export RAYFINE_TOKEN={listening.token}\n" if listening.generated else ""
        click.echo(
            f"Serving {chosen} on {gateway.url}\n\n"
            f"Call it with the token in RAYFINE_TOKEN:\n\n{export}"
            f"  reconcile run {chosen.image} METHOD --url {gateway.url} "
            "--token-env RAYFINE_TOKEN\n\n"
            "or from Python:\n\n"
            f'  load_env("{chosen.image}", mode="remote", url="{gateway.url}", token=...)\n\n'
            "Stop it with Ctrl-C."
        )
    sys.stdout.flush()
