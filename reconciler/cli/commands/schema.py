"""`reconcile schema`."""

from importlib.resources import files

import click

from reconciler.cli.output import show
from reconciler.schema import config_schema, manifest_schema, to_json


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile schema > manifest.schema.json\n"
    "  reconcile schema config > reconciler.schema.json\n\n"
    "Refer to it from the first line of a manifest, and editors complete and check it:\n\n\b\n"
    "  # yaml-language-server: $schema=../manifest.schema.json"
)
@click.argument(
    "what", type=click.Choice(["manifest", "config", "plan"]), default="manifest", required=False
)
def command(what: str) -> None:
    """Print the JSON Schema (2020-12) of manifests, of reconciler.yaml, or of the JSON plan."""
    if what == "plan":
        show((files("reconciler.render") / "plan.schema.json").read_text(encoding="utf-8"))
    else:
        show(to_json(manifest_schema() if what == "manifest" else config_schema()))
