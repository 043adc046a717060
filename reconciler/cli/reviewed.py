"""`--if-comparable` and `--reviewed` on the command line: what is a warning, and the exit code."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.exit_codes import ExitCode
from reconciler.core.header import Header
from reconciler.core.plan import Plan, is_digest
from reconciler.core.planner import PlanInput
from reconciler.errors import ConfigError, ReconcileError
from reconciler.planfile.reader import SavedPlan, read_plan_file
from reconciler.render.escape import printable
from reconciler.workflow.approved import compare_with
from reconciler.workflow.session import Session
from reconciler.workflow.since import attribute


def with_causes(header: Header, saved: SavedPlan, plan: Plan) -> Header:
    """The header with whose change each one is, as the approved plan says, which is the same."""
    if plan.failures:  # nothing was compared
        return header
    going = {change.address for change in plan.changes}
    known = {name: cause for name, cause in saved.review.causes.items() if name in going}
    review = replace(header.review, since=saved.review.since, causes=known, note=saved.review.note)
    return replace(header, review=review)


def compare_if_possible(reviewed: Sequence[str], plan: Plan, header: Header) -> Header:
    """`compare_with`, where the reviewed plan is anybody's data: a useless one stops nothing.

    The header, and standard error, say then why nothing was compared.
    """
    try:
        return compare_with(reviewed, plan, header)
    except ReconcileError as error:
        why = f"{error.where}: {error.what}" if error.where else error.what
        click.echo(f"Warning: nothing was compared: {printable(why)}", err=True)
        return replace(header, review=replace(header.review, uncompared=why))


def review_exit_code(reviewed: Sequence[str], plan: Plan, header: Header) -> ExitCode:
    """3 if something was approved and nothing is left of it to do, which is said; else 0."""
    if plan.pending or plan.refused or not header.review.differs:
        return ExitCode.OK
    if not is_digest(reviewed[0]) and not any(_was_pending(name) for name in reviewed):
        return ExitCode.OK
    click.echo(
        "Error: changes were approved, and there is nothing to do now: somebody else applied or "
        "undid them, or this plan is of other manifests.",
        err=True,
    )
    return ExitCode.STALE


def _was_pending(name: str) -> bool:
    return bool(read_plan_file(Path(name)).plan.pending)


def attribute_if_possible(world: PlanInput, plan: Plan, session: Session, since: str) -> Header:
    """`attribute`, where a ref that is not there stops nothing: the header says why then."""
    try:
        return attribute(world, plan, session, since)
    except ConfigError as error:
        click.echo(f"Warning: changes are not attributed: {printable(error.what)}", err=True)
        note = f"changes are not attributed, because {error.what}"
        review = replace(session.header.review, since=since, note=note)
        return replace(session.header, review=review)
