"""`reconcile validate`."""

from collections import Counter
from collections.abc import Sequence

import click

from reconciler.cli.files import write_whole
from reconciler.cli.formats import Output, OutputType, checked
from reconciler.cli.place import Globals
from reconciler.cli.problems import render_problems
from reconciler.cli.stdout import show
from reconciler.errors import Problem, ReconcileError, problems_of
from reconciler.manifest.files import read_directory
from reconciler.render.escape import printable
from reconciler.workflow.session import read_config
from reconciler.workflow.target_manifests import check_everything

_FORMATS = ("text", "annotations", "sarif")


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
    """Check reconciler.yaml, manifests, overlays and images' files: no network, no credentials.

    All errors of all files are reported together, each with file, line, column and what to do.
    Images: Dockerfile, .dockerignore, env.py (which is parsed, never run) and reconciler.lock.
    """
    wanted = checked(outputs) or (Output("text", None),)
    try:
        said = _check(place)
    except ReconcileError as error:
        _write(wanted, place, problems_of(error))
        raise
    _write(wanted, place, (), said)


def _check(place: Globals) -> str:
    """What is valid, in words. Raises `ReconcileError` if anything is not."""
    config = read_config(place)
    resources, patched = check_everything(config)
    kinds = Counter(resource.key.kind for resource in resources)
    listing = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    if not resources:
        where = config.manifests.relative_to(config.root)
        files = read_directory(config.manifests, config.root).files
        found = "no file (*.yaml, *.yml)" if not files else "no manifest in any file"
        click.echo(f"Warning: there is {found} in {where}.", err=True)
    for resource in resources:
        for text in resource.warnings:
            click.echo(printable(f"Warning: {resource.source}: {text}"), err=True)
    overlays = f"; overlays of {', '.join(patched)}" if patched else ""
    return f"Valid: {len(resources)} resources{f' ({listing})' if listing else ''}{overlays}.\n"


def _write(
    outputs: Sequence[Output], place: Globals, problems: Sequence[Problem], said: str = ""
) -> None:
    for output in outputs:
        text = said if output.format == "text" else render_problems(output.format, place, problems)
        if output.path is not None:
            write_whole(output.path, text)
        else:
            show(text)
