"""A plan, what became of it, or an error -> the outputs that were asked for, and an exit code.

Renderers are imported only for the formats that are asked for.
"""

import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import __version__
from reconciler.cli.formats import Output, PlanOptions, directory_of, run_url, tool_page
from reconciler.cli.main import say_error
from reconciler.cli.place import ExitCode, Globals, lose_output, strongest
from reconciler.core.header import Header
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan
from reconciler.core.planned import Planned
from reconciler.errors import Problem, ReconcileError, StalePlanError, problems_of
from reconciler.support.plain_file import PRIVATE, write_whole
from reconciler.support.terminal import Style

if TYPE_CHECKING:
    from reconciler.render.markdown import Page
    from reconciler.render.outcomes import Result

_TEXTS = ("text", "json", "digest")
"""Formats that cannot fail for want of room or of a step's file: they come first."""


def emit(planned: Planned, options: PlanOptions) -> None:
    """Print or write every output that was asked for. Raises as `write_outputs` does."""
    if options.events is not None:
        options.events.plan(planned.plan)
    write_outputs(planned.plan, planned.header, options.outputs, options.place)


def emit_first(planned: Planned, options: PlanOptions) -> None:
    """The same before an apply, which must not begin if the plan cannot be written."""
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


def write_outputs(plan: Plan, header: Header, outputs: Sequence[Output], place: Globals) -> None:
    """Print or write these outputs.

    If a page has no room for the address of every destroy, nobody could review it: raises
    `ReconcileError` after writing all.
    """
    short = []
    for output in sorted(outputs, key=lambda item: item.format not in _TEXTS):
        if output.format in ("markdown", "summary"):
            page = _page(plan, header, output)
            output.put(_in_summary(page.text, output) if output.format == "summary" else page.text)
            if page.shown < page.destroys:
                short.append(f"-o {output.format}: {page.shown} of {page.destroys} destroys shown")
        else:
            output.put(_render(plan, header, output, place))
    if short:
        raise ReconcileError(
            f"there is no room for the address of every destroy ({'; '.join(short)})",
            fix="make the change in parts, or raise the guards and review the whole plan: "
            "-o html=PATH, -o json=PATH",
        )


def _render(plan: Plan, header: Header, output: Output, place: Globals) -> str:
    match output.format:
        case "digest":
            return f"{plan.digest()}\n"
        case "json":
            return _json(plan, header)
        case "html":
            from reconciler.render.html import render_html  # noqa: PLC0415

            return render_html(plan, header)
        case "outputs" | "annotations":
            from reconciler.render import workflow_step as step  # noqa: PLC0415

            if output.format == "outputs":
                return step.render_outputs(step.plan_outputs(plan, header))
            return step.render_annotations(step.plan_annotations(plan, header), directory_of(place))
        case _:
            from reconciler.render.text import render_plan  # noqa: PLC0415

            return render_plan(plan, header, place.style if output.on_stdout else Style())


def _json(plan: Plan, header: Header) -> str:
    from reconciler.planfile.writer import render_json  # noqa: PLC0415

    return render_json(plan, header, datetime.now(UTC), __version__)


def _page(plan: Plan, header: Header, output: Output) -> "Page":
    from reconciler.render.markdown import render_markdown  # noqa: PLC0415

    return render_markdown(plan, header, _room(output), run_url())


def _room(output: Output) -> int:
    """Bytes that a page may have; in a summary, with the line ends around it."""
    from reconciler.render.markdown import COMMENT_LIMIT, SUMMARY_LIMIT  # noqa: PLC0415

    if output.format == "markdown":
        return COMMENT_LIMIT
    return SUMMARY_LIMIT - _size(output.step_path) - len("\n\n\n")


