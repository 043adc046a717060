"""What `plan` and `apply` are asked for; above all `-o FORMAT[=PATH]`, and where that may go.

In a step of a workflow, the runner's variables say where its files are, and which run this is.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from reconciler.cli.place import Globals, show
from reconciler.config import CONFIG_NAME
from reconciler.errors import ConfigError, ReconcileError
from reconciler.git.process import find_top
from reconciler.support.plain_file import CHECK_PATH, append, os_errors_as, write_whole
from reconciler.workflow.plan_request import PlanRequest

if TYPE_CHECKING:
    from reconciler.render.events import EventStream


FORMATS = ("text", "json", "digest", "markdown", "summary", "html", "annotations", "outputs")
_STEP_FORMATS = {"summary": "GITHUB_STEP_SUMMARY", "outputs": "GITHUB_OUTPUT"}
"""Formats that are added to a file of the step; the variable names it where no PATH is given."""
_FILES_ONLY = ("html",)
_LINES = ("text", "annotations")
"""Formats of single lines: a runner takes annotations out of the text that they stand in."""


@dataclass(frozen=True, slots=True)
class Output:
    """One `-o FORMAT[=PATH]`; no path means standard output, or the step's own file."""

    format: str
    path: Path | None = None

    @property
    def on_stdout(self) -> bool:
        return self.path is None and self.format not in _STEP_FORMATS

    @property
    def step_path(self) -> Path:
        """The file of the step that it is added to. Raises `ConfigError` outside of a workflow."""
        return self.path or step_file(_STEP_FORMATS[self.format], self.format)

    def put(self, text: str) -> None:
        """Write the result to its place."""
        if self.format in _STEP_FORMATS:
            add_to_step(self.step_path, text)
        elif self.path is None:
            show(text)
        else:
            write_whole(self.path, text)


@dataclass(frozen=True, slots=True)
class PlanOptions(PlanRequest):
    """What `plan` and `apply` have in common.

    `targets` holds every `--target`, `target` the first one, None for the default. If `events` is
    set, standard output is that stream.
    """

    place: Globals
    outputs: tuple[Output, ...] = ()
    detailed_exitcode: bool = False
    targets: tuple[str, ...] = ()
    events: "EventStream | None" = None


class OutputType(click.ParamType[Output]):
    """`text`, `json`, `json=plan.json`."""

    name = "FORMAT[=PATH]"

    def __init__(self, formats: tuple[str, ...]) -> None:
        self.formats = formats

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Output:
        if isinstance(value, Output):
            return value
        form, equals, path = str(value).partition("=")
        if equals and not path:
            self.fail(f"{value!r} names no file", param, ctx)
        if form not in self.formats:
            self.fail(f"{form!r} is not one of {', '.join(self.formats)}", param, ctx)
        if form in _FILES_ONLY and not path:
            self.fail(f"{form} is a page to open: give it a file, -o {form}=PATH", param, ctx)
        return Output(form, Path(path) if path else None)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  (click's signature)
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        return [CompletionItem(form) for form in self.formats if form.startswith(incomplete)]


def checked(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """What was asked for, or text. Refuses two documents on one standard output."""
    plain = [output.format for output in outputs if output.on_stdout]
    if len(plain) > 1 and (len(set(plain)) < len(plain) or not set(plain) <= set(_LINES)):
        words = " and ".join(plain)
        hint = f"give all but one a file, such as -o {plain[-1]}=PATH"
        raise click.UsageError(f"{words} would both go to standard output: {hint}")
    require_own_files(name_files(outputs))
    return outputs or (Output("text"),)


def name_files(outputs: tuple[Output, ...], out: Path | None = None) -> list[tuple[str, Path]]:
    """Each file that is to be written, after the option that names it; `out`: the saved plan."""
    named = [(f"-o {item.format}", item.path) for item in outputs if item.path]
    return [*named, *([("--out", out)] if out else [])]


def require_own_files(named: Iterable[tuple[str, Path]]) -> None:
    """Refuse two documents in one file, of which one would be lost."""
    seen: dict[str, str] = {}
    for option, path in named:
        if path.exists() and not path.is_file():
            continue  # a device or a pipe takes one after the other
        other = seen.setdefault(os.path.realpath(path), option)
        if other is not option:
            raise click.UsageError(f"{other} and {option} both name {path}: give each its own file")


def step_file(variable: str, form: str) -> Path:
    """The file that the runner names for this step. Raises `ConfigError` elsewhere."""
    name = os.environ.get(variable)
    if not name:
        raise ConfigError(
            f"-o {form} writes to the file that {variable} names, and it is not set",
            fix=f"run this in a GitHub workflow, or name a file: -o {form}=PATH",
        )
    return Path(name)


def add_to_step(path: Path, text: str) -> None:
    """Add lines to what the step has written so far. Raises `ReconcileError` if that fails."""
    with os_errors_as(ReconcileError, "cannot add to the file", path, CHECK_PATH):
        path.parent.mkdir(parents=True, exist_ok=True)
        append(path, text)


def run_url() -> str:
    """The page of this run, where its artifacts are; empty outside of a workflow."""
    server, repository, run = map(
        os.environ.get, ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    )
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""


def tool_page() -> str:
    """The repository whose action runs this, as an address; empty outside of such a step."""
    server, repository = map(os.environ.get, ("GITHUB_SERVER_URL", "GITHUB_ACTION_REPOSITORY"))
    return f"{server}/{repository}" if server and repository else ""


def directory_of(place: Globals) -> str:
    """From the root of the repository to the directory of reconciler.yaml, with `/`, or ""."""
    if place.cloned:
        inside = (place.config or Path(CONFIG_NAME)).parent.as_posix()
        return "" if inside == "." else inside
    root = place.config.resolve().parent if place.config else place.directory
    return _directory_in_repository(root)


def _directory_in_repository(root: Path) -> str:
    """The root is what has `.git`; without one, GITHUB_WORKSPACE: a checkout may lie below it."""
    here = root.resolve()
    workspace = os.environ.get("GITHUB_WORKSPACE")
    top = find_top(here) or (Path(workspace).resolve() if workspace else here)
    if not here.is_relative_to(top):
        return ""
    relative = here.relative_to(top).as_posix()
    return "" if relative == "." else relative
