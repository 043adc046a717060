"""A recorded repository, what is live, a fake of GitHub, and single steps of the action."""

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from reconciler.sandbox import Endpoint, SandboxServer
from tests.workflows.fake_github import FakeGitHub

ROOT = Path(__file__).parents[2]
TOKEN = "canary-of-the-job"
CONFIG = """\
apiVersion: reconciler/v1
stack: acme
targets:
  production:
    runai:
      base_url: {env: RUNAI_BASE_URL}
      client_id: {env: RUNAI_CLIENT_ID}
      client_secret: {env: RUNAI_CLIENT_SECRET}
"""
MANIFEST = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {{name: {name}}}
spec: {{scope: project, scope_id: team-a, image: "{image}"}}
"""


@dataclass
class Stage:
    """One repository with its history, what is live, and what GitHub knows."""

    place: Path
    github: FakeGitHub
    live: SandboxServer
    endpoint: Endpoint
    lag: float = 0.0

    @property
    def repository(self) -> Path:
        return self.place / "repository"

    @property
    def artifacts(self) -> Path:
        return self.place / "artifacts"

    @property
    def action(self) -> Path:
        """The files of the action, as workflows find them that name it."""
        return self.place / "action"

    @property
    def meanwhile(self) -> Path:
        """A script of what others do while the job `apply` waits for its approval."""
        return self.place / "meanwhile.sh"

    @property
    def secret(self) -> str:
        """What has to be seen nowhere: the secret of the target."""
        return self.endpoint.client_secret.get_secret_value()

    @property
    def output(self) -> Path:
        """Where a step that is started by itself writes its outputs."""
        return self.place / "output"

    def git(self, *words: str) -> str:
        """Run git in the repository."""
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        command = ["git", *identity, "-C", str(self.repository), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, images: dict[str, str] | None, subject: str) -> str:
        """State these environments with these images, or as before; the new commit."""
        directory = self.repository / "manifests"
        if images is not None:
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            for name, image in images.items():
                (directory / f"{name}.yaml").write_text(MANIFEST.format(name=name, image=image))
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def reconcile(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command on the work tree as somebody at a desk would."""
        command = [sys.executable, "-m", "reconciler", "-C", str(self.repository), *words]
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **self.credentials(), "PYTHONPATH": str(ROOT)},
        )

    def step(self, command: str, head: str, **more: str) -> subprocess.Popen[str]:
        """The action's one step as the runner starts it, without a workflow; a push by default."""
        line = re.search(r"^      run: '(.*?)'", (ROOT / "action.yml").read_text(), re.MULTILINE)
        assert line
        script, event = self.place / "step.sh", self.place / "event.json"
        script.write_text(line[1])
        event.write_text(more.pop("EVENT", "{}"))
        self.github.repository.refs.setdefault("heads/main", head)
        self.output.write_text("")
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            cwd=self.repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **self.environ(),
                **self.credentials(),
                "GH_TOKEN": TOKEN,
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_EVENT_NAME": "push",
                "GITHUB_EVENT_PATH": str(event),
                "GITHUB_OUTPUT": str(self.output),
                "GITHUB_REF": "refs/heads/main",
                "GITHUB_REPOSITORY": "acme/platform",
                "GITHUB_SHA": head,
                "GITHUB_STEP_SUMMARY": str(self.place / "summary.md"),
                "GITHUB_WORKSPACE": str(self.repository),
                "RECONCILE_COMMAND": command,
                "RECONCILE_ENVIRONMENT": "production",
                "RECONCILE_TARGET": "production",
                "RUNNER_TEMP": str(self.place),
                **more,
            },
        )

    def record_artifact(self, name: str, head: str, *, head_repository: int = 1) -> None:
        """Let GitHub list an artifact that a run has kept, as its REST answer describes it."""
        known = self.github.repository
        number = 900 + len(known.artifacts)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path in (self.artifacts / name).iterdir():
                archive.write(path, path.name)
        known.zips[number] = packed.getvalue()
        run = {"head_sha": head, "repository_id": 1, "head_repository_id": head_repository}
        known.artifacts.append(
            {
                "id": number,
                "name": name,
                "expired": False,
                "created_at": f"2026-01-01T00:00:{number % 60:02}Z",
                "workflow_run": run,
            }
        )

    def credentials(self) -> dict[str, str]:
        """The variables that reconciler.yaml names."""
        return {
            "RUNAI_BASE_URL": self.endpoint.base_url,
            "RUNAI_CLIENT_ID": self.endpoint.client_id,
            "RUNAI_CLIENT_SECRET": self.secret,
        }

    def environ(self) -> dict[str, str]:
        """The variables of a runner that talks to this GitHub."""
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.place / "home"),
            "DOCKER_HOST": "unix:///nowhere/docker.sock",  # act looks for an engine it never uses
            "RECORDED_REPOSITORY": str(self.repository),
            "RECORDED_ARTIFACTS": str(self.artifacts),
            "RECORDED_MEANWHILE": str(self.meanwhile),
            "PYTHON": sys.executable,
            "GH_HOST": "github.localhost",
            "HTTP_PROXY": self.github.url,
            "NO_PROXY": "127.0.0.1",
        }
