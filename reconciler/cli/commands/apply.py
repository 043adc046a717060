"""`reconcile apply`."""

from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.carry_out import carry_out
from reconciler.cli.exit_codes import ExitCode
from reconciler.cli.options import DigestType, plan_options, selection_options
from reconciler.cli.output import (
    apply_exit_code,
    emit,
    emit_first,
    emit_result,
    plan_exit_code,
)
from reconciler.cli.plan_options import PlanOptions
from reconciler.cli.reviewed import with_causes
from reconciler.cli.usage_hints import may_be_address
from reconciler.core.header import Header
from reconciler.core.plan import Plan
from reconciler.core.selection import apply_selection
from reconciler.errors import ReconcileError, StalePlanError
from reconciler.planfile.reader import SavedPlan, read_plan_file
from reconciler.planfile.staleness import require_digest
from reconciler.workflow.approved import plan_approved
from reconciler.workflow.opening import open_session
from reconciler.workflow.session import (
    Session,
    finish_plan,
    header_for,
    plan_everything,
)


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
    type=DigestType(),
    metavar="DIGEST",
    help="Only if the plan as a whole has this digest: what was reviewed, without its file.",
)
@selection_options
@plan_options
def command(
    options: PlanOptions, plan_file: Path | None, really: bool, expect_digest: str | None
) -> ExitCode:
    """Print the plan and, only with --apply, carry it out.

    Creates, updates and replacements come first, deletes last and only if all of those worked.
    With a saved PLAN, or the digest of one, a new plan is made and compared with it; if anything
    differs, nothing is done and the exit code is 3. --only and --exclude choose from a saved plan.
    """
    _require_one_target(options)
    if plan_file is not None and may_be_address(str(plan_file)) and not plan_file.exists():
        words = f"reconcile apply --only {plan_file}"
        raise click.UsageError(f"{plan_file} is no file; an address goes with --only: {words}")
    saved = read_plan_file(plan_file) if plan_file else None
    if saved is not None and saved.offline:
        raise ReconcileError(
            "this plan was made offline: nobody has looked at what is live",
            where=str(plan_file),
            fix="make a plan without --offline",
        )
    with open_session(_with_target(options, saved)) as session:
        whole = plan_everything(session)
        if saved is not None:
            trusted = expect_digest is None
            plan = plan_approved(whole, saved, session, options, trusted=trusted)
        else:
            chosen = apply_selection(whole, options.selection)
            plan = finish_plan(whole, chosen, session, options)
        if expect_digest is not None and not plan.failures:
            require_digest(expect_digest, whole, plan)
        header = header_for(whole, plan, session, options)
        header = with_causes(header, saved, plan) if saved is not None else header
        return finish(plan, header, session, options, really)


def finish(
    plan: Plan, header: Header, session: Session, options: PlanOptions, really: bool
) -> ExitCode:
    """Print the plan and carry it out, unless that was not asked for or the plan is incomplete."""
    if not really or plan.failures:
        emit(plan, header, options)
        return _dry_run(plan, options) if not really else _refuse()
    emit_first(plan, header, _without_printed_annotations(options))
    outcomes = carry_out(plan, session, options)
    emit_result(plan, header, outcomes, options)
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


def _with_target(options: PlanOptions, saved: SavedPlan | None) -> PlanOptions:
    """A saved plan brings its target along, and what of other histories it may change."""
    if saved is None:
        return options
    if options.target not in (None, saved.plan.target):
        raise StalePlanError(
            "the saved plan is stale; nothing was changed\n  target: approved "
            f"{saved.plan.target}, now {options.target} (the target changed)",
            fix="leave --target out, or make a plan for that target",
        )
    accepted = saved.plan.accepted
    prefix = "take-over "
    names = (word.removeprefix(prefix) for word in accepted if word.startswith(prefix))
    approval = replace(
        options.approval,
        rollback=options.approval.rollback or "rollback" in accepted,
        taken_over=options.approval.taken_over.union(names),
    )
    return replace(options, target=saved.plan.target, approval=approval)
