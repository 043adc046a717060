"""Options that several commands share, and what they add up to."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reconciler.cli.formats import Output, OutputType, checked
from reconciler.cli.plan_options import PlanOptions
from reconciler.core.guards import Approval
from reconciler.core.plan import is_digest
from reconciler.core.selection import Selection
from reconciler.errors import ReconcileError

if TYPE_CHECKING:
    from reconciler.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])
CONFIG_FROM = "Take targets, stack, env_allow and guards from this ref's reconciler.yaml"


class DigestType(click.ParamType[str]):
    """`sha256:` and 64 hexadecimal digits."""

    name = "DIGEST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form; anything else is a usage error that says where a digest is found."""
        if not is_digest(str(value)):
            self.fail(
                f"{value!r} is no digest of a plan: sha256: and 64 hexadecimal digits, as printed "
                "by reconcile plan -o digest",
                param,
                ctx,
            )
        return str(value)


class DeletesType(click.ParamType[int]):
    """A positive number of objects."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number; anything else is a usage error that says what is meant."""
        text = str(value)
        if not text.isascii() or not text.isdecimal() or int(text) < 1:
            self.fail(f"{text!r} is not the number of objects to be destroyed", param, ctx)
        return int(text)


class WriterType(click.ParamType[str]):
    """A commit of at least seven digits, or a repository as marks name it."""

    name = "COMMIT|REPOSITORY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form; anything else is a usage error that says where it is found."""
        if not re.fullmatch(r"[0-9a-f]{7,64}|[a-z2-7]{8}", str(value)):
            self.fail(
                f"{value!r} is no commit (7 digits or more) and no repository (8 characters), as "
                "a refused plan and the mark of a live object name them",
                param,
                ctx,
            )
        return str(value)


