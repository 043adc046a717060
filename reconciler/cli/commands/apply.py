"""`reconcile apply`."""

from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.carry_out import carry_out
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import PlanOptions, plan_options
from reconciler.cli.output import apply_exit_code, emit, plan_exit_code
from reconciler.errors import ConfigError
from reconciler.plan import Plan
from reconciler.plan_file import SavedPlan, read_plan_file, require_same
from reconciler.session import Session, open_session, plan_session


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile apply                       # a dry run: prints the plan, changes nothing\n"
    "  reconcile apply --apply               # carries it out\n"
    "  reconcile apply plan.json --apply     # only if it is still the plan that was reviewed\n"
    "  reconcile apply --apply --only RunaiEnvironment.old   # this one alone, delete approved"
)
@click.argument(
    "plan_file",
    metavar="[PLAN]",
    required=False,
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option("--apply", "really", is_flag=True, help="Carry the plan out.")
@plan_options
def command(options: PlanOptions, plan_file: Path | None, really: bool) -> ExitCode:
    """Print the plan and, only with --apply, carry it out.

    Creates, updates and replacements come first, deletes last and only if all of those worked.
    With a saved PLAN a new plan is made and compared with it; if anything differs, nothing is done
    and the exit code is 3.
    """
    saved = read_plan_file(plan_file) if plan_file else None
    with open_session(_with_target(options, saved)) as session:
        plan = plan_session(session, options)
        if saved is not None:
            require_same(saved, plan, options.approval)
        emit(plan, session.header, options)
        if not really:
            return _dry_run(plan, options)
        return _apply(plan, session, options)


def _apply(plan: Plan, session: Session, options: PlanOptions) -> ExitCode:
    if not plan.complete:
        click.echo("Error: nothing was applied, because the plan is incomplete.", err=True)
        return ExitCode.ERROR
    outcomes = carry_out(plan, session, options)
    return apply_exit_code(plan, outcomes)


def _dry_run(plan: Plan, options: PlanOptions) -> ExitCode:
    if plan.pending:
        click.echo(
            "This was a dry run: nothing was changed. To carry it out, add --apply.", err=True
        )
    return plan_exit_code(plan, detailed=options.detailed_exitcode)


def _with_target(options: PlanOptions, saved: SavedPlan | None) -> PlanOptions:
    """A saved plan brings its target along."""
    if saved is None:
        return options
    if options.target not in (None, saved.plan.target):
        raise ConfigError(
            f"the plan is for target {saved.plan.target!r}, not {options.target!r}",
            fix="leave --target out, or make a plan for that target",
        )
    return replace(options, target=saved.plan.target)
