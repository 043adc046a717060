"""A project in a temporary directory, a running sandbox, and `reconcile` run against both."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.main import run
from reconciler.sandbox import Behaviour, Endpoint, SandboxServer
from tests.login import runai

ENVIRONMENT = {
    "apiVersion": "reconciler/v1",
    "kind": "RunaiEnvironment",
    "metadata": {"name": "train"},
    "spec": {"scope": "cluster", "image": "busybox:1"},
}


@dataclass(frozen=True)
class Ran:
    """What one run of `reconcile` printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.strip().splitlines()[-1]


@dataclass
class Project:
    """Manifests on disk, applied to a sandbox over HTTP by the real command line.

    Without a `capture` nothing can be run in this process.
    """

    directory: Path
    server: SandboxServer
    endpoint: Endpoint
    capture: pytest.CaptureFixture[str] | None
    lag: float = 0.0
    target: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.directory / "manifests").mkdir(parents=True, exist_ok=True)
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Write reconciler.yaml; `changes` are merged over its top level."""
        target = {"runai": runai(self.endpoint), **self.target}
        config = {
            "apiVersion": "reconciler/v1",
            "stack": "ml-platform",
            "default_target": "live",
            "targets": {"live": target},
            **changes,
        }
        (self.directory / "reconciler.yaml").write_text(yaml.safe_dump(config))

    def go_by(self, base_url: str, **target: Any) -> None:
        """Reach the control plane by another address, such as a proxy's; with more of a target."""
        self.target = {"runai": {**runai(self.endpoint), "base_url": base_url}, **target}
        self.configure()

    def write(self, *documents: dict[str, Any], file: str = "all.yaml") -> None:
        """Replace one manifest file; no documents remove it."""
        path = self.directory / "manifests" / file
        if not documents:
            path.unlink(missing_ok=True)
            return
        path.write_text("---\n".join(yaml.safe_dump(item, sort_keys=False) for item in documents))

    def reconcile(self, *arguments: str) -> Ran:
        """Run `reconcile -C DIR ...` in this process."""
        assert self.capture is not None
        self.capture.readouterr()
        code = run(["-C", str(self.directory), *arguments])
        captured = self.capture.readouterr()
        return Ran(int(code), captured.out, captured.err)

    def plan(self, *arguments: str) -> dict[str, str]:
        """Address -> action of every change that is not `unchanged`; refused ones say so."""
        ran = self.reconcile("plan", "-o", "json", *arguments)
        assert ran.code in (0, 4), ran.err
        document = json.loads(ran.out)
        return {
            item["address"] + (f" (deposed {item['deposed']})" if "deposed" in item else ""): (
                f"{item['reconciler']['refusal']['kind']} {item['reconciler']['action']}"
                if item["reconciler"]["refusal"]
                else item["reconciler"]["action"]
            )
            for item in document["resource_changes"]
            if item["reconciler"]["action"] != "unchanged"
        }

    def fields(self, address: str) -> list[str]:
        """The dotted paths of the fields that the plan changes at an address."""
        document = json.loads(self.reconcile("plan", "-o", "json").out)
        (change,) = [item for item in document["resource_changes"] if item["address"] == address]
        return [".".join(item["path"]) for item in change["reconciler"]["fields"]]

    def apply(self, *arguments: str) -> Ran:
        """`reconcile apply --apply`, which has to succeed."""
        ran = self.reconcile("apply", "--apply", *arguments)
        assert ran.code == 0, ran.out + ran.err
        return ran


@contextmanager
def project(
    directory: Path, capture: pytest.CaptureFixture[str] | None, behaviour: Behaviour
) -> Iterator[Project]:
    """A project against a sandbox of its own."""
    server = SandboxServer(directory / "sandbox.db", behaviour=behaviour)
    with server as endpoint:
        yield Project(directory / "project", server, endpoint, capture, behaviour.visibility_lag)


def environment(name: str = "train", **spec: Any) -> dict[str, Any]:
    """A RunaiEnvironment document; metadata other than the name goes into `metadata`."""
    metadata = {"name": name, **spec.pop("metadata", {})}
    return {
        **ENVIRONMENT,
        "metadata": metadata,
        "spec": {"scope": "cluster", "image": "busybox:1", **spec},
    }
