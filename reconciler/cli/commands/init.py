"""`reconcile init`."""

import itertools
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import click

from reconciler.cli.options import Matching
from reconciler.cli.place import Globals, show
from reconciler.config import CONFIG_NAME, Config, parse_config, resolve_target
from reconciler.errors import ConfigError, ReconcileError
from reconciler.git.head import origin_url
from reconciler.git.process import find_top
from reconciler.providers.systems import describe_target, open_providers
from reconciler.support.plain_file import write_whole

_PRODUCTION = "production"
_CONFIG = """\
apiVersion: reconciler/v1
stack: "{stack}"  # written on every object it owns: no other repository may use this name
default_target: sandbox
targets:
  sandbox:  # an embedded control plane, to try things out
    runai: {{sandbox: .reconcile/sandbox.db}}
  production:
    runai:
      base_url: {{env: RUNAI_BASE_URL}}
      {credentials}
"""
_SERVICE_ACCOUNT = (
    "client_id: {env: RUNAI_CLIENT_ID}\n      client_secret: {env: RUNAI_CLIENT_SECRET}"
)
_TOKEN = "token: {env: RUNAI_TOKEN}"  # noqa: S105  (the name of a variable)
_EXAMPLE = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: example-notebook}
spec:
  scope: cluster
  image: jupyter/scipy-notebook
  workload_types: [workspace]
  tools: [jupyter]
"""
_IGNORED = ".reconcile/"


_STACK = Matching("NAME", re.compile("[a-z0-9-]{1,32}").fullmatch, "not 1 to 32 of a-z, 0-9 and -")


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile init                          # the stack is named after the repository\n"
    "  reconcile init --stack vision-images\n"
    "  reconcile -C teams/vision init"
)
@click.option(
    "--stack",
    type=_STACK,
    help="Name of the stack; default: the repository's, or one like it that is free.",
)
@click.pass_obj
def command(place: Globals, stack: str | None) -> None:
    """Write a reconciler.yaml and an example manifest. Changes no existing file.

    If RUNAI_BASE_URL and its credentials are set, the control plane is read to find a stack name
    that no other repository uses there.
    """
    directory = place.directory
    path = directory / CONFIG_NAME
    for existing in (path, path.with_suffix(".yml")):
        if os.path.lexists(existing):
            raise ConfigError(
                f"there is a {existing.name} already",
                where=str(directory),
                fix="edit it, or choose another directory with -C DIR",
            )
    taken, looked_at = _stacks_in_use(path)
    if stack in taken:
        raise ConfigError(
            f"stack {stack} is in use on the {looked_at}",
            fix="choose another name; or leave --stack out, and a free one is taken",
        )
    chosen = stack or next(name for name in _variants(_proposal(directory)) if name not in taken)
    write_whole(path, _config_text(chosen, os.environ))
    written = [CONFIG_NAME, *_write_example(directory), *_ignore_sandbox(directory)]
    show(f"Wrote {', '.join(written)}. The stack is {chosen}.\n")
    if looked_at:
        show(f"No object on the {looked_at} belongs to a stack of this name.\n")
    else:
        show(
            "No control plane was asked whether another repository uses this name: RUNAI_BASE_URL "
            "is not set.\n"
        )
    show("Next: reconcile plan\n")


def _config_text(stack: str, environ: Mapping[str, str]) -> str:
    credentials = _TOKEN if environ.get("RUNAI_TOKEN") else _SERVICE_ACCOUNT
    return _CONFIG.format(stack=stack, credentials=credentials)


def _stacks_in_use(path: Path) -> tuple[Collection[str], str]:
    """The stacks on the control plane of the variables, and which that is; empty without any."""
    if not os.environ.get("RUNAI_BASE_URL"):
        return (), ""
    config: Config = parse_config(path, _config_text("x", os.environ).encode())
    target = resolve_target(config, _PRODUCTION, os.environ)
    described = describe_target(target, config.root)
    try:
        with open_providers(target, config.root, parallelism=2) as providers:
            live = [item for provider in providers.values() for item in provider.read_alone()]
    except ReconcileError as error:
        error.fix += "; or unset RUNAI_BASE_URL to go on without asking"
        raise
    return {item.mark.stack for item in live if item.mark is not None}, described


def _proposal(directory: Path) -> str:
    """The name of the repository, and of the directory in it if that is not its top."""
    top = find_top(directory)
    if top is None:
        return _slug(directory.resolve().name)
    name = Path((origin_url(directory) or str(top)).removesuffix(".git")).name
    inside = directory.resolve().relative_to(top.resolve()).parts
    return _slug("-".join((name, *inside)))


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:32].strip("-") or "images"


def _variants(name: str) -> Iterator[str]:
    yield name
    for number in itertools.count(2):
        end = f"-{number}"
        yield name[: 32 - len(end)] + end


def _write_example(directory: Path) -> Iterator[str]:
    if os.path.lexists(directory / "manifests"):
        return
    write_whole(directory / "manifests" / "example.yaml", _EXAMPLE)
    yield "manifests/example.yaml"


def _ignore_sandbox(directory: Path) -> Iterator[str]:
    path = directory / ".gitignore"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    if _IGNORED in lines or find_top(directory) is None:
        return
    write_whole(path, "\n".join((*lines, _IGNORED, "")))
    yield ".gitignore"
