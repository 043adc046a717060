"""`reconcile lock`."""

import os
from collections.abc import Sequence
from contextlib import closing

import click

from reconciler.cli.options import target_option
from reconciler.cli.place import ExitCode, Globals
from reconciler.config import resolve_target
from reconciler.errors import ConfigError
from reconciler.kinds.image import IMAGE
from reconciler.providers.docker.lock import (
    LockChange,
    base_references,
    check_lock,
    update_lock,
)
from reconciler.providers.docker.registry import Registries
from reconciler.providers.docker.registry_http import Connection
from reconciler.rayfine.image.lockfile import LOCK_FILE, LockFile, read_lock, write_lock
from reconciler.support.plain_file import write_whole
from reconciler.workflow.session import read_config
from reconciler.workflow.target_manifests import read_stated


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile lock --target production     # pin, then commit reconciler.lock\n"
    "  reconcile lock --check                 # has a base image moved on? 2 if so\n\n"
    "A base that exists only on engines, in no registry, is stated by hand in reconciler.lock as "
    '"local": then its name is its identity.'
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 if a base has moved on.")
@target_option
@click.pass_context
def command(ctx: click.Context, /, check: bool, target: str | None) -> ExitCode:
    """Pin the base images of all RayfineImages to their digests in reconciler.lock.

    Asks the registries, not an engine. A locked base is the same on every machine and every day; a
    new digest shows up in the next plan as a change of `base`. Entries of other targets stay as
    they are.
    """
    place: Globals = ctx.obj
    config = read_config(place)
    chosen = resolve_target(config, target, os.environ)
    if chosen.docker is None:
        raise ConfigError(
            f"target {chosen.name!r} has no `docker`, so there is no base image to lock",
            where=config.path.name,
            fix="choose a target with a Docker engine: --target NAME",
        )
    images = [item for item in read_stated(config, chosen.name) if item.key.kind == IMAGE.name]
    path = config.root / LOCK_FILE
    lock = read_lock(path)
    references = list(base_references(images, config.root, chosen.docker.base_image or ""))
    connection = Connection(chosen.ca_bundle, chosen.proxies, chosen.timeout)
    with closing(Registries(connection)) as registries:
        changes = check_lock(lock, references, registries)
        _tell(changes, len(references))
        if check:
            return ExitCode.CHANGES if changes else ExitCode.OK
        updated = update_lock(lock, references, registries) if changes else lock
    if changes:
        write_whole(path, write_lock(LockFile({**lock.bases, **updated.bases})))
        click.echo(f"Wrote {path.name}. Commit it; the next plan shows what it changes.")
    return ExitCode.OK


def _tell(changes: Sequence[LockChange], count: int) -> None:
    for change in changes:
        click.echo(f"{change.reference}: {change.before or 'not locked'} -> {change.after}")
    if not changes:
        click.echo(f"Up to date: {count} base image{'' if count == 1 else 's'}.")