def _in_summary(text: str, output: Output) -> str:
    gap = "\n" if _size(output.step_path) else ""  # ends a block of HTML
    return f"{gap}{text}\n" if text else ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def emit_result(planned: Planned, outcomes: Sequence[Outcome], options: PlanOptions) -> None:
    """Write what became of the plan, where a format can say so.

    A failure is only a warning: the live system has changed already.
    """
    formats = ("outputs", "summary", "markdown", "annotations")
    outputs = [output for output in options.outputs if output.format in formats]
    if not outputs:
        return
    from reconciler.render.outcomes import Result  # noqa: PLC0415

    result = Result(planned.plan, planned.header, outcomes)
    try:
        for output in outputs:
            output.put(_render_result(result, output, options.place))
    except (ReconcileError, OSError) as error:
        options.place.warn(f"what became of the changes could not be written: {error}")


def _render_result(result: "Result", output: Output, place: Globals) -> str:
    from reconciler.render import outcomes, workflow_step  # noqa: PLC0415

    match output.format:
        case "outputs":
            return workflow_step.render_outputs(outcomes.outcome_outputs(result))
        case "annotations":
            found = outcomes.outcome_annotations(result)
            return workflow_step.render_annotations(found, directory_of(place))
        case _:
            page = outcomes.outcome_page(result, _room(output))
            return f"\n{page}\n" if page and output.format == "summary" else page


def report(error: ReconcileError, outputs: Sequence[Output], place: Globals) -> None:
    """Write why a command has failed to the annotations and step outputs that were asked for."""
    for output in outputs:
        if output.format == "annotations":
            title = "stale plan" if isinstance(error, StalePlanError) else "no plan"
            output.put(render_problems("annotations", place, problems_of(error), title))
        elif output.format == "outputs":
            from reconciler.render.workflow_step import error_outputs, render_outputs  # noqa: PLC0415

            try:
                output.put(render_outputs(error_outputs(error)))
            except ReconcileError as another:  # the first one is why the command ends
                if str(another) != str(error):
                    say_error(another)


def render_problems(
    form: str, place: Globals, problems: Sequence[Problem], title: str = "no plan"
) -> str:
    """Problems as `annotations` or `sarif`; the title is for those of no file."""
    from reconciler.render import sarif, workflow_step  # noqa: PLC0415

    directory = directory_of(place)
    if form == "sarif":
        return sarif.render_sarif(problems, __version__, directory, tool_page())
    found = workflow_step.problem_annotations(problems, title)
    return workflow_step.render_annotations(found, directory)


def save(planned: Planned, options: PlanOptions, path: Path) -> None:
    """Write a plan file and say how to use it."""
    plan = planned.plan
    write_whole(path, _json(plan, planned.header), PRIVATE)
    if not plan.pending:
        click.echo(f"Saved the plan to {path}.", err=True)
        return
    words = ["reconcile", "apply", str(path), "--apply", *_repeated(options)]
    click.echo(f"Saved the plan to {path}. Apply it with: {shlex.join(words)}", err=True)
    click.echo(f"Its digest, for --expect-digest: {plan.digest()}", err=True)


def _repeated(options: PlanOptions) -> Iterator[str]:
    """What was approved: it is needed again to apply a saved plan, and is not in it."""
    for address in sorted(options.approval.addresses):
        yield f"--allow-destroy={address}"
    if options.approval.deletes is not None:
        yield f"--allow-deletes={options.approval.deletes}"


def plan_exit_code(plan: Plan, *, detailed: bool) -> ExitCode:
    """The code of a plan that is not carried out."""
    codes = [ExitCode.OK]
    if plan.failures:
        codes.append(ExitCode.ERROR)
    if plan.refused:
        codes.append(ExitCode.REFUSED)
    if plan.pending and detailed:
        codes.append(ExitCode.CHANGES)
    return strongest(codes)


def apply_exit_code(plan: Plan, outcomes: Sequence[Outcome]) -> ExitCode:
    """The code of an apply: 5 if only a part was applied or may have been, 1 if nothing was."""
    codes = [ExitCode.OK]
    if plan.refused:
        codes.append(ExitCode.REFUSED)
    if any(outcome.status is not Status.APPLIED for outcome in outcomes):
        sent = any(outcome.sent for outcome in outcomes)
        codes.append(ExitCode.PARTIAL if sent else ExitCode.ERROR)
    return strongest(codes)
