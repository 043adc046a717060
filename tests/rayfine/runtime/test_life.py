"""Life and death of containers: names, ports, kills of the caller, the sweep, forks."""

import contextlib
import datetime as dt
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.errors import UnreachableError
from reconciler.rayfine import (
    cleanup_all_environments,
    get_environment,
    list_active_environments,
    load_env,
)
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.container import AGENT_PORT
from reconciler.rayfine.runtime.errors import EnvironmentEndedError, LoadError
from reconciler.rayfine.runtime.orphans import find_containers, sweep
from reconciler.rayfine.runtime.owner import Owner, judge, process_labels
from tests.rayfine.runtime.conftest import Images, Load, docker

pytestmark = pytest.mark.docker

ENV = "def echo(value): return value\n"
ROOT = Path(__file__).parents[3]
CHILD = """
import sys, time
from reconciler.rayfine import load_env
while True:
    with load_env(sys.argv[1], engine="process") as env:
        print(env.id, flush=True)
        env.setup(API_KEY="x")
        env.echo(value=1)
        time.sleep(0.3)
"""
AT_CREATE = """
import os
from reconciler.rayfine.runtime import container
container.pack = lambda settings: os.kill(os.getpid(), 9)
"""
INTERRUPTED = """
import signal
from reconciler.rayfine.runtime import container
container.pack = container.remove_container = container._remove = lambda *_: signal.raise_signal(2)
"""
PAUSED = """
import os, sys
from reconciler.rayfine import warm_up
warm_up(sys.argv[1], engine="process")
os.kill(os.getpid(), 9)
"""
KILL_WATCHER = """
import os, sys
from reconciler.rayfine import load_env
from reconciler.rayfine.runtime import orphans
env = load_env(sys.argv[1], engine="process", lease=4)
for watcher in orphans.WATCHERS._running.values():
    watcher.kill()
os.kill(os.getpid(), 9)
"""


def child(code: str, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def left(tag: str) -> list[str]:
    return docker("ps", "-aq", "--filter", f"ancestor={tag}").split()


def wait_until_gone(tag: str, seconds: float) -> float:
    start = time.monotonic()
    while left(tag):
        assert time.monotonic() - start < seconds, docker("ps", "-a")
        time.sleep(0.5)
    return time.monotonic() - start


@pytest.fixture
def own_tag(images: Images) -> str:
    """An image whose containers are all of this test."""
    return images.build(ENV, name=f"own{random.randrange(1 << 32):08x}")


def test_twenty_kills_of_the_caller_leave_nothing(own_tag: str, load: Load) -> None:
    stranger = docker("create", "--label", "io.reconciler.digest=x", own_tag, "true")
    docker("tag", own_tag, f"{own_tag}-bystander")
    bystander = load("def other(): ...\n")
    chance = random.Random(4711)

    def one(number: int) -> None:
        process = child(CHILD, own_tag)
        time.sleep(chance.uniform(0.4, 3.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, range(20)))
        start = time.monotonic()
        while len(left(own_tag)) > 1:
            assert time.monotonic() - start < 60, docker("ps", "-a")
            time.sleep(0.5)
        assert stranger.startswith(left(own_tag)[0])
        assert bystander.id in docker("ps", "--format", "{{.Names}}").split()
    finally:
        docker("rm", "-f", stranger)
        docker("rmi", f"{own_tag}-bystander")


@pytest.mark.parametrize(
    "code", [AT_CREATE + CHILD, PAUSED], ids=["between-create-start", "paused"]
)
def test_a_kill_leaves_no_container_that_never_ran(own_tag: str, code: str) -> None:
    process = child(code, own_tag)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    wait_until_gone(own_tag, 30)


def test_an_interrupt_of_the_clean_up_leaves_the_rest_to_the_watcher(own_tag: str) -> None:
    process = child(INTERRUPTED + CHILD, own_tag)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    wait_until_gone(own_tag, 30)


def test_without_its_watcher_the_lease_ends_it_and_the_sweep_removes_it(
    own_tag: str, engine: Engine
) -> None:
    process = child(KILL_WATCHER, own_tag)
    process.communicate(timeout=60)
    (identity,) = left(own_tag)
    assert docker("wait", identity) == "76"
    times = docker("inspect", "-f", "{{.State.StartedAt}} {{.State.FinishedAt}}", identity).split()
    began, ended = map(dt.datetime.fromisoformat, times)
    assert (ended - began).total_seconds() > 3  # it outlived its caller, for all of its lease of 4
    name = docker("inspect", "-f", "{{.Name}}", identity).lstrip("/")
    assert name in sweep(engine)
    assert left(own_tag) == []


def test_a_container_of_an_image_made_of_ours_is_somebody_else_s(
    own_tag: str, load: Load, engine: Engine
) -> None:
    """`docker commit` puts our labels on the image, and a container has those of its image."""
    env = load(ENV)
    copy, volume = f"{own_tag}-copy", f"rectest-{uuid.uuid4().hex[:8]}"
    dead = f"LABEL io.reconciler.pid={process_labels()['io.reconciler.pid']}0"
    docker("commit", "--change", dead, "--change", "VOLUME /made", env.id, copy)
    docker("create", "--name", volume, "-v", f"{volume}:/kept", copy)
    try:
        named = docker("inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", volume).split()
        assert len(named) == 2
        env.cleanup()
        orphan = child(KILL_WATCHER, copy)  # it has labels of its own beside those of the image
        orphan.communicate(timeout=60)
        (mine,) = [item.name for item in find_containers(engine) if item.name.startswith("rayfine-")
                   and item.name in docker("ps", "-a", "--filter", f"ancestor={copy}")]  # fmt: skip
        docker("wait", mine)
        assert {item.name for item in find_containers(engine) if item.is_orphan} >= {mine, volume}
        removed = sweep(engine)
        assert mine in removed
        assert volume not in removed
        assert (
            docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"ancestor={copy}") == volume
        )
        assert set(named) <= set(docker("volume", "ls", "-q").split())
    finally:
        docker("rm", "-f", "-v", *left(copy))
        docker("rmi", "-f", copy)
        docker("volume", "rm", volume)


