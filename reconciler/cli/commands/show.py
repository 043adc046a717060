"""`reconcile show`."""

from pathlib import Path

import click

from reconciler.cli.formats import Output
from reconciler.cli.options import output_option
from reconciler.cli.output import write_outputs
from reconciler.cli.place import Globals
from reconciler.planfile.reader import read_plan_file
from reconciler.render.escape import json_line


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile show plan.json\n"
    "  reconcile show plan.json -o json\n"
    "  reconcile show plan.json -o markdown=comment.md -o html=plan.html"
)
@click.argument("plan_file", metavar="PLAN", type=click.Path(dir_okay=False, path_type=Path))
@output_option("The formats of `reconcile plan`, repeatable.")
@click.pass_obj
def command(place: Globals, plan_file: Path, outputs: tuple[Output, ...]) -> None:
    """Print a plan that `reconcile plan --out FILE` saved. Touches no live system."""
    saved = read_plan_file(plan_file)
    for output in outputs:
        if output.format == "json":  # as it was saved, with its time and version
            output.put(f"{json_line(saved.document)}\n")
    rest = [output for output in outputs if output.format != "json"]
    write_outputs(saved.plan, saved.header, rest, place)
