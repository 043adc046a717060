"""`reconcile validate`."""

import re
from collections import Counter
from collections.abc import Sequence

import click

from reconciler.cli.files import write_whole
from reconciler.cli.formats import Output, OutputType, checked
from reconciler.cli.main import Globals
from reconciler.cli.output import show
from reconciler.cli.session import read_config
from reconciler.cli.stated import read_every_target
from reconciler.errors import ConfigError, ManifestError, Problem, ReconcileError

_FORMATS = ("text", "annotations", "sarif")
_PLACE = re.compile(r"(?P<file>.+?)(?::(?P<line>[0-9]+))?(?::(?P<column>[0-9]+))?")


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile validate\n"
    "  reconcile -C infra validate\n"
    "  reconcile validate -o annotations -o sarif=reconcile.sarif    # in a GitHub workflow"
)
@click.option(
    "-o",
    "--output",
    "outputs",
    type=OutputType(_FORMATS),
    multiple=True,
    help="text; annotations: errors as commands to a GitHub runner; sarif: for code scanning. To "
    "standard output or to PATH, repeatable.  [default: text]",
)
@click.pass_obj
def command(place: Globals, outputs: tuple[Output, ...]) -> None:
    """Check manifests, overlays and reconciler.yaml: no network, no credentials, no variables.

    All errors of all files are reported together, each with file, line, column and what to do.
    """
    wanted = checked(outputs) or (Output("text", None),)
    try:
        said = _check(place)
    except ReconcileError as error:
        _write(wanted, place, _problems_of(error))
        raise
    _write(wanted, place, (), said)


def _check(place: Globals) -> str:
    """What is valid, in words. Raises `ReconcileError` if anything is not."""
    config = read_config(place)
    resources, patched = read_every_target(config)
    kinds = Counter(resource.key.kind for resource in resources)
    listing = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    if not resources:
        where = config.manifests.relative_to(config.root)
        click.echo(f"Warning: there is no manifest (*.yaml, *.yml) in {where}.", err=True)
    overlays = f"; overlays of {', '.join(patched)}" if patched else ""
    return f"Valid: {len(resources)} resources{f' ({listing})' if listing else ''}{overlays}.\n"


def _problems_of(error: ReconcileError) -> Sequence[Problem]:
    """The faults of an error one by one, with what is known of where they are."""
    if isinstance(error, ManifestError | ConfigError) and error.problems:
        return error.problems
    found = _PLACE.fullmatch(error.where)
    if found is None:
        return [Problem("", 0, 0, error.what, error.fix)]
    line, column = int(found["line"] or 0), int(found["column"] or 0)
    return [Problem(found["file"], line, column, error.what, error.fix)]


def _write(
    outputs: Sequence[Output], place: Globals, problems: Sequence[Problem], said: str = ""
) -> None:
    for output in outputs:
        text = said if output.format == "text" else _render(output.format, place, problems)
        if output.path is not None:
            write_whole(output.path, text)
        else:
            show(text)


def _render(form: str, place: Globals, problems: Sequence[Problem]) -> str:
    from reconciler import __version__  # noqa: PLC0415  (these are only imported if asked for)
    from reconciler.cli import runner  # noqa: PLC0415
    from reconciler.cli.pages import root_of  # noqa: PLC0415
    from reconciler.render import annotations, sarif  # noqa: PLC0415

    directory = runner.directory_in_repository(root_of(place))
    if form == "sarif":
        return sarif.render_sarif(problems, __version__, directory)
    found = annotations.problem_annotations(problems)
    return annotations.render_annotations(found, directory)
