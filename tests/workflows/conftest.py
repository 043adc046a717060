"""Fixtures of the workflows' tests."""

import compileall
import shutil
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from reconciler.sandbox import SandboxServer
from tests.workflows.fake_github import FakeGitHub
from tests.workflows.stage import CONFIG, ROOT, Stage


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    server = FakeGitHub()
    yield server
    server.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work tree with this action and its workflow in it.

    It holds compiled modules, so that not every checkout of every job compiles them again.
    """
    place = tmp_path_factory.mktemp("template")
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in (".github/workflows", "scripts", "requirements", "reconciler"):
        shutil.copytree(ROOT / name, place / name, ignore=ignored)
    shutil.copy(ROOT / "action.yml", place)
    (place / "reconciler.yaml").write_text(CONFIG)
    mode = PycInvalidationMode.UNCHECKED_HASH  # a checkout has other times
    assert compileall.compile_dir(place / "reconciler", quiet=1, invalidation_mode=mode)
    return place


@pytest.fixture
def stage(tmp_path: Path, github: FakeGitHub, template: Path) -> Iterator[Stage]:
    """A repository with the template's content, and a control plane where nothing is live yet."""
    server = SandboxServer(tmp_path / "live.db")
    with server as endpoint:
        found = Stage(tmp_path, github, server, endpoint)
        found.artifacts.mkdir()
        (tmp_path / "home").mkdir()
        shutil.copytree(template, found.repository)
        found.git("init", "-q", "-b", "main")
        found.git("remote", "add", "origin", "https://github.com/acme/platform.git")
        yield found
