"""Problems in files -> outputs that point at their lines."""

from collections.abc import Sequence

from reconciler.cli.files import write_whole
from reconciler.cli.formats import Output
from reconciler.cli.main import Globals
from reconciler.cli.output import show
from reconciler.errors import ConfigError, ManifestError, Problem, ReconcileError, problems_of


def annotate(error: ReconcileError, outputs: Sequence[Output], place: Globals) -> None:
    """Write the annotations that were asked for, where manifests are why there is no plan."""
    if not isinstance(error, ManifestError | ConfigError):
        return
    for output in outputs:
        if output.format != "annotations":
            continue
        text = render_problems("annotations", place, problems_of(error))
        if output.path is None:
            show(text)
        else:
            write_whole(output.path, text)


def render_problems(form: str, place: Globals, problems: Sequence[Problem]) -> str:
    """Problems as `annotations` or `sarif`."""
    from reconciler import __version__  # noqa: PLC0415  (these are only imported if asked for)
    from reconciler.cli import runner  # noqa: PLC0415
    from reconciler.cli.pages import directory_of  # noqa: PLC0415
    from reconciler.render import annotations, sarif  # noqa: PLC0415

    directory = directory_of(place)
    if form == "sarif":
        return sarif.render_sarif(problems, __version__, directory, runner.tool_page())
    found = annotations.problem_annotations(problems)
    return annotations.render_annotations(found, directory)
