"""`reconcile plan`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from reconciler.cli.exit_codes import ExitCode, strongest
from reconciler.cli.options import PlanOptions, plan_options
from reconciler.cli.output import emit, plan_exit_code, save
from reconciler.cli.session import open_session, plan_session
from reconciler.cli.targets import for_each_target
from reconciler.plan import Action, Plan
from reconciler.render.escape import printable

_FAILING = tuple(action.value for action in Action if action is not Action.UNCHANGED)


class ActionsType(click.ParamType[frozenset[Action]]):
    """`delete,replace`."""

    name = "ACTIONS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[Action]:
        """Read the names; one that is not known is a usage error."""
        if isinstance(value, frozenset):
            return value
        names = [name.strip() for name in str(value).split(",")]
        for name in names:
            if name not in _FAILING:
                self.fail(f"{name!r} is not one of {', '.join(_FAILING)}", param, ctx)
        return frozenset(Action(name) for name in names)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What `plan` takes beyond the options that it shares with `apply`."""

    out: Path | None
    offline: bool
    live: Path | None
    fail_on: frozenset[Action]


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile plan                                  # the default target\n"
    "  reconcile plan --target production --out plan.json\n"
    "  reconcile plan --only 'RunaiEnvironment.*' --detailed-exitcode\n"
    "  reconcile plan -o text -o json=plan.json\n"
    "  reconcile plan --target staging --target production -o json=plan-{target}.json\n"
    "  reconcile plan --target production --offline --fail-on delete,replace --live plan.json"
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Save the plan for `reconcile show FILE` and `reconcile apply FILE`.",
)
@click.option(
    "--offline",
    is_flag=True,
    help="Read files alone: no network, no credentials. Nothing counts as live, or what --live "
    "says. Such a plan cannot be applied.",
)
@click.option(
    "--live",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --offline: a JSON plan whose live side counts as what is there.",
)
@click.option(
    "--fail-on",
    type=ActionsType(),
    default=frozenset(),
    metavar="ACTIONS",
    help="Exit with 4 if the plan has such a change: delete, replace, update, create, adopt; "
    "several with commas.",
)
@plan_options
def command(
    options: PlanOptions,
    out: Path | None,
    offline: bool,
    live: Path | None,
    fail_on: frozenset[Action],
) -> ExitCode:
    """Show what apply would change on a target. Sends no write.

    Reads the manifests and the live systems and prints the difference. Exit code 0; with
    --detailed-exitcode 2 if there are changes; 4 if any change is blocked, in conflict or named by
    --fail-on; 1 if a system could not be read. Several targets are planned one after the other;
    {target} in a file's name stands for the target's.
    """
    if live is not None and not offline:
        raise click.UsageError("--live goes with --offline")
    if out is not None and offline:
        raise click.UsageError(
            "an offline plan cannot be applied, so it is not saved: write it with -o json=FILE"
        )
    return for_each_target(
        options, out, lambda one, path: _plan(one, _Wanted(path, offline, live, fail_on))
    )


def _plan(options: PlanOptions, wanted: _Wanted) -> ExitCode:
    if wanted.offline:
        from reconciler.cli.offline import open_offline_session  # noqa: PLC0415  (rarely asked for)

        opened = open_offline_session(options, wanted.live)
    else:
        opened = open_session(options)
    with opened as session:
        plan = plan_session(session, options)
        emit(plan, session.header, options)
        if wanted.out is not None:
            save(plan, session.header, options, wanted.out)
    code = plan_exit_code(plan, detailed=options.detailed_exitcode)
    return strongest([code, _failing(plan, wanted.fail_on)])


def _failing(plan: Plan, actions: frozenset[Action]) -> ExitCode:
    """Say which changes `--fail-on` names."""
    found = [change for change in plan.changes if change.action in actions]
    for change in found:
        click.echo(f"Error: --fail-on {change.action}: {printable(change.address)}", err=True)
    return ExitCode.REFUSED if found else ExitCode.OK
