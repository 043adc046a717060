"""scripts/ensure-engine and scripts/stop-engine with a stand-in for dockerd."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripts.conftest import Scripts

# Like the real ones: the daemon refuses to start while its pid file names any live process, and
# the client gets an answer as long as the daemon lives.
DOCKERD = """
while [ $# -gt 0 ]; do
  case $1 in --pidfile) pid_file=$2 ;; --storage-driver) driver=$2 ;; esac
  shift
done
if [ -e "$pid_file" ] && [ -e "/proc/$(cat "$pid_file")" ]; then
  echo "pid file found, ensure docker is not running or delete $pid_file"
  exit 1
fi
if [ -n "${ONLY_VFS:-}" ] && [ "$driver" != vfs ]; then
  echo "error initializing graphdriver: driver not supported"
  exit 1
fi
echo $$ > "$pid_file"
trap 'rm -f "$pid_file"; exit 0' TERM
while :; do sleep 0.05; done
"""
DOCKER = """
pid_file=${DOCKER_HOST#unix://}
pid_file=${pid_file%/docker.sock}/docker.pid
[ "$1" = version ] && [ -e "$pid_file" ] || exit 1
grep -q '(dockerd) [^Z]' "/proc/$(cat "$pid_file")/stat" && echo 20.10
"""


class Engine:
    """The engine of one folder."""

    def __init__(self, scripts: Scripts, folder: Path) -> None:
        self.scripts = scripts
        self.folder = folder
        scripts.stub("dockerd", DOCKERD)
        scripts.stub("docker", DOCKER)
        scripts.stub("iptables", "")
        scripts.stub("id", "echo 0")
        scripts.stub("unshare", 'shift; exec "$@"')
        (folder / "exec" / "containerd").mkdir(parents=True)

    def start(self, **env: str) -> str:
        """Start it, or find it running; the script's words."""
        done = self.scripts.run("ensure-engine", "--private", str(self.folder), **env)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def stop(self) -> str:
        """Stop it, or find none of ours; the script's words."""
        done = self.scripts.run("stop-engine", "--private", str(self.folder))
        assert done.returncode == 0, done.stderr
        return done.stderr


@pytest.fixture
def engine(scripts: Scripts, tmp_path: Path) -> Iterator[Engine]:
    started = Engine(scripts, tmp_path / "engine")
    yield started
    started.stop()


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that has nothing to do with any engine."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        assert process.poll() is None, "the unrelated process was killed"
        process.kill()


def test_an_engine_is_started_once_and_stopped(engine: Engine) -> None:
    assert "started dockerd" in engine.start()
    assert "already runs" in engine.start()
    assert "stopped" in engine.stop()
    assert "no engine" in engine.stop()


def test_pid_files_that_name_unrelated_processes_are_removed(engine: Engine, stranger: int) -> None:
    files = engine.folder / "docker.pid", engine.folder / "exec/containerd/containerd.pid"
    for file in files:
        file.write_text(str(stranger), encoding="utf-8")
    words = engine.start()
    assert words.count("removing the stale") == 2
    assert not files[1].exists()


def test_pid_files_of_a_killed_engine_are_removed(engine: Engine) -> None:
    engine.start()
    os.kill(int((engine.folder / "docker.pid").read_text(encoding="utf-8")), signal.SIGKILL)
    assert "started dockerd" in engine.start()


def test_vfs_is_the_fall_back_for_a_storage_driver_that_fails(engine: Engine) -> None:
    assert "trying vfs" in engine.start(ONLY_VFS="1")


def test_an_engine_that_fails_to_start_shows_its_log(engine: Engine) -> None:
    engine.scripts.stub("dockerd", "echo 'failed to start: iptables not found'; exit 1")
    done = engine.scripts.run("ensure-engine", "--private", str(engine.folder))
    assert done.returncode == 1
    assert "iptables not found" in done.stderr
    assert "hint: iptables" in done.stderr


def test_stop_leaves_a_process_alone_that_only_has_the_pid(engine: Engine, stranger: int) -> None:
    (engine.folder / "dockerd.pid").write_text(f"{stranger} 1\n", encoding="utf-8")
    assert "no engine" in engine.stop()
