"""`reconcile schema`."""

from importlib.resources import files

import click

from reconciler.cli.place import show
from reconciler.json_schema import config_schema, manifest_schema, overlay_schema, to_json

_MODELS = {"manifest": manifest_schema, "overlay": overlay_schema, "config": config_schema}


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile schema > manifest.schema.json\n"
    "  reconcile schema overlay > overlay.schema.json\n"
    "  reconcile schema config > reconciler.schema.json\n\n"
    "Editors complete and check what the schema says. In Visual Studio Code, with the YAML\n"
    "extension, .vscode/settings.json applies it to every document of every file:\n\n\b\n"
    '  {"yaml.schemas": {"manifest.schema.json": "manifests/**", "overlay.schema.json": '
    '"overlays/**"}}'
)
@click.argument("what", type=click.Choice([*_MODELS, "plan"]), default="manifest", required=False)
def command(what: str) -> None:
    """Print the JSON Schema (2020-12) of manifests, overlays, reconciler.yaml or the JSON plan."""
    if what == "plan":
        show((files("reconciler.planfile") / "plan.schema.json").read_text(encoding="utf-8"))
    else:
        show(to_json(_MODELS[what]()))
