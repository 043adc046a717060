"""`-o FORMAT[=PATH]`: which formats there are, and where each of them may go."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

FORMATS = ("text", "json", "digest", "markdown", "summary", "html", "annotations", "outputs")
STEP_FORMATS = {"summary": "GITHUB_STEP_SUMMARY", "outputs": "GITHUB_OUTPUT"}
"""Formats that are added to a file of the step; the variable names it where no PATH is given."""
PAGE_FORMATS = ("markdown", "summary", "html", "annotations", "outputs")
"""Formats for people in a browser and for workflows: see `reconciler.cli.pages`."""
_FILES_ONLY = ("html",)
_LINES = ("text", "annotations")
"""Formats of single lines: a runner takes annotations out of the text that they stand in."""


@dataclass(frozen=True, slots=True)
class Output:
    """One `-o FORMAT[=PATH]`; no path means standard output, or the step's own file."""

    format: str
    path: Path | None

    @property
    def on_stdout(self) -> bool:
        """Whether it goes to standard output."""
        return self.path is None and self.format not in STEP_FORMATS


class OutputType(click.ParamType[Output]):
    """`text`, `json`, `json=plan.json`."""

    name = "FORMAT[=PATH]"

    def __init__(self, formats: tuple[str, ...] = FORMATS) -> None:
        self.formats = formats

    def convert(
        self,
        value: Any,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Output:
        """Split the format from the path; an unknown format is a usage error."""
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
        """The formats that begin like this."""
        return [CompletionItem(form) for form in self.formats if form.startswith(incomplete)]


def checked(outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """Refuse two documents on one standard output: nobody could take them apart."""
    plain = [output.format for output in outputs if output.on_stdout]
    if len(plain) > 1 and (len(set(plain)) < len(plain) or not set(plain) <= set(_LINES)):
        words = " and ".join(plain)
        hint = f"give all but one a file, such as -o {plain[-1]}=PATH"
        raise click.UsageError(f"{words} would both go to standard output: {hint}")
    require_own_files(name_files(outputs))
    return outputs


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
