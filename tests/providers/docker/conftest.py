"""A real engine, environments on disk, and a way from manifests to outcomes without the CLI."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.outcome import Outcome
from reconciler.core.plan import Change, Plan
from reconciler.core.planner import PlanInput, make_plan
from reconciler.core.resource import Resource, ResourceKey, Source
from reconciler.kinds.image import IMAGE
from reconciler.providers.docker.image import ImageProvider, ImageSettings
from reconciler.providers.docker.registry import Registries
from reconciler.providers.docker.registry_http import Connection
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.image.build_input import Surroundings
from reconciler.support.threads import ThreadExecutor
from reconciler.workflow.apply import ApplyContext, apply_plan
from reconciler.workflow.read_live import look_up_users, read_all

KIND = IMAGE.name
DOCKERFILE = "FROM scratch\nCOPY . /app/\n"


class Silent:
    """An observer that keeps the lines of progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, change: Change) -> None: ...

    def progressed(self, change: Change, line: str) -> None:
        self.lines.append(line)

    def finished(self, outcome: Outcome) -> None: ...


@dataclass
class Bench:
    """A repository with environments, and the engine and stack they belong to."""

    root: Path
    prefix: str
    engine: Engine
    stack: str = ""
    registries: Registries = field(default_factory=Registries)
    around: Surroundings = field(default_factory=Surroundings)
    observer: Silent = field(default_factory=Silent)

    def environment(self, name: str = "env", **files: str) -> Path:
        path = self.root / name
        path.mkdir(exist_ok=True)
        stated = {"env.py": "def hello(name='World'):\n    return name\n", "Dockerfile": DOCKERFILE}
        for file, text in {**stated, **files}.items():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_text(text)
        return path

    def tag(self, name: str = "env", tag: str = "v1") -> str:
        return f"{self.prefix}-{name}:{tag}"

    def image(self, name: str = "env", resource_id: str = "", **spec: Any) -> Resource:
        meta = {key: spec.pop(key) for key in ("protect", "adopt", "moved_from") if key in spec}
        return Resource(
            key=ResourceKey(KIND, resource_id or name),
            spec={"path": name, "tag": self.tag(name), **spec},
            source=Source("images.yaml", 1),
            **meta,
        )

    def provider(self) -> ImageProvider:
        settings = ImageSettings(self.root, self.stack, self.around)
        return ImageProvider(settings, self.engine, self.registries)

    def plan(self, *resources: Resource) -> tuple[Plan, ImageProvider]:
        provider = self.provider()
        reading = read_all(resources, {KIND: provider}, ThreadExecutor(4))
        assert not reading.failures, reading.failures
        live = [item for item in reading.live if self.prefix in str((item.spec, item.raw))]
        plan = make_plan(
            PlanInput("t", self.stack, reading.desired, tuple(live), {KIND: IMAGE}, ())
        )
        return look_up_users(plan, {KIND: provider}), provider

    def apply(self, *resources: Resource) -> tuple[Outcome, ...]:
        plan, provider = self.plan(*resources)
        return self.carry_out(plan, provider)

    def carry_out(self, plan: Plan, provider: ImageProvider) -> tuple[Outcome, ...]:
        return apply_plan(plan, ApplyContext({KIND: provider}, ThreadExecutor(4), self.observer))

    def changes(self, *resources: Resource) -> dict[str, tuple[str, list[str], str | None]]:
        """By address, (action, names of changed fields, kind of refusal)."""
        plan, _ = self.plan(*resources)
        return {
            change.address: (
                str(change.action),
                [item.name for item in change.fields],
                str(change.refusal.kind) if change.refusal else None,
            )
            for change in plan.changes
        }

    def docker(self, *words: str, check: bool = True, stdin: str = "") -> str:
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            ["docker", *words],
            capture_output=True,
            check=False,
            text=True,
            input=stdin,
            env=environment,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def id_of(self, tag: str) -> str:
        return self.docker("image", "inspect", "-f", "{{.Id}}", tag)

    def tags(self) -> set[str]:
        lines = self.docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
        return {line for line in lines if self.prefix in line and "<none>" not in line}

    def clean_up(self) -> None:
        names = self.docker("ps", "-aq", "--filter", f"name={self.prefix}").split()
        if names:
            self.docker("rm", "-f", *names)
        if tags := self.tags():
            self.docker("rmi", "-f", *tags)
        form = "{{.Repository}}@{{.Digest}}"
        pulled = self.docker("images", "--digests", "--format", form).splitlines()
        if images := {line for line in pulled if self.prefix in line and "<none>" not in line}:
            self.docker("rmi", "-f", *images)


@pytest.fixture
def prefix() -> str:
    return f"rectest-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def bench(tmp_path: Path, prefix: str) -> Iterator[Bench]:
    root = tmp_path / "repository"
    root.mkdir()
    engine = Engine()
    made = Bench(root, prefix, engine, stack=prefix)
    yield made
    made.clean_up()
    engine.close()
    made.registries.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int, process: "subprocess.Popen[bytes]") -> bool:
    """Whether it listens on the port; False if it has ended, as when the port was taken."""
    for _ in range(1200):
        if process.poll() is not None:
            return False
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.05)
    raise AssertionError("the registry does not answer")


@contextlib.contextmanager
def running_registry(directory: Path, users: dict[str, str] | None = None) -> Iterator[str]:
    """Debian's docker-registry on a loopback port: `HOST:PORT`."""
    lines = [
        "version: 0.1",
        "log: {level: error}",
        "storage:",
        f"  filesystem: {{rootdirectory: {directory / 'storage'}}}",
    ]
    if users:
        passwords = directory / "htpasswd"
        for user, password in users.items():
            line = subprocess.run(
                ["htpasswd", "-Bbn", user, password], capture_output=True, check=True
            ).stdout
            passwords.write_bytes(line)
        lines.append(f"auth: {{htpasswd: {{realm: test, path: {passwords}}}}}")
    binary = shutil.which("docker-registry")
    assert binary, "docker-registry is missing: scripts/ensure-registry"
    config, log = directory / "registry.yml", directory / "registry.log"
    for _ in range(10):  # a free port may be taken by another program before it is listened on
        port = free_port()
        config.write_text("\n".join([*lines, f"http: {{addr: '127.0.0.1:{port}'}}"]) + "\n")
        with log.open("wb") as stream:
            process = subprocess.Popen([binary, "serve", str(config)], stdout=stream, stderr=stream)
        if answers(port, process):
            break
    try:
        assert process.poll() is None, log.read_text()
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    directory = tmp_path / "registry"
    directory.mkdir()
    with running_registry(directory) as host:
        yield host


__all__ = ["Bench", "Connection", "running_registry"]
