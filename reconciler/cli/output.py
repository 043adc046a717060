"""Where rendered plans go, and which exit code a plan or an apply stands for."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler import __version__
from reconciler.cli.exit_codes import ExitCode, strongest
from reconciler.cli.files import PRIVATE, write_whole
from reconciler.cli.formats import PAGE_FORMATS, Output
from reconciler.cli.place import Globals
from reconciler.cli.plan_options import PlanOptions
from reconciler.cli.stdout import lose_output, show, style_of
from reconciler.core.header import Header
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan, is_digest
from reconciler.core.planned import Planned
from reconciler.errors import ReconcileError
from reconciler.render.style import Style
from reconciler.render.text import render_plan


def render(plan: Plan, header: Header, form: str, style: Style) -> str:
    """The plan as text, JSON, or its digest."""
    if form == "digest":
        return f"{plan.digest()}\n"
    if form == "json":
        from reconciler.planfile.writer import render_json  # noqa: PLC0415  (only if asked for)

        return render_json(plan, header, datetime.now(UTC), __version__)
    return render_plan(plan, header, style)


def emit(planned: Planned, options: PlanOptions) -> None:
    """Print or write every output that was asked for.

    Raises `ReconcileError`, after all of them, where a page has no room for every destroy.
    """
    if options.events is not None:
        options.events.plan(planned.plan)
    write_outputs(planned.plan, planned.header, options.outputs, options.place)


def emit_result(planned: Planned, outcomes: Sequence[Outcome], options: PlanOptions) -> None:
    """Write what became of the plan. What cannot be written is said: the writes are done."""
    pages = [output for output in options.outputs if output.format in PAGE_FORMATS]
    if not pages:
        return
    from reconciler.cli.pages import write_result  # noqa: PLC0415  (only if asked for)
    from reconciler.render.outcomes import Result  # noqa: PLC0415

    try:
        write_result(Result(planned.plan, planned.header, outcomes), pages, options.place)
    except (ReconcileError, OSError) as error:
        options.place.warn(f"what became of the changes could not be written: {error}")


def write_outputs(plan: Plan, header: Header, outputs: Sequence[Output], place: Globals) -> None:
    """Print or write these outputs; raises as `emit` does."""
    for output in outputs:
        if output.format in PAGE_FORMATS:
            continue
        if output.path is None:
            show(render(plan, header, output.format, style_of(place)))
        else:
            write_whole(output.path, render(plan, header, output.format, Style()))
    pages = [output for output in outputs if output.format in PAGE_FORMATS]
    if pages:
        from reconciler.cli.pages import write_pages  # noqa: PLC0415  (only if asked for)

        write_pages(plan, header, pages, place)


def save(planned: Planned, options: PlanOptions, path: Path) -> None:
    """Write a plan file and say how to use it."""
    plan = planned.plan
    write_whole(path, render(plan, planned.header, "json", Style()), PRIVATE)
    if not plan.pending:
        click.echo(f"Saved the plan to {path}.", err=True)
        return
    words = ["reconcile", "apply", str(path), "--apply", *_repeated(options)]
    click.echo(f"Saved the plan to {path}. Apply it with: {shlex.join(words)}", err=True)
    click.echo(f"Its digest, for --expect-digest: {plan.digest()}", err=True)


def _repeated(options: PlanOptions) -> Iterator[str]:
    """What is not in a saved plan and is needed again to apply it: what was approved."""
    for address in sorted(options.approval.addresses):
        yield f"--allow-destroy={address}"
    if options.approval.deletes is not None:
        yield f"--allow-deletes={options.approval.deletes}"


def emit_first(planned: Planned, options: PlanOptions) -> None:
    """The same before an apply, which does not begin where the plan could not be written."""
    try:
        emit(planned, options)
        sys.stdout.flush()
    except OSError as error:
        lose_output()
        raise ReconcileError(
            f"the plan cannot be written to standard output ({error.strerror}), and nothing was "
            "applied",
            fix="let it be read to its end, or send it to a file: > plan.txt",
        ) from error


def plan_exit_code(plan: Plan, *, detailed: bool) -> ExitCode:
    """What a plan that is not carried out stands for."""
    codes = [ExitCode.OK]
    if plan.failures:
        codes.append(ExitCode.ERROR)
    if plan.refused:
        codes.append(ExitCode.REFUSED)
    if plan.pending and detailed:
        codes.append(ExitCode.CHANGES)
    return strongest(codes)


def review_exit_code(planned: Planned, reviewed: Sequence[str]) -> ExitCode:
    """3 if something was approved and nothing is left of it to do, which is said; else 0."""
    if planned.plan.pending or planned.plan.refused or not planned.header.review.differs:
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
    from reconciler.planfile.reader import read_plan_file  # noqa: PLC0415  (only if asked for)

    return bool(read_plan_file(Path(name)).plan.pending)


def apply_exit_code(plan: Plan, outcomes: Sequence[Outcome]) -> ExitCode:
    """What an apply stands for: 5 if only a part was applied or may have been, 1 if nothing was."""
    codes = [ExitCode.OK]
    if plan.refused:
        codes.append(ExitCode.REFUSED)
    if any(outcome.status is not Status.APPLIED for outcome in outcomes):
        sent = any(outcome.sent for outcome in outcomes)
        codes.append(ExitCode.PARTIAL if sent else ExitCode.ERROR)
    return strongest(codes)
