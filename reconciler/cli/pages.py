"""Outputs for pull requests and workflows: where each goes, and what it may not leave out."""

from collections.abc import Sequence
from pathlib import Path

from reconciler.cli import step_files
from reconciler.cli.files import write_whole
from reconciler.cli.formats import STEP_FORMATS, Output
from reconciler.cli.place import Globals
from reconciler.cli.stdout import show
from reconciler.cli.step_files import directory_of
from reconciler.core.header import Header
from reconciler.core.plan import Plan
from reconciler.errors import ReconcileError
from reconciler.render.annotations import plan_annotations, render_annotations
from reconciler.render.markdown import COMMENT_LIMIT, SUMMARY_LIMIT, Page, render_markdown
from reconciler.render.outcomes import (
    Result,
    outcome_annotations,
    outcome_outputs,
    outcome_page,
)
from reconciler.render.step_outputs import plan_outputs, render_outputs


def write_pages(plan: Plan, header: Header, outputs: Sequence[Output], place: Globals) -> None:
    """Write every output, all of them of `formats.PAGE_FORMATS`.

    Raises `ReconcileError`, after all of them, where one has no room for every destroy: nobody
    could review that.
    """
    short = []
    for output in outputs:
        page = _write(plan, header, output, place)
        if page is not None and page.shown < page.destroys:
            short.append(f"-o {output.format}: {page.shown} of {page.destroys} destroys shown")
    if short:
        raise ReconcileError(
            f"there is no room for the address of every destroy ({'; '.join(short)})",
            fix="make the change in parts, or raise the guards and review the whole plan: "
            "-o html=PATH, -o json=PATH",
        )


def _write(plan: Plan, header: Header, output: Output, place: Globals) -> Page | None:
    """Write one output; the page, if it is one that has a limit."""
    path = output.path
    if output.format in STEP_FORMATS:
        path = _step_path(output)
        if output.format == "outputs":
            step_files.append(path, render_outputs(plan_outputs(plan, header)))
            return None
        summary = render_markdown(plan, header, _room_in(path), step_files.run_url())
        gap = "\n" if step_files.size_of(path) else ""  # ends a block of HTML
        step_files.append(path, f"{gap}{summary.text}\n" if summary.text else "")
        return summary
    page: Page | None = None
    if output.format == "markdown":
        page = render_markdown(plan, header, COMMENT_LIMIT, step_files.run_url())
        text = page.text
    elif output.format == "html":
        text = _html(plan, header)
    else:
        text = render_annotations(plan_annotations(plan, header), directory_of(place))
    _put(text, path)
    return page


def write_result(result: Result, outputs: Sequence[Output], place: Globals) -> None:
    """Write what became of a plan to the outputs that can say so: not html, text and JSON."""
    for output in outputs:
        match output.format:
            case "outputs":
                step_files.append(_step_path(output), render_outputs(outcome_outputs(result)))
            case "summary":
                path = _step_path(output)
                page = outcome_page(result, _room_in(path))
                step_files.append(path, f"\n{page}\n" if page else "")
            case "markdown":
                _put(outcome_page(result, COMMENT_LIMIT), output.path)
            case "annotations":
                found = outcome_annotations(result)
                _put(render_annotations(found, directory_of(place)), output.path)


def _step_path(output: Output) -> Path:
    return output.path or step_files.step_file(STEP_FORMATS[output.format], output.format)


def _room_in(path: Path) -> int:
    """Bytes that a summary may still have, with the line ends around it."""
    return SUMMARY_LIMIT - step_files.size_of(path) - len("\n\n\n")


def _put(text: str, path: Path | None) -> None:
    if path is None:
        show(text)
    else:
        write_whole(path, text)


def _html(plan: Plan, header: Header) -> str:
    from reconciler.render.html import render_html  # noqa: PLC0415  (only if asked for)

    return render_html(plan, header)
