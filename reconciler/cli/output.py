"""Where rendered plans go, and which exit code a plan or an apply stands for."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler import __version__
from reconciler.apply import Outcome, Status
from reconciler.cli.exit_codes import ExitCode, strongest
from reconciler.cli.main import Globals
from reconciler.cli.options import PlanOptions
from reconciler.plan import Plan
from reconciler.plan_file import write_plan_file
from reconciler.render.style import Style
from reconciler.render.text import Header, render_plan


def render(plan: Plan, header: Header, form: str, style: Style) -> str:
    """The plan in one of `options.FORMATS`."""
    if form == "json":
        from reconciler.render.json_plan import render_json  # noqa: PLC0415  (only if asked for)

        return render_json(plan, header, datetime.now(UTC), __version__)
    return render_plan(plan, header, style)


def emit(plan: Plan, header: Header, options: PlanOptions) -> None:
    """Print or write every output that was asked for."""
    for output in options.outputs:
        if output.path is None:
            show(render(plan, header, output.format, style_of(options.place)))
        else:
            write_plan_file(output.path, render(plan, header, output.format, Style()))


def save(plan: Plan, header: Header, path: Path) -> None:
    """Write a plan file and say how to use it."""
    write_plan_file(path, render(plan, header, "json", Style()))
    click.echo(f"Saved the plan to {path}. Apply it with: reconcile apply {path} --apply", err=True)


def show(text: str) -> None:
    """Print to standard output as it is."""
    sys.stdout.write(text)


def style_of(place: Globals) -> Style:
    """The style for standard output."""
    return Style(colour=place.colour_for(sys.stdout))


def plan_exit_code(plan: Plan, *, detailed: bool) -> ExitCode:
    """What a plan that is not carried out stands for."""
    codes = [ExitCode.OK]
    if not plan.complete:
        codes.append(ExitCode.ERROR)
    if plan.refused:
        codes.append(ExitCode.REFUSED)
    if plan.pending and detailed:
        codes.append(ExitCode.CHANGES)
    return strongest(codes)


def apply_exit_code(plan: Plan, outcomes: Sequence[Outcome]) -> ExitCode:
    """What an apply stands for: 1 if nothing at all was applied, 5 if only a part was."""
    codes = [ExitCode.OK]
    if plan.refused:
        codes.append(ExitCode.REFUSED)
    applied = sum(outcome.status is Status.APPLIED for outcome in outcomes)
    if applied < len(outcomes):
        codes.append(ExitCode.PARTIAL if applied else ExitCode.ERROR)
    return strongest(codes)
