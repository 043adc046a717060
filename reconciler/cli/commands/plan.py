"""`reconcile plan`, of one target, or of several: each then has its own options and files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler.cli.formats import PlanOptions, name_files, require_own_files
from reconciler.cli.main import say_error
from reconciler.cli.options import FILE, plan_options, selection_options
from reconciler.cli.output import emit, plan_exit_code, report, save
from reconciler.cli.place import ExitCode, strongest
from reconciler.core.plan import Action, Plan, is_digest
from reconciler.core.planned import Planned
from reconciler.errors import ReconcileError
from reconciler.support.printable import printable
from reconciler.workflow.opening import open_session
from reconciler.workflow.planning import plan_for

_FAILING = tuple(action.value for action in Action if action is not Action.UNCHANGED)


class ActionsType(click.ParamType[frozenset[Action]]):
    """`delete,replace`."""

    name = "ACTIONS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[Action]:
        if isinstance(value, frozenset):
            return value
        names = [name.strip() for name in str(value).split(",")]
        for name in names:
            if name not in _FAILING:
                self.fail(f"{name!r} is not one of {', '.join(_FAILING)}", param, ctx)
        return frozenset(Action(name) for name in names)


@click.command(
    epilog="Examples:\n\n\b\n"
    "  reconcile plan                                  # the default target\n"
    "  reconcile plan --target production --out plan.json\n"
    "  reconcile plan --only 'RunaiEnvironment.*' --detailed-exitcode\n"
    "  reconcile plan -o text -o json=plan.json\n"
    "  reconcile plan --since origin/main              # whose change is it\n"
    "  reconcile plan --repo https://git.example.com/infra.git --ref v1.2\n"
    "  reconcile plan --reviewed plan.json             # what is new since that plan\n"
    "  reconcile plan --target staging --target production -o json=plan-{target}.json\n"
    "  reconcile plan --target production --offline --live plan.json --fail-on delete,replace\n"
    "  reconcile plan --offline --since origin/main    # what this branch changes in the manifests"
)
@click.option(
    "--out", **FILE, help="Save the plan for `reconcile show FILE` and `reconcile apply FILE`."
)
@click.option(
    "--since",
    metavar="REF",
    help="Tell this branch's changes since it left REF from drift. With --offline, the manifests "
    "at REF count as live.",
)
@click.option(
    "--reviewed",
    metavar="FILE|DIGEST",
    multiple=True,
    help="Compare with a reviewed plan: its file, or its digest (same or not). Give several files "
    "for changes that were merged together: a change in any of them was reviewed.",
)
@click.option(
    "--if-comparable",
    is_flag=True,
    help="Only warn, and compare nothing, if the ref of --since is missing, or a plan of "
    "--reviewed cannot be read or is of another target or stack.",
)
@click.option(
    "--offline",
    is_flag=True,
    help="Read files only: no network, no credentials. Nothing is live, except what --live or "
    "--since names. Such a plan cannot be applied.",
)
@click.option("--live", **FILE, help="With --offline: the JSON plan whose live side counts.")
@click.option(
    "--fail-on",
    type=ActionsType(),
    default=frozenset(),
    metavar="ACTIONS",
    help="Exit with 4 if the plan has such a change: delete, replace, update, create, adopt; "
    "several with commas.",
)
@selection_options
@plan_options
def command(options: PlanOptions, out: Path | None, fail_on: frozenset[Action]) -> ExitCode:
    """Show what apply would change on a target. Sends no write.

    Reads the manifests and the live systems and prints the difference. Exit codes: 0; with
    --detailed-exitcode 2 if there are changes; 3 if changes were reviewed and none is left; 4 if a
    change is blocked, in conflict or named by --fail-on; 1 if a system could not be read. Several
    targets are planned one after the other; write {target} in a file's name for the name of each.
    """
    if options.live is not None and not options.offline:
        raise click.UsageError("--live goes with --offline")
    if len(options.reviewed) > 1 and any(map(is_digest, options.reviewed)):
        raise click.UsageError("several plans that were reviewed are named by their files")
    if options.if_comparable and not options.reviewed and options.since is None:
        raise click.UsageError("--if-comparable goes with --since or --reviewed")
    if out is not None and options.offline:
        raise click.UsageError(
            "an offline plan cannot be applied, so it is not saved: write it with -o json=FILE"
        )
    return for_each_target(options, out, lambda one, file: _plan(one, file, fail_on))


def _plan(options: PlanOptions, out: Path | None, fail_on: frozenset[Action]) -> ExitCode:
    with open_session(options) as session:
        planned = plan_for(session, options)
        codes = [
            plan_exit_code(planned.plan, detailed=options.detailed_exitcode),
            _failing(planned.plan, fail_on),
            _nothing_left(planned, options.reviewed),
        ]
        if out is not None:
            save(planned, options, out)
        emit(planned, options)
    return strongest(codes)


def _nothing_left(planned: Planned, reviewed: Sequence[str]) -> ExitCode:
    """3, and a message, if changes were approved and none is left to make; else 0."""
    if planned.plan.pending or planned.plan.refused or not planned.header.review.differs:
        return ExitCode.OK
    if not is_digest(reviewed[0]) and not any(_was_pending(name) for name in reviewed):
        return ExitCode.OK
    click.echo(
        "Error: changes were approved, and there is nothing to do now: somebody else applied or "
        "undid them, or this plan is of other manifests.",
        err=True,
    )
    return ExitCode.STALE


def _was_pending(name: str) -> bool:
    from reconciler.planfile.reader import read_plan_file  # noqa: PLC0415  (only if asked for)

    return bool(read_plan_file(Path(name)).plan.pending)


def _failing(plan: Plan, actions: frozenset[Action]) -> ExitCode:
    found = [change for change in plan.changes if change.action in actions]
    for change in found:
        click.echo(f"Error: --fail-on {change.action}: {printable(change.address)}", err=True)
    return ExitCode.REFUSED if found else ExitCode.OK


PLACEHOLDER = "{target}"


def for_each_target(
    options: PlanOptions, out: Path | None, action: Callable[[PlanOptions, Path | None], ExitCode]
) -> ExitCode:
    """Run the action for every target in the order given; return the strongest exit code.

    A failed target is reported, and the others still run. `{target}` in a path stands for the
    target's name; with several targets every path needs it. Raises `click.UsageError`.
    """
    if len(options.targets) < 2:
        one, place = _of_target(options, out, options.target or "")
        require_own_files(name_files(one.outputs, place))
        return action(one, place)
    _require_places(options, out)
    each = [_of_target(options, out, target) for target in options.targets]
    require_own_files(
        (f"{option} of {target}", path)
        for target, (one, place) in zip(options.targets, each, strict=True)
        for option, path in name_files(one.outputs, place)
    )
    codes = []
    for number, (target, (one, place)) in enumerate(zip(options.targets, each, strict=True)):
        if number and options.events is None:
            click.echo()
        try:
            codes.append(action(one, place))
        except ReconcileError as error:
            say_error(error, target)
            if options.events is not None:
                options.events.error(error)
            report(error, one.outputs, options.place)
            codes.append(ExitCode.ERROR)
    return strongest(codes)


def _of_target(
    options: PlanOptions, out: Path | None, target: str
) -> tuple[PlanOptions, Path | None]:
    outputs = tuple(replace(output, path=_place(output.path, target)) for output in options.outputs)
    one = replace(options, target=target or None, targets=(), outputs=outputs)
    return one, _place(out, target)


def _place(path: Path | None, target: str) -> Path | None:
    return None if path is None else Path(str(path).replace(PLACEHOLDER, target or "default"))


def _require_places(options: PlanOptions, out: Path | None) -> None:
    """Refuse options that would write several plans to one place."""
    twice = {name for name in options.targets if options.targets.count(name) > 1}
    if twice:
        raise click.UsageError(f"--target {min(twice)} is given twice")
    for _, path in name_files(options.outputs, out):
        if PLACEHOLDER not in str(path):
            raise click.UsageError(
                f"the plans of several targets would overwrite one another in {path}: "
                f"put {PLACEHOLDER} into the name"
            )
    for output in options.outputs:
        if output.format == "outputs" and output.path is None:
            raise click.UsageError(
                "the outputs of several targets would overwrite one another: use one step for each "
                f"target, or -o outputs=PATH-{PLACEHOLDER}"
            )
        if output.on_stdout and output.format not in ("text", "annotations"):
            raise click.UsageError(
                f"several {output.format} documents on standard output cannot be told apart: "
                f"write -o {output.format}=plan-{PLACEHOLDER}.{output.format}"
            )
