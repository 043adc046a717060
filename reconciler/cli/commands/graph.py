"""`reconcile graph`."""

from pathlib import Path

import click

from reconciler.cli.options import FILE, target_option
from reconciler.cli.place import Globals, show
from reconciler.config import offline_target
from reconciler.planfile.reader import read_plan_file
from reconciler.render.graph import dot, manifest_graph, mermaid
from reconciler.workflow.session import read_config
from reconciler.workflow.target_manifests import read_stated


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile graph | dot -Tsvg > graph.svg\n"
    "  reconcile graph --format mermaid\n"
    "  reconcile graph --plan plan.json --format mermaid"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["dot", "mermaid"]),
    default="dot",
    show_default=True,
    help="The language of Graphviz, or Mermaid, which GitHub draws.",
)
@click.option(
    "--plan",
    "plan_file",
    **FILE,
    help="A saved plan: what it does to each object is written and coloured.",
)
@target_option
@click.pass_obj
def command(place: Globals, /, form: str, plan_file: Path | None, target: str | None) -> None:
    """Print which resources need which others: no network, no credentials.

    An arrow leads from a resource to those that need it. The target's overlays are applied.
    """
    config = read_config(place)
    saved = read_plan_file(plan_file) if plan_file else None
    if target is None:
        target = saved.plan.target if saved else config.default_target
        target = target if target in config.sections else None  # a plan may be of elsewhere
    if target is not None:
        offline_target(config, target)  # an unknown name is an error
    graph = manifest_graph(read_stated(config, target), saved.plan if saved else None)
    show(mermaid(graph) if form == "mermaid" else dot(graph))
