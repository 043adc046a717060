"""`reconcile plan`."""

from pathlib import Path

import click

from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import PlanOptions, plan_options
from reconciler.cli.output import emit, plan_exit_code, save
from reconciler.session import open_session, plan_session


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile plan                                  # the default target\n"
    "  reconcile plan --target production --out plan.json\n"
    "  reconcile plan --only 'RunaiEnvironment.*' --detailed-exitcode\n"
    "  reconcile plan -o text -o json=plan.json"
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Save the plan for `reconcile show FILE` and `reconcile apply FILE`.",
)
@plan_options
def command(options: PlanOptions, out: Path | None) -> ExitCode:
    """Show what apply would change on a target. Sends no write.

    Reads the manifests and the live systems and prints the difference. Exit code 0; with
    --detailed-exitcode 2 if there are changes; 4 if any change is blocked or in conflict; 1 if a
    system could not be read.
    """
    with open_session(options) as session:
        plan = plan_session(session, options)
        emit(plan, session.header, options)
        if out is not None:
            save(plan, session.header, options, out)
    return plan_exit_code(plan, detailed=options.detailed_exitcode)
