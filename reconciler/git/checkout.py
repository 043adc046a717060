"""A directory -> the repository around it, and git commands in it, with nothing of a hook's around.

Texts of users go to git on standard input, or behind `--end-of-options` or `--`, so that none can
become an option. git is run in the top of the repository.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reconciler.errors import ConfigError
from reconciler.git.process import SAFE, find_top, git_environment
from reconciler.git.refs import is_plain_ref, require_one

_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Checkout:
    """A repository, and where a directory lies in it: `prefix` is empty or ends in a slash."""

    directory: Path
    prefix: str


def open_checkout(directory: Path) -> Checkout:
    """The repository around a directory. Raises `ConfigError` if there is none."""
    top = find_top(directory)
    if top is None:
        raise ConfigError(
            "it is in no Git repository",
            where=str(directory),
            fix="mode gitops commits to a branch: clone the repository, or use mode direct",
        )
    try:
        git(directory, "rev-parse", "--git-dir")
    except ConfigError as error:
        owner = re.search(r"dubious ownership in repository at '(.*)'", error.what)
        if owner is not None:
            raise ConfigError(
                error.what,
                where=str(directory),
                fix="it belongs to another user; if you trust it: "
                f"git config --global --add safe.directory {shlex.quote(owner[1])}",
            ) from error
        raise
    inside = os.path.relpath(os.path.realpath(directory), top)
    return Checkout(directory, "" if inside == "." else f"{inside}/")


def find_commit(checkout: Checkout, name: str) -> str:
    """The full hash of a commit by any name that git knows and that means one thing.

    Raises `ConfigError`.
    """
    if is_plain_ref(name):
        require_one(name, partial(git, checkout.directory))
    try:
        found = git(
            checkout.directory,
            *("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"),
        )
    except ConfigError as error:
        raise ConfigError(
            f"{name!r} is no commit of this repository",
            where=str(checkout.directory),
            fix="name a branch or a commit that is there; a repository needs a first commit",
        ) from error
    return found.decode().strip()


def current_branch(checkout: Checkout) -> str:
    """The name of the branch that is checked out; empty if none is."""
    try:
        name = git(checkout.directory, "symbolic-ref", "--quiet", "--short", "HEAD")
    except ConfigError:
        return ""
    return name.decode(errors="replace").strip()


def git(
    directory: Path,
    *words: str,
    given: bytes = b"",
    environ: Mapping[str, str] | None = None,
    fix: str = "",
) -> bytes:
    """What git prints. Raises `ConfigError` with what it said on standard error."""
    top = find_top(directory)
    if top is None:
        raise ConfigError("it is in no Git repository any more", where=str(directory))
    try:
        ran = subprocess.run(  # noqa: S603  (no shell; user's texts are no options, see above)
            ["git", *SAFE, *words],  # noqa: S607  (the user's own git)
            cwd=top,
            env=git_environment(environ),
            input=given,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"git {words[0]} could not be run: {error}", fix="install git") from error
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        first = [line for line in said if line.startswith("fatal: ")] or said[-1:]
        what = f"git {words[0]} failed: {first[0] if first else f'exit code {ran.returncode}'}"
        raise ConfigError(what, where=str(directory), fix=fix)
    return ran.stdout
