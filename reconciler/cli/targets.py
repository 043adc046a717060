"""Several targets of one command: each gets its own options and its own output files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.exit_codes import ExitCode, strongest
from reconciler.cli.formats import PlanOptions, name_files, require_own_files
from reconciler.cli.main import say_error
from reconciler.cli.output import report
from reconciler.errors import ReconcileError

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
