"""`reconcile explain`."""

import json

import click

from reconciler.cli.options import complete_address, target_option
from reconciler.cli.place import Globals, show
from reconciler.render.explain import explanation_document, explanation_text
from reconciler.workflow.explaining import explain_address
from reconciler.workflow.opening import open_session
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.planning import plan_for


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile explain RunaiEnvironment.ml-training-env\n"
    "  reconcile explain RunaiCompute.half-gpu --target production -o json"
)
@click.argument("address", shell_complete=complete_address)
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="Sentences for people, or the same as JSON.",
)
@target_option
@click.pass_obj
def command(place: Globals, address: str, form: str, target: str | None) -> None:
    """Say in words what a plan means for one ADDRESS (KIND.ID). Sends no write.

    Why the change is planned, field by field; what uses the live object; what applying would do.
    For an unchanged address: what it was compared with. Everything is planned, so guards decide as
    they do in `reconcile plan`.
    """
    request = PlanRequest(place, target)
    with open_session(request) as session:
        planned = plan_for(session, request)
        for failure in planned.plan.failures:
            place.warn(f"the {failure.system} could not be read: {failure.reason}")
        explained = explain_address(planned, address, session)
    if form == "json":
        show(json.dumps(explanation_document(explained), indent=2, ensure_ascii=False) + "\n")
        return
    show(explanation_text(explained))
