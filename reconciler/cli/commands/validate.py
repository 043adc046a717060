"""`reconcile validate`."""

from collections import Counter

import click

from reconciler.cli.main import Globals
from reconciler.session import read_config, read_manifests


@click.command(epilog="Examples:\n\n\b\n  reconcile validate\n  reconcile -C infra validate")
@click.pass_obj
def command(place: Globals) -> None:
    """Check manifests and reconciler.yaml: no network, no credentials, no variables.

    All errors of all files are reported together, each with file, line, column and what to do.
    """
    config = read_config(place)
    resources = read_manifests(config, None)
    kinds = Counter(resource.key.kind for resource in resources)
    listing = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    if not resources:
        where = config.manifests.relative_to(config.root)
        click.echo(f"Warning: there is no manifest (*.yaml, *.yml) in {where}.", err=True)
    click.echo(f"Valid: {len(resources)} resources{f' ({listing})' if listing else ''}.")
