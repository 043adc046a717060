"""What a GitHub runner tells by variables: where its files are, which run this is, which root."""

import os
from collections.abc import Mapping
from pathlib import Path

from reconciler.cli.files import CHECK_PATH
from reconciler.cli.place import Globals
from reconciler.config import CONFIG_NAME
from reconciler.errors import ConfigError, ReconcileError
from reconciler.git.process import find_top
from reconciler.support.plain_file import os_errors_as
from reconciler.support.step_file import append as add_lines


def step_file(variable: str, form: str) -> Path:
    """The file that the runner names for this step. Raises `ConfigError` elsewhere."""
    name = os.environ.get(variable)
    if not name:
        raise ConfigError(
            f"-o {form} writes to the file that {variable} names, and it is not set",
            fix=f"run this in a GitHub workflow, or name a file: -o {form}=PATH",
        )
    return Path(name)


def append(path: Path, text: str) -> None:
    """Add lines to what the step has written so far. Raises `ReconcileError` where that fails."""
    with os_errors_as(ReconcileError, "cannot add to the file", path, CHECK_PATH):
        path.parent.mkdir(parents=True, exist_ok=True)
        add_lines(path, text)


def size_of(path: Path) -> int:
    """Bytes that are in the file already."""
    return path.stat().st_size if path.is_file() else 0


def run_url(variables: Mapping[str, str] = os.environ) -> str:
    """The page of this run, where its artifacts are; empty outside of a workflow."""
    parts = [
        variables.get(name, "")
        for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    ]
    server, repository, run = parts
    return f"{server}/{repository}/actions/runs/{run}" if all(parts) else ""


def tool_page(variables: Mapping[str, str] = os.environ) -> str:
    """The repository whose action runs this, as an address; empty outside of such a step."""
    parts = [variables.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_ACTION_REPOSITORY")]
    return "/".join(parts) if all(parts) else ""


def directory_in_repository(root: Path) -> str:
    """From the root of the repository to this directory, with `/`; "" if it is the root.

    The root is what has `.git`. A checkout may lie below GITHUB_WORKSPACE, which is only asked for
    where there is no repository.
    """
    here = root.resolve()
    workspace = os.environ.get("GITHUB_WORKSPACE")
    top = find_top(here) or (Path(workspace).resolve() if workspace else here)
    if not here.is_relative_to(top):
        return ""
    relative = here.relative_to(top).as_posix()
    return "" if relative == "." else relative


def directory_of(place: Globals) -> str:
    """From the root of the repository to the directory of reconciler.yaml, with `/`, or ""."""
    if place.cloned:
        inside = (place.config or Path(CONFIG_NAME)).parent.as_posix()
        return "" if inside == "." else inside
    root = place.config.resolve().parent if place.config else place.directory
    return directory_in_repository(root)