def complete_target(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001  (click's signature)
    incomplete: str,
) -> list[str]:
    """The names of targets in reconciler.yaml, for shell completion."""
    config = _config_on_tab(ctx)
    return sorted(name for name in config.sections if name.startswith(incomplete)) if config else []


def complete_address(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001  (click's signature)
    incomplete: str,
) -> list[str]:
    """The addresses of the manifests, for shell completion."""
    from reconciler.workflow.target_manifests import read_stated  # noqa: PLC0415  (only on TAB)

    config = _config_on_tab(ctx)
    if config is None:
        return []
    try:
        addresses = {resource.key.address for resource in read_stated(config, None)}
    except ReconcileError:
        return []
    return sorted(address for address in addresses if address.startswith(incomplete))


def _config_on_tab(ctx: click.Context) -> "Config | None":
    from reconciler.config import find_config, load_config  # noqa: PLC0415  (only on TAB)

    given = ctx.find_root().params
    directory = given.get("directory") or Path()
    config = given.get("config")
    try:
        return load_config(directory / config if config else find_config(directory))
    except ReconcileError:
        return None


def target_option(command: Command) -> Command:
    """`--target NAME`."""
    return click.option(
        "--target",
        metavar="NAME",
        shell_complete=complete_target,
        help="Target of reconciler.yaml; default: its default_target.",
    )(command)


def _once(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(patterns))


def _outputs(given: tuple[Output, ...], *, events: bool) -> tuple[Output, ...]:
    """What was asked for, or text; beside a stream of events nothing else is printed."""
    if not events:
        return checked(given) or (Output("text", None),)
    for output in given:
        if output.on_stdout:
            raise click.UsageError(
                f"--json and -o {output.format} would both go to standard output: "
                f"write -o {output.format}=PATH"
            )
    return given


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--only` and `--exclude` to a command with `plan_options`, which hands them on."""
    only = click.option(
        "--only",
        multiple=True,
        metavar="ADDRESS",
        shell_complete=complete_address,
        help="Only these addresses and what they need; globs and plain ids allowed, repeatable. An "
        "address in full (KIND.ID) also approves its deletion.",
    )
    exclude = click.option(
        "--exclude",
        multiple=True,
        metavar="ADDRESS",
        shell_complete=complete_address,
        help="All but these; globs, repeatable.",
    )
    return only(exclude(command))


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `PlanOptions` and hand them to the command as one `options`."""

    @click.option(
        "--allow-deletes",
        type=DeletesType(),
        help="Approve a plan that destroys exactly N objects, more than the guards allow.",
    )
    @click.option(
        "--allow-destroy",
        multiple=True,
        metavar="ADDRESS",
        shell_complete=complete_address,
        help="Approve deleting or replacing this address; repeatable.",
    )
    @click.option(
        "--allow-from-commit",
        is_flag=True,
        help="Approve what Reconcile-Allow trailers of HEAD, and of what it merged, allow for "
        "exactly this plan.",
    )
    @click.option(
        "--messages",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="With --allow-from-commit: trailers of other commits, too, such as those that were "
        "squashed. A JSON list of commit, author, message.",
    )
    @click.option(
        "--rollback",
        is_flag=True,
        help="Go back on purpose: also change what a commit wrote that HEAD does not contain. Part "
        "of the plan's digest.",
    )
    @click.option(
        "--take-over",
        type=WriterType(),
        multiple=True,
        metavar="COMMIT|REPOSITORY",
        help="After history was rewritten, or from a former repository: change what this one "
        "wrote, as a refused plan names it. Part of the plan's digest; repeatable.",
    )
    @click.option(
        "--parallelism",
        type=click.IntRange(1, 256),
        default=10,
        show_default=True,
        metavar="N",
        help="Requests and builds at the same time.",
    )
    @click.option(
        "-o",
        "--output",
        "outputs",
        type=OutputType(),
        multiple=True,
        help="text, json, digest, markdown, html, annotations: to standard output or to PATH; "
        "summary, outputs: added to the step's file or to PATH. Repeatable.  [default: text]",
    )
    @click.option(
        "--json",
        "events",
        is_flag=True,
        help="Print a stream of events instead, one JSON object a line.",
    )
    @click.option(
        "--detailed-exitcode",
        is_flag=True,
        help="Exit with 2 when there are changes to make.",
    )
    @click.option(
        "--target",
        "targets",
        metavar="NAME",
        multiple=True,
        shell_complete=complete_target,
        help="Target of reconciler.yaml; default: its default_target. Repeatable for plan.",
    )
    @click.option(
        "--config-from",
        metavar="REF",
        help=f"{CONFIG_FROM}: in a pull request's run, the base branch.",
    )
    @click.option(
        "--repo",
        metavar="URL",
        help="A Git repository in place of the directory: a temporary clone, removed afterwards.",
    )
    @click.option("--ref", metavar="REF", help="With --repo: branch, tag or hash; default: HEAD.")
    @click.pass_context
    def wrapped(ctx: click.Context, /, **given: Any) -> Any:
        targets = given.pop("targets")
        events = given.pop("events")
        options = PlanOptions(
            place=replace(ctx.obj, cloned=given["repo"] is not None),
            target=targets[0] if targets else None,
            targets=targets,
            selection=Selection(_once(given.pop("only", ())), _once(given.pop("exclude", ()))),
            approval=Approval(
                frozenset(given.pop("allow_destroy")),
                deletes=given.pop("allow_deletes"),
                rollback=given.pop("rollback"),
                taken_over=frozenset(given.pop("take_over")),
            ),
            parallelism=given.pop("parallelism"),
            outputs=_outputs(given.pop("outputs"), events=events),
            detailed_exitcode=given.pop("detailed_exitcode"),
            config_from=given.pop("config_from"),
            allow_from_commit=given.pop("allow_from_commit"),
            messages=given.pop("messages"),
            repo=given.pop("repo"),
            ref=given.pop("ref"),
        )
        try:
            if not events:
                return ctx.invoke(command, options=options, **given)
            from reconciler.cli.event_stream import open_event_stream  # noqa: PLC0415  (if asked)

            with open_event_stream() as stream:
                return ctx.invoke(command, options=replace(options, events=stream), **given)
        except ReconcileError as error:
            from reconciler.cli.problems import report  # noqa: PLC0415  (only for an error)

            report(error, options.outputs, options.place)
            raise

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    wrapped.__click_params__ = [  # type: ignore[attr-defined]
        *getattr(command, "__click_params__", []),
        *getattr(wrapped, "__click_params__", []),
    ]
    return wrapped
