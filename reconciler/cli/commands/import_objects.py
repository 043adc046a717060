"""`reconcile import`."""

from pathlib import Path

import click

from reconciler.cli.commands.export import SECRETS_HELP, text_of
from reconciler.cli.options import target_option
from reconciler.cli.place import Globals, show
from reconciler.support.plain_file import write_whole
from reconciler.workflow.export import ExportRequest, export, require_ready
from reconciler.workflow.export_drafts import Secrets
from reconciler.workflow.opening import open_session
from reconciler.workflow.plan_request import PlanRequest


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile import RunaiEnvironment.train\n"
    "  reconcile import RunaiEnvironment.train RunaiCompute.train --to manifests/train.yaml"
)
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@target_option
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write all documents to this file, behind those it has; default: a file for each object.",
)
@click.option(
    "--secrets",
    type=click.Choice([mode.value for mode in Secrets]),
    default=Secrets.ENV.value,
    show_default=True,
    help=SECRETS_HELP,
)
@click.pass_obj
def command(
    place: Globals, addresses: tuple[str, ...], target: str | None, to: Path | None, secrets: str
) -> None:
    """Write manifests for single live objects that belong to no stack.

    ADDRESS is KIND.NAME or the id of the live object. The next apply imports the objects. Nothing
    is written unless all of them can be imported as they are.
    """
    with open_session(PlanRequest(place, target)) as session:
        request = ExportRequest(
            addresses=addresses,
            secrets=Secrets(secrets),
            file=str(to.resolve()) if to else "",
        )
        found = export(session, request)
        require_ready(found)
        for name, data in found.files.items():
            write_whole(session.config.root / name, data.decode())
    show(text_of(found, written=True))
