"""`reconcile validate`."""

from collections import Counter
from collections.abc import Sequence

import click

from reconciler.cli.formats import Output
from reconciler.cli.options import output_option
from reconciler.cli.output import render_problems
from reconciler.cli.place import Globals
from reconciler.errors import Problem, ReconcileError, problems_of
from reconciler.manifest.files import read_directory
from reconciler.support.printable import printable
from reconciler.workflow.session import read_config
from reconciler.workflow.target_manifests import check_everything


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile validate\n"
    "  reconcile -C infra validate\n"
    "  reconcile validate -o annotations -o sarif=reconcile.sarif    # in a GitHub workflow"
)
@output_option(
    "text; annotations: errors as commands to a GitHub runner; sarif: for code scanning. To "
    "standard output or to PATH, repeatable.",
    ("text", "annotations", "sarif"),
)
@click.pass_obj
def command(place: Globals, outputs: tuple[Output, ...]) -> None:
    """Check reconciler.yaml, manifests, overlays and images' files: no network, no credentials.

    Reports all errors of all files together, each with file, line, column and what to do. Of images
    it checks Dockerfile, .dockerignore, env.py (parsed, never run) and reconciler.lock.
    """
    try:
        said = _check(place)
    except ReconcileError as error:
        _write(outputs, place, problems_of(error))
        raise
    _write(outputs, place, (), said)


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
        output.put(text)
