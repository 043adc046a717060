"""`reconcile plan`."""

from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.attribution import attribute
from reconciler.cli.exit_codes import ExitCode, strongest
from reconciler.cli.options import PlanOptions, plan_options
from reconciler.cli.output import emit, plan_exit_code, save
from reconciler.cli.reviewed import compare_with, review_exit_code
from reconciler.cli.session import compare, finish_plan, header_for, open_session, read_world
from reconciler.selection import apply_selection


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile plan                                  # the default target\n"
    "  reconcile plan --target production --out plan.json\n"
    "  reconcile plan --only 'RunaiEnvironment.*' --detailed-exitcode\n"
    "  reconcile plan -o text -o json=plan.json\n"
    "  reconcile plan --since origin/main              # whose change is it\n"
    "  reconcile plan --repo https://git.example.com/infra.git --ref v1.2\n"
    "  reconcile plan --reviewed plan.json             # what is new since that plan"
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Save the plan for `reconcile show FILE` and `reconcile apply FILE`.",
)
@click.option(
    "--since",
    metavar="REF",
    help="Say whose change each one is: this branch's since it left REF, or drift.",
)
@click.option(
    "--reviewed",
    metavar="FILE|DIGEST",
    help="Compare with the plan that was reviewed: its file, or its digest (same or not).",
)
@plan_options
def command(
    options: PlanOptions, out: Path | None, since: str | None, reviewed: str | None
) -> ExitCode:
    """Show what apply would change on a target. Sends no write.

    Reads the manifests and the live systems and prints the difference. Exit code 0; with
    --detailed-exitcode 2 if there are changes; 3 if changes were reviewed and none is left; 4 if
    any change is blocked or in conflict; 1 if a system could not be read.
    """
    with open_session(options) as session:
        world = read_world(session)
        whole = compare(world)
        plan = finish_plan(whole, apply_selection(whole, options.selection), session, options)
        header = header_for(whole, plan, session, options)
        if since is not None:
            header = attribute(world, plan, replace(session, header=header), since)
        codes = [plan_exit_code(plan, detailed=options.detailed_exitcode)]
        if reviewed is not None:
            header = compare_with(reviewed, plan, header)
            codes.append(review_exit_code(reviewed, plan, header))
        emit(plan, header, options)
        if out is not None:
            save(plan, header, options, out)
    return strongest(codes)
