"""`reconcile apply`."""

from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.carry_out import carry_out
from reconciler.cli.formats import PlanOptions
from reconciler.cli.options import DIGEST, plan_options, selection_options
from reconciler.cli.output import (
    apply_exit_code,
    emit,
    emit_first,
    emit_result,
    plan_exit_code,
)
from reconciler.cli.place import ExitCode
from reconciler.cli.usage_hints import may_be_address
from reconciler.core.plan import Plan
from reconciler.core.planned import Planned
from reconciler.workflow.approved import for_saved, read_approved
from reconciler.workflow.opening import open_session
from reconciler.workflow.planning import plan_for
from reconciler.workflow.session import Session


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile apply                       # a dry run: prints the plan, changes nothing\n"
    "  reconcile apply --apply               # carries it out\n"
    "  reconcile apply plan.json --apply     # only if it is still the plan that was reviewed\n"
    "  reconcile apply plan.json --only RunaiEnvironment.a --apply   # a part of it\n"
    "  reconcile apply --expect-digest sha256:... --apply\n"
    "  reconcile apply --apply --only RunaiEnvironment.old   # this one alone, delete approved"
)
@click.argument(
    "plan_file",
    metavar="[PLAN]",
    required=False,
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option("--apply", "really", is_flag=True, help="Carry the plan out.")
@click.option(
    "--expect-digest",
    type=DIGEST,
    help="Apply only if the whole plan has this digest.",
)
@selection_options
@plan_options
def command(options: PlanOptions, plan_file: Path | None, really: bool) -> ExitCode:
    """Print the plan and, only with --apply, carry it out.

    Creates, updates and replacements come first, deletes last and only if all of those worked.
    With a saved PLAN, or the digest of one, a new plan is made and compared with it; if anything
    differs, nothing is done and the exit code is 3. --only and --exclude choose from a saved plan.
    """
    _require_one_target(options)
    if plan_file is not None and may_be_address(str(plan_file)) and not plan_file.exists():
        words = f"reconcile apply --only {plan_file}"
        raise click.UsageError(f"{plan_file} is no file; an address goes with --only: {words}")
    saved = read_approved(plan_file) if plan_file else None
    if saved is not None:
        options = for_saved(options, saved)
    with open_session(options) as session:
        return finish(plan_for(session, options, saved), session, options, really)


def finish(planned: Planned, session: Session, options: PlanOptions, really: bool) -> ExitCode:
    """Print the plan and carry it out, unless that was not asked for or the plan is incomplete."""
    plan = planned.plan
    if not really or plan.failures:
        emit(planned, options)
        return _dry_run(plan, options) if not really else _refuse()
    emit_first(planned, _without_printed_annotations(options))
    outcomes = carry_out(plan, session, options)
    emit_result(planned, outcomes, options)
    return apply_exit_code(plan, outcomes)


def _without_printed_annotations(options: PlanOptions) -> PlanOptions:
    """A runner shows ten of each level: those of the outcomes are wanted, which come afterwards."""
    kept = (item for item in options.outputs if item.path or item.format != "annotations")
    return replace(options, outputs=tuple(kept))


def _refuse() -> ExitCode:
    click.echo("Error: nothing was applied, because the plan is incomplete.", err=True)
    return ExitCode.ERROR


def _dry_run(plan: Plan, options: PlanOptions) -> ExitCode:
    if plan.pending:
        click.echo(
            "This was a dry run: nothing was changed. To carry it out, add --apply.", err=True
        )
    return plan_exit_code(plan, detailed=options.detailed_exitcode)


def _require_one_target(options: PlanOptions) -> None:
    """Each target is approved and applied by itself: half of an apply of two is hard to name."""
    if len(options.targets) > 1:
        raise click.UsageError(
            "apply takes one target at a time: run it once for each, in the order that you want"
        )
