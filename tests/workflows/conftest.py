"""Fixtures of the workflows' tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.github.rest import GitHub
from reconciler.sandbox import Behaviour, SandboxServer
from tests.workflows.fake_github import FakeGitHub
from tests.workflows.stage import CONFIG, Stage


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    server = FakeGitHub()
    yield server
    server.close()


@pytest.fixture
def gh(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> GitHub:
    """Calls of that server through the real `gh`."""
    for name, value in (
        ("GH_HOST", "github.localhost"),
        ("GH_TOKEN", "canary"),
        ("HTTP_PROXY", github.url),
        ("NO_PROXY", "127.0.0.1"),
        ("GH_CONFIG_DIR", str(tmp_path)),
    ):
        monkeypatch.setenv(name, value)
    return GitHub("acme/platform")


@pytest.fixture
def behaviour() -> Behaviour:
    """How the control plane of `bare_stage` behaves."""
    return Behaviour()


@pytest.fixture
def bare_stage(tmp_path: Path, github: FakeGitHub, behaviour: Behaviour) -> Iterator[Stage]:
    """A repository with a reconciler.yaml, and a control plane where nothing is live yet."""
    server = SandboxServer(tmp_path / "live.db", behaviour=behaviour)
    with server as endpoint:
        found = Stage(tmp_path, github, server, endpoint)
        for directory in (found.repository, found.artifacts, tmp_path / "home"):
            directory.mkdir()
        (found.repository / "reconciler.yaml").write_text(CONFIG)
        found.git("init", "-q", "-b", "main")
        found.git("remote", "add", "origin", "https://github.com/acme/platform.git")
        yield found
