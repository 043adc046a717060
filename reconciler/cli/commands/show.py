"""`reconcile show`."""

from pathlib import Path

import click

from reconciler.cli.main import Globals
from reconciler.cli.options import FORMATS
from reconciler.cli.output import render, show, style_of
from reconciler.plan_file import read_plan_file
from reconciler.render.text import Header


@click.command(
    epilog="Examples:\n\n\b\n  reconcile show plan.json\n  reconcile show plan.json -o json"
)
@click.argument("plan_file", metavar="PLAN", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o", "--output", "form", type=click.Choice(FORMATS), default="text", show_default=True
)
@click.pass_obj
def command(place: Globals, plan_file: Path, form: str) -> None:
    """Print a plan that `reconcile plan --out FILE` saved. Touches no live system."""
    saved = read_plan_file(plan_file)
    if form == "json":
        show(plan_file.read_text(encoding="utf-8"))
        return
    header = Header(
        saved.plan.target, saved.description, saved.commit, saved.review, saved.selection
    )
    show(render(saved.plan, header, form, style_of(place)))
