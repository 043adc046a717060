"""Standard output that ends early: what an apply has done is told all the same."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Behaviour
from reconciler.support.plain_file import PRIVATE, write_whole
from tests.acceptance.live_side import assets
from tests.acceptance.project import Project, environment, project


def reconcile(
    world: Project, *arguments: str, stdout: int, prepare: Callable[[], None] | None = None
) -> tuple[int, str]:
    """A process of its own; its exit code and standard error."""
    ran = subprocess.run(
        [sys.executable, "-m", "reconciler", "-C", str(world.directory), *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
        preexec_fn=prepare,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return ran.returncode, ran.stderr


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    with project(tmp_path, capsys, Behaviour()) as made:
        made.write(environment())
        yield made


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_outcome_that_cannot_be_written_is_told_on_standard_error(
    world: Project, tmp_path: Path, form: tuple[str, ...]
) -> None:
    """A full disk, or a reader that has gone, as with `| head -1`: just behind the plan."""
    dry = world.reconcile("apply", *form).out
    room = len(dry.encode())
    with (tmp_path / "out").open("wb") as out:
        code, said = reconcile(
            world,
            *("apply", "--apply", *form),
            stdout=out.fileno(),
            prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        )
    assert code == 0
    assert "Standard output cannot be written (File too large). What was done:" in said
    assert "Apply complete! Resources: 1 added, 0 changed, 0 destroyed." in said
    assert "Traceback" not in said
    assert len(assets(world)) == 1


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_nothing_is_applied_where_nobody_can_read_the_plan(
    world: Project, form: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone, Path("/dev/full").open("wb") as full:
        for stream, why in ((gone, "Broken pipe"), (full, "No space left on device")):
            code, said = reconcile(world, "apply", "--apply", *form, stdout=stream.fileno())
            assert code == 1
            assert f"({why}), and nothing was applied" in said
            assert "Traceback" not in said
    assert assets(world) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_plan_is_its_owner_s_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_whole(tmp_path / "plan.json", "{}", PRIVATE)
        write_whole(tmp_path / "other", "{}")
    finally:
        os.umask(before)
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o666 & ~umask


@pytest.mark.parametrize("files", [12, 63])
def test_too_few_files_are_one_error(world: Project, files: int) -> None:
    """It was 47 MB of tracebacks: the embedded server could accept no connection."""
    code, said = reconcile(
        world,
        "plan",
        stdout=subprocess.DEVNULL,
        prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
    )
    assert code == 1
    assert (
        said == f"Error: this process may open {files} files, and 64 are needed\n  ulimit -n 1024\n"
    )
