"""`reconcile repair`."""

import click

from reconciler.cli.commands.apply import finish
from reconciler.cli.formats import PlanOptions
from reconciler.cli.options import complete_address, plan_options
from reconciler.cli.place import ExitCode
from reconciler.core.repair import plan_repair
from reconciler.workflow.opening import open_session
from reconciler.workflow.planning import compare, judge, read_world


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile repair RunaiEnvironment.train --keep ID            # a dry run\n"
    "  reconcile repair RunaiEnvironment.train --keep ID --apply    # deletes the others"
)
@click.argument("address", shell_complete=complete_address)
@click.option("--keep", required=True, metavar="ID", help="The id of the live object that stays.")
@click.option("--apply", "really", is_flag=True, help="Delete the others.")
@plan_options
def command(options: PlanOptions, address: str, keep: str, really: bool) -> ExitCode:
    """Keep one of several live objects that bear the mark of one ADDRESS (KIND.ID).

    Two are left if an apply was killed while another ran, or if its answers were lost. A plan names
    them and changes neither. This deletes the others under the usual guards, and only if they are
    still what the plan saw.
    """
    with open_session(options) as session:
        world = read_world(session)
        whole = compare(world)
        chosen = whole if whole.failures else plan_repair(whole, address, keep, world.lineage)
        return finish(judge(session, options, world, whole, chosen), session, options, really)
