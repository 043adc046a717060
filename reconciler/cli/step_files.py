"""What a GitHub runner tells by variables: where its files are, which run this is, which root."""

import os
from pathlib import Path

from reconciler.cli.place import Globals
from reconciler.config import CONFIG_NAME
from reconciler.errors import ConfigError, ReconcileError
from reconciler.git.process import find_top
from reconciler.support.plain_file import append


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        append(path, text)
    except OSError as error:
        raise ReconcileError(
            f"cannot add to the file: {error.strerror or error}",
            where=str(path),
            fix="check the path, the free space and your rights there",
        ) from error


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
