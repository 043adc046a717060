"""Options that several commands share, and what they add up to."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.formats import FORMATS, Output, OutputType, PlanOptions, checked
from reconciler.cli.place import Globals, open_event_stream
from reconciler.core.guards import Approval
from reconciler.core.plan import is_digest
from reconciler.core.selection import Selection
from reconciler.errors import ConfigError, ReconcileError

if TYPE_CHECKING:
    from reconciler.config import Config


class Matching(click.ParamType[str]):
    """Text of one form; any other is a usage error that says what is meant."""

    def __init__(self, name: str, fits: Callable[[str], object], otherwise: str) -> None:
        self.name = name
        self._fits = fits
        self._otherwise = otherwise

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._fits(str(value)):
            self.fail(f"{str(value)!r} is {self._otherwise}", param, ctx)
        return str(value)


DIGEST = Matching(
    "DIGEST",
    is_digest,
    "no digest of a plan: sha256: and 64 hexadecimal digits, as printed by reconcile plan "
    "-o digest",
)
_DELETES = Matching(
    "N", re.compile("0*[1-9][0-9]*").fullmatch, "not the number of objects to be destroyed"
)
_WRITER = Matching(
    "COMMIT|REPOSITORY",
    re.compile("[0-9a-f]{7,64}|[a-z2-7]{8}").fullmatch,
    "no commit (7 digits or more) and no repository (8 characters), as a refused plan and the mark "
    "of a live object name them",
)


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


FILE: dict[str, Any] = {"type": click.Path(dir_okay=False, path_type=Path), "metavar": "FILE"}
EXISTING_FILE: dict[str, Any] = {
    "type": click.Path(exists=True, dir_okay=False, path_type=Path),
    "metavar": "FILE",
}
PORT: dict[str, Any] = {"type": click.IntRange(0, 65535), "metavar": "PORT"}
_TARGET: dict[str, Any] = {"metavar": "NAME", "shell_complete": complete_target}
_ADDRESSES: dict[str, Any] = {
    "multiple": True,
    "metavar": "ADDRESS",
    "shell_complete": complete_address,
}
_SHORTEST_TOKEN = 16
_CONFIG_FROM = "Take targets, stack, env_allow and guards from this ref's reconciler.yaml"

target_option = click.option(
    "--target", **_TARGET, help="Target of reconciler.yaml; default: its default_target."
)
parallelism_option = click.option(
    "--parallelism",
    type=click.IntRange(1, 256),
    default=10,
    show_default=True,
    metavar="N",
    help="Requests and builds at the same time.",
)


def checked_token(token: str, where: str) -> str:
    """The token that callers of a server have to show. Raises `ConfigError` for a weak one."""
    if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise ConfigError(
            f"the token has less than {_SHORTEST_TOKEN} characters, or some that HTTP has not"
            if token
            else "the variable is not set",
            where=where,
            fix="make one: openssl rand -hex 32",
        )
    return token


def config_from_option(when: str) -> Callable[[Any], Any]:
    """`--config-from REF`; the words say when it is used."""
    return click.option("--config-from", metavar="REF", help=f"{_CONFIG_FROM}{when}.")


def output_option(
    text: str,
    formats: tuple[str, ...] = FORMATS,
    check: Callable[[tuple[Output, ...]], tuple[Output, ...]] = checked,
) -> Callable[[Any], Any]:
    """`-o FORMAT[=PATH]`, repeatable, with text as the default."""
    return click.option(
        "-o",
        "--output",
        "outputs",
        type=OutputType(formats),
        multiple=True,
        callback=lambda _context, _parameter, outputs: check(outputs),
        help=f"{text}  [default: text]",
    )


def _outputs_beside_events(given: tuple[Output, ...]) -> tuple[Output, ...]:
    """Beside a stream of events nothing else is printed."""
    for output in given:
        if output.on_stdout:
            raise click.UsageError(
                f"--json and -o {output.format} would both go to standard output: "
                f"write -o {output.format}=PATH"
            )
    return given


def selection_options(command: Any) -> Any:
    """Add `--only` and `--exclude` to a command with `plan_options`, which hands them on."""
    only = click.option(
        "--only",
        **_ADDRESSES,
        help="Only these addresses and what they need; globs and plain ids allowed, repeatable. An "
        "address in full (KIND.ID) also approves its deletion.",
    )
    exclude = click.option("--exclude", **_ADDRESSES, help="All but these; globs, repeatable.")
    return only(exclude(command))


def plan_options(command: Any) -> Any:
    """Add the options of `PlanOptions` and hand them to the command as one `options`.

    So is every other option of the command that has the name of a field.
    """

    @click.option(
        "--allow-deletes",
        type=_DELETES,
        help="Approve a plan that destroys exactly N objects, more than the guards allow.",
    )
    @click.option(
        "--allow-destroy",
        **_ADDRESSES,
        help="Approve deleting or replacing this address; repeatable.",
    )
    @click.option(
        "--allow-from-commit",
        is_flag=True,
        help="Approve what Reconcile-Allow trailers in HEAD, and in commits that it merged, allow "
        "for exactly this plan.",
    )
    @click.option(
        "--messages",
        **FILE,
        help="With --allow-from-commit: also use trailers of these commits, such as squashed ones. "
        "A JSON list of commit, author, message.",
    )
    @click.option(
        "--rollback",
        is_flag=True,
        help="Go back on purpose: also change objects that were written by commits which HEAD does "
        "not contain. Part of the plan's digest.",
    )
    @click.option(
        "--take-over",
        type=_WRITER,
        multiple=True,
        help="Change what this commit or repository wrote, as a refused plan names it: after "
        "history was rewritten, or for a former repository. Part of the plan's digest; repeatable.",
    )
    @parallelism_option
    @output_option(
        "text, json, digest, markdown, html, annotations: to standard output or to PATH; "
        "summary, outputs: added to the step's file or to PATH. Repeatable.",
        check=tuple,
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
        multiple=True,
        **_TARGET,
        help="Target of reconciler.yaml; default: its default_target. Repeatable for plan.",
    )
    @config_from_option(": in a pull request's run, the base branch")
    @click.option(
        "--repo",
        metavar="URL",
        help="A Git repository in place of the directory: a temporary clone, removed afterwards.",
    )
    @click.option("--ref", metavar="REF", help="With --repo: branch, tag or hash; default: HEAD.")
    @click.pass_context
    def wrapped(ctx: click.Context, /, **given: Any) -> Any:
        events, outputs = given.pop("events"), given.pop("outputs")
        options = _options(ctx.obj, given)
        outputs = _outputs_beside_events(outputs) if events else checked(outputs)
        options = replace(options, outputs=outputs)
        try:
            if not events:
                return ctx.invoke(command, options=options, **given)
            with open_event_stream() as stream:
                return ctx.invoke(command, options=replace(options, events=stream), **given)
        except ReconcileError as error:
            from reconciler.cli.output import report  # noqa: PLC0415  (only for an error)

            report(error, options.outputs, options.place)
            raise

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    wrapped.__click_params__ = [
        *getattr(command, "__click_params__", []),
        *getattr(wrapped, "__click_params__", []),
    ]
    return wrapped


def _options(place: Globals, given: dict[str, Any]) -> PlanOptions:
    """Take what belongs to the plan out of the options that were given."""
    deletes = given.pop("allow_deletes")
    approval = Approval(
        frozenset(given.pop("allow_destroy")),
        deletes=int(deletes) if deletes else None,
        rollback=given.pop("rollback"),
        taken_over=frozenset(given.pop("take_over")),
    )
    only, exclude = (tuple(dict.fromkeys(given.pop(name, ()))) for name in ("only", "exclude"))
    names = [field.name for field in fields(PlanOptions) if field.name in given]
    taken = {name: given.pop(name) for name in names}
    return PlanOptions(
        replace(place, cloned=taken["repo"] is not None),
        target=next(iter(taken["targets"]), None),
        selection=Selection(only, exclude),
        approval=approval,
        **taken,
    )
