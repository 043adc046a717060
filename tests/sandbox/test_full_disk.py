"""A disk without room under a sandbox: one clear answer, nothing half written, and it goes on."""

import resource
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox import Behaviour, SandboxServer
from tests.acceptance.live_side import assets, call
from tests.acceptance.project import Project, environment, project


@contextmanager
def without_room(database: Path) -> Iterator[None]:
    """No file of this process may grow beyond what the database and its log have now."""
    files = (database, database.with_name(f"{database.name}-wal"))
    room = max(path.stat().st_size for path in files if path.exists()) + 8_192
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    with project(tmp_path, capsys, Behaviour()) as made:
        yield made


def body(name: str, size: int) -> dict[str, Any]:
    return {
        "meta": {"name": name, "scope": "tenant"},
        "spec": {"image": "x:1", "command": "x" * size},
    }


def test_a_write_without_room_is_refused_and_undone(
    world: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/api/v1/asset/environment"
    call(world, "POST", path, body("before", 10))
    with without_room(tmp_path / "sandbox.db"):
        with pytest.raises(urllib.error.HTTPError) as raised:
            call(world, "POST", path, body("too-large", 400_000))
        answer = raised.value.read().decode()
        assert raised.value.code == 507
    assert "disk cannot be written" in answer
    assert "Traceback" not in caplog.text
    call(world, "POST", path, body("after", 10))
    assert {entry["meta"]["name"] for entry in assets(world)} == {"before", "after"}


def test_an_apply_says_so(world: Project, tmp_path: Path) -> None:
    world.write(environment(command="x" * 400_000))
    with without_room(tmp_path / "sandbox.db"):
        ran = world.reconcile("apply", "--apply")
    assert ran.code == 5
    assert "disk cannot be written" in ran.out
    assert len(ran.err) < 5_000
    world.apply()


def test_a_sandbox_does_not_begin_without_room(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, hard))
    try:
        with pytest.raises(Exception, match="cannot be used") as raised:
            SandboxServer(tmp_path / "sandbox.db").start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "where there is room" in str(raised.value)
