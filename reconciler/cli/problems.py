"""Errors -> outputs that say why, and point at the lines of files."""

from collections.abc import Sequence

from reconciler.cli.files import write_whole
from reconciler.cli.formats import STEP_FORMATS, Output
from reconciler.cli.main import say_error
from reconciler.cli.place import Globals
from reconciler.cli.stdout import show
from reconciler.errors import Problem, ReconcileError, StalePlanError, problems_of


def report(error: ReconcileError, outputs: Sequence[Output], place: Globals) -> None:
    """Write why a command has failed to the annotations and step outputs that were asked for."""
    for output in outputs:
        if output.format == "outputs":
            _add_outputs(error, output)
        elif output.format == "annotations":
            title = "stale plan" if isinstance(error, StalePlanError) else "no plan"
            text = render_problems("annotations", place, problems_of(error), title)
            if output.path is None:
                show(text)
            else:
                write_whole(output.path, text)


def _add_outputs(error: ReconcileError, output: Output) -> None:
    from reconciler.cli import step_files  # noqa: PLC0415  (only if asked for)
    from reconciler.render.step_outputs import error_outputs, render_outputs  # noqa: PLC0415

    try:
        path = output.path or step_files.step_file(STEP_FORMATS["outputs"], "outputs")
        step_files.append(path, render_outputs(error_outputs(error)))
    except ReconcileError as another:  # the first one is why the command ends
        if str(another) != str(error):
            say_error(another)


def render_problems(
    form: str, place: Globals, problems: Sequence[Problem], title: str = "no plan"
) -> str:
    """Problems as `annotations` or `sarif`; the title is for those of no file."""
    from reconciler import __version__  # noqa: PLC0415  (these are only imported if asked for)
    from reconciler.cli import step_files  # noqa: PLC0415
    from reconciler.cli.step_files import directory_of  # noqa: PLC0415
    from reconciler.render import annotations, sarif  # noqa: PLC0415

    directory = directory_of(place)
    if form == "sarif":
        return sarif.render_sarif(problems, __version__, directory, step_files.tool_page())
    found = annotations.problem_annotations(problems, title)
    return annotations.render_annotations(found, directory)
