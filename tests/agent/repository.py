"""A Git repository with manifests, and what of it a caller of the functions would notice."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent import runai_create_environment
from reconciler.cli.main import run
from tests.agent.site import Site

MANIFESTS = """\
# yaml-language-server: $schema=x

# The first one.
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: one, protect: false}
spec: {scope: tenant, image: "a:1", compute: {gpu: 1}}
---
# The second one, with   its own spacing.
apiVersion:   reconciler/v1
kind: RunaiEnvironment
metadata: {name: two}
spec: {scope: tenant, image: 'b:1'}   # on purpose
--- # the last
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: kept, protect: true}
spec: {scope: tenant, image: 'c:1'}
"""
SPEC = {"name": "new", "scope": "cluster", "image": "busybox:1", "compute": {"cpu_cores": 2}}


class Repo:
    """A repository whose directory `infra` holds the configuration."""

    def __init__(self, root: Path, site: Site) -> None:
        self.root = root
        self.infra = root / "infra"
        (self.infra / "manifests").mkdir(parents=True)
        site.directory = self.infra
        site.configure()
        (self.infra / "manifests" / "all.yaml").write_text(MANIFESTS)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Tester")
        self.git("config", "user.email", "tester@example.com")
        self.commit("Begin")

    def git(self, *words: str) -> str:
        ran = subprocess.run(
            ["git", *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return ran.stdout.strip()

    def commit(self, subject: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)

    def branches(self) -> list[str]:
        return self.git("branch", "--format=%(refname:short)").split()

    def proposed(self) -> str:
        (branch,) = [name for name in self.branches() if name != "main"]
        return branch

    def traces(self) -> dict[str, Any]:
        """All that a caller would notice: files, index, branch, and what is not committed."""
        return {
            "status": self.git("status", "--porcelain=v2", "--branch", "--untracked-files=all"),
            "index": (self.root / ".git" / "index").read_bytes(),
            "head": (self.root / ".git" / "HEAD").read_bytes(),
            "files": {
                str(path): path.read_bytes()
                for path in self.root.rglob("*")
                if path.is_file() and ".git" not in path.parts
            },
        }

    def plan(self, capsys: pytest.CaptureFixture[str], branch: str) -> dict[str, str]:
        """What `reconcile plan` shows of a branch, in a work tree of its own: address -> action."""
        place = self.root.parent / branch.replace("/", "-")
        self.git("worktree", "add", "--quiet", "--detach", str(place), branch)
        capsys.readouterr()
        assert run(["-C", str(place / "infra"), "plan", "-o", "json"]) == 0
        changes = json.loads(capsys.readouterr().out)["resource_changes"]
        self.git("worktree", "remove", "--force", str(place))
        return {
            item["address"]: item["reconciler"]["action"]
            for item in changes
            if item["reconciler"]["action"] != "unchanged"
        }


def really(spec: dict[str, Any]) -> str:
    """Ask for an environment with both words."""
    return runai_create_environment(spec, dry_run=False, confirmed=True)
