"""`reconcile`: the root command, and how errors become words and exit codes."""

import gc
import importlib
import os
import sys
import threading
from pathlib import Path
from typing import NoReturn

import click

from reconciler import __version__
from reconciler.cli.place import ExitCode, Globals
from reconciler.cli.process_setup import entered, prepare_streams, require_files, start_logging
from reconciler.errors import ReconcileError, StalePlanError
from reconciler.support.plain_file import stated_directory

_COMMANDS = {
    "init": "Write a reconciler.yaml and an example manifest.",
    "validate": "Check manifests and configuration: no network, no credentials.",
    "plan": "Show what apply would change.",
    "apply": "Show the plan and, only with --apply, carry it out.",
    "repair": "Keep one of several live objects with one mark.",
    "get": "List live objects, whoever owns them.",
    "export": "Write manifests for live objects that belong to no stack.",
    "import": "Write manifests for single live objects.",
    "show": "Print a saved plan again.",
    "explain": "Say why one address changes, field by field, in words.",
    "schema": "Print the JSON Schemas for editors and tools.",
    "graph": "Print which resource needs which, for Graphviz or Mermaid.",
    "inputs": "List what a plan is made of.",
    "lock": "Pin base images to their digests in reconciler.lock.",
    "run": "Start an environment, call a method, print the result, clean up.",
    "serve": "Serve an environment over HTTP, with a token.",
    "mcp": "Serve the project to models by the Model Context Protocol.",
    "sandbox": "Run the embedded Run:ai control plane.",
    "doctor": "Say what is reachable, which versions, and what is missing.",
    "completion": "Print a shell completion script.",
    "version": "Print the versions of reconcile and of what it uses.",
}
"""Name, also of the module in `reconciler.cli.commands`, -> short help."""
_MODULES = {"import": "import_objects"}
"""Commands whose name no module can have."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        name = _MODULES.get(cmd_name, cmd_name)
        module = importlib.import_module(f"reconciler.cli.commands.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Let click say which command was probably meant: it knows of none that is imported."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(args[0], possibilities=_COMMANDS, ctx=ctx) from error


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start here:\n\n\b\n"
    "  reconcile init\n"
    "  reconcile validate\n"
    "  reconcile plan --target sandbox\n"
    "  reconcile apply --target sandbox            # a dry run: says what it would do\n"
    "  reconcile apply --target sandbox --apply    # does it\n\n"
    "Exit codes:\n\n\b\n"
    "  0  success, or no changes       3  a saved plan is stale\n"
    "  1  an error                     4  a change is blocked or in conflict\n"
    "  2  changes, if asked for with   5  only a part of an apply succeeded\n"
    "     --detailed-exitcode",
)
@click.option(
    "-C",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Run as if started in DIR.",
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Configuration file; default: reconciler.yaml in the directory.",
)
@click.option("--no-color", is_flag=True, help="No colours (as does the variable NO_COLOR).")
@click.option("--debug", is_flag=True, help="Log what happens to standard error (never secrets).")
@click.version_option(__version__, "--version", message="reconcile %(version)s")
@click.pass_context
def root(
    ctx: click.Context, directory: Path, config: Path | None, no_color: bool, debug: bool
) -> None:
    """Keep NVIDIA Run:ai environments and rayfine images equal to what Git says.

    Compares a directory of manifests with the live systems of a target and shows the difference as
    a plan. Nothing changes unless you run `apply` with --apply.
    """
    start_logging(debug=debug)
    require_files()
    ctx.with_resource(entered(directory))
    ctx.obj = Globals(stated_directory(), config, colour=False if no_color else None)


def main() -> NoReturn:
    """Run the command line and end the process with a documented exit code."""
    gc.disable()  # a command is short and builds large trees: collecting would cost 10 to 20 %
    prepare_streams()
    code = _finish(run(sys.argv[1:]))
    if any(not thread.daemon for thread in threading.enumerate()[1:]):
        os._exit(code)  # interrupted twice: requests that still run are not waited for
    # An interrupt in text that an import runs (a dataclass) marks CPython as interrupted for good:
    # `python -m` would then end with SIGINT in place of the code. Running any text unmarks it.
    exec("")  # noqa: S102
    sys.exit(code)


def run(arguments: list[str]) -> ExitCode:
    """Run one command; print what went wrong to standard error; return the exit code."""
    try:
        code = root.main(args=arguments, prog_name="reconcile", standalone_mode=False)
        return code if isinstance(code, ExitCode) else ExitCode.OK
    except click.ClickException as error:
        error.show()
        _hint(error, arguments)
    except click.exceptions.Exit as error:  # --help and --version end this way
        return ExitCode(error.exit_code)
    except ReconcileError as error:  # first: one from env.py is also of a type that it was there
        return _failed(error)
    except (RuntimeError, KeyboardInterrupt) as error:
        # click keeps what it caught as the cause; so does a class whose making was interrupted.
        if isinstance(error.__cause__, ReconcileError):  # an EOFError of env.py
            return _failed(error.__cause__)
        interrupted = isinstance(error, (click.Abort, KeyboardInterrupt))
        if not interrupted and not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        _say(f"Interrupted: {str(error.__cause__ or error) or 'nothing was changed'}.")
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  (until exit)
    except OSError as error:
        _say(f"Error: {_escaped(_disk_fault(error))}")
    return ExitCode.ERROR


def _failed(error: ReconcileError) -> ExitCode:
    say_error(error)
    return ExitCode.STALE if isinstance(error, StalePlanError) else ExitCode.ERROR


def _hint(error: click.ClickException, arguments: list[str]) -> None:
    if not isinstance(error, click.UsageError):
        return
    from reconciler.cli.usage_hints import suggest  # noqa: PLC0415  (only for a mistake)

    hint = suggest(error, arguments, root, list(_COMMANDS))
    if hint is not None:
        _say(f"  {_escaped(hint)}")


def _finish(code: ExitCode) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.ERROR
    sys.stderr.flush()
    return int(code)


def say_error(error: ReconcileError, about: str = "") -> None:
    """Print an error as it is printed at the end of a command; `about` says of what."""
    _say(f"Error: {_escaped(f'{about}: {error}' if about else str(error))}")


def _disk_fault(error: OSError) -> str:
    """A file that cannot be read or written, if no stage has better words for it."""
    place = f"{error.filename}: " if error.filename else ""
    return (
        f"{place}{error.strerror or error}\n  check the path, the free space and your rights there"
    )


def _escaped(text: str) -> str:
    from reconciler.render.escape import printable_lines  # noqa: PLC0415  (only for an error)

    return "\n".join(printable_lines(text))


def _say(text: str) -> None:
    click.echo(text, err=True)
