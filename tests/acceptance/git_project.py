"""A project in a real Git repository, with a sandbox as its live side."""

import os
import subprocess
from pathlib import Path

from tests.acceptance.project import Project

AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada Lovelace",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "Ada Lovelace",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(directory: Path, *words: str) -> str:
    """Run git; its output without the last newline."""
    ran = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *words],
        cwd=directory,
        env={**os.environ, **AUTHOR},
        check=True,
        capture_output=True,
        text=True,
    )
    return ran.stdout.rstrip("\n")


def commit(world: Project, subject: str) -> str:
    """Commit everything; the abbreviated hash."""
    git(world.directory, "add", "--all")
    git(world.directory, "commit", "--quiet", "--allow-empty", "-m", subject)
    return git(world.directory, "rev-parse", "HEAD")[:7]


def start(world: Project, subject: str = "Begin") -> str:
    """Make the project a repository with one commit on `main`, and a branch `work` checked out."""
    git(world.directory, "init", "--quiet", "--initial-branch", "main")
    (world.directory / ".gitignore").write_text("*.json\n.reconcile/\n")
    made = commit(world, subject)
    git(world.directory, "checkout", "--quiet", "-b", "work")
    return made