def test_an_exit_without_cleanup_cleans_up(own_tag: str) -> None:
    code = CHILD.replace("while True:", "if True:").replace("with load_env", "env = load_env")
    code = code.replace(" as env:", "").replace("\n        ", "\n    ")
    process = child(code, own_tag)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert left(own_tag) == []


def test_two_environments_side_by_side_and_the_registry(load: Load) -> None:
    one, two = load(ENV), load(ENV)
    assert {one.id, two.id} <= set(list_active_environments())
    assert get_environment(one.id) is one
    one.setup()
    two.setup()
    assert (one.echo(1), two.echo(2)) == (1, 2)
    port = docker("port", one.id)
    assert "127.0.0.1:" in port
    assert "0.0.0.0" not in port
    one.cleanup()
    one.cleanup()
    assert one.id not in list_active_environments()
    with pytest.raises(EnvironmentEndedError, match="was cleaned up"):
        one.echo(1)
    assert two.echo(3) == 3
    threads = [threading.Thread(target=cleanup_all_environments) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert list_active_environments() == []


def test_names(load: Load, images: Images) -> None:
    name = f"rectest-{uuid.uuid4().hex[:8]}-my.name"
    env = load(ENV, container_name=name)
    assert env.id == name
    with pytest.raises(LoadError, match="active already"):
        load(ENV, container_name=name)
    env.cleanup()
    taken = docker("create", "--name", name, images.build(ENV), "true")
    try:
        with pytest.raises(LoadError, match="the name is taken"):
            load(ENV, container_name=name)
        assert docker("inspect", "-f", "{{.Id}}", name) == taken
    finally:
        docker("rm", taken)


def test_ports_that_are_taken_here_do_not_matter(load: Load) -> None:
    with contextlib.ExitStack() as taken:
        for port in (AGENT_PORT, 10001):
            with contextlib.suppress(OSError):  # then somebody else has it, which is as good
                taken.enter_context(socket.create_server(("0.0.0.0", port)))
        env = load(ENV)
        env.setup()
        assert env.echo(1) == 1
        assert docker("port", env.id).rpartition(":")[2] not in (str(AGENT_PORT), "10001")


def test_a_fork_owns_nothing(load: Load) -> None:
    env = load(ENV)
    env.setup()
    with warnings.catch_warnings():
        # From Python 3.12 on, of a fork where other threads live; this child only counts.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os._exit(len(list_active_environments()))
    assert os.waitpid(pid, 0)[1] == 0
    assert env.echo(1) == 1


def test_a_container_that_somebody_removed(load: Load) -> None:
    env = load(ENV)
    env.setup()
    docker("rm", "-f", env.id)
    with pytest.raises(EnvironmentEndedError, match="the container was removed"):
        env.echo(1)
    env.cleanup()


def test_a_container_that_somebody_renamed(load: Load) -> None:
    """It is removed under any name, and another one of its name is neither quoted nor removed."""
    env = load(ENV)
    env.setup()
    name, moved, image = env.id, f"{env.id}-2", docker("inspect", "-f", "{{.Image}}", env.id)
    docker("rename", name, moved)
    docker("run", "-d", "--name", name, "--entrypoint", "sh", image, "-c", "echo theirs; sleep 60")
    try:
        docker("kill", moved)
        with pytest.raises(EnvironmentEndedError, match=r"137\)\n  load the environment"):
            env.echo(1)
        env.cleanup()
        assert docker("ps", "-a", "--filter", f"name={name}", "--format", "{{.Names}}") == name
    finally:
        docker("rm", "-f", name)


def test_an_image_that_is_missing(images: Images) -> None:
    tag = images.build(ENV)
    with pytest.raises(LoadError, match=f"did you mean .*{tag}"):
        load_env(tag.replace("env", "evn"))


def test_an_engine_that_is_missing() -> None:
    with pytest.raises(UnreachableError, match="start Docker"):
        load_env("any:v1", docker_host="unix:///nowhere/docker.sock")


def test_an_image_without_env_py_or_python(load: Load, own_tag: str, tmp_path: Path) -> None:
    for name, lines in (
        ("no-env", f"FROM {own_tag}\nRUN rm /app/env.py\n"),
        ("none", "FROM scratch\nCOPY x /x\n"),
    ):
        (tmp_path / "x").write_text("x")
        (tmp_path / "Dockerfile").write_text(lines.replace("RUN", "USER 0\nRUN"))
        subprocess.run(
            ["docker", "build", "-q", "-t", f"{own_tag}-{name}", str(tmp_path)],
            env={**os.environ, "DOCKER_BUILDKIT": "0"}, check=True, capture_output=True,
        )  # fmt: skip
    with (
        load_env(f"{own_tag}-no-env", engine="process") as env,
        pytest.raises(Exception, match=r"there is no /app/env\.py"),
    ):
        env.setup()
    with pytest.raises(LoadError, match="no python3 in the image"):
        load_env(f"{own_tag}-none", engine="process")
    assert left(f"{own_tag}-none") == []


def test_what_the_engine_is_told(load: Load) -> None:
    env = load(ENV, memory="200m", cpus=0.5, pids=99)
    found = json.loads(docker("inspect", env.id))[0]
    host = found["HostConfig"]
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert host["Init"] is True
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (200 << 20, 200 << 20, 99)
    assert host["NanoCpus"] == 5e8
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert [item for item in found["Config"]["Env"] if "reconciler" in item.lower()] == []


def test_judging_owners(engine: Engine, load: Load) -> None:
    env = load(ENV)
    mine = [item for item in find_containers(engine) if item.name == env.id]
    assert [item.is_orphan for item in mine] == [False]
    labels = process_labels()
    pid = labels["io.reconciler.pid"]
    assert judge(labels) is Owner.ALIVE
    assert judge({**labels, "io.reconciler.pid": pid + "0"}) is Owner.GONE
    assert judge({**labels, "io.reconciler.pid": f"9{pid}"}) is Owner.UNKNOWN
    assert judge({**labels, "io.reconciler.boot": "x"}) in (Owner.REBOOTED, Owner.UNKNOWN)
    other = {**labels, "io.reconciler.boot": "x", "io.reconciler.machine": "other"}
    assert judge(other) is Owner.UNKNOWN
    assert judge({}) is Owner.UNKNOWN
    assert env.id not in sweep(engine)
