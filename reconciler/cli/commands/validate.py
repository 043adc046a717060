"""`reconcile validate`."""

from collections import Counter

import click

from reconciler.cli.main import Globals
from reconciler.cli.session import read_config, read_every_target


@click.command(epilog="Examples:\n\n\b\n  reconcile validate\n  reconcile -C infra validate")
@click.pass_obj
def command(place: Globals) -> None:
    """Check manifests, overlays and reconciler.yaml: no network, no credentials, no variables.

    All errors of all files are reported together, each with file, line, column and what to do.
    """
    config = read_config(place)
    resources, patched = read_every_target(config)
    kinds = Counter(resource.key.kind for resource in resources)
    listing = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    if not resources:
        where = config.manifests.relative_to(config.root)
        click.echo(f"Warning: there is no manifest (*.yaml, *.yml) in {where}.", err=True)
    overlays = f"; overlays of {', '.join(patched)}" if patched else ""
    click.echo(f"Valid: {len(resources)} resources{f' ({listing})' if listing else ''}{overlays}.")
