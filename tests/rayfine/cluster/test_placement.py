"""Replicas on a Ray cluster of three nodes, all on this machine; one of them has no Docker."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from reconciler.rayfine import load_env
from reconciler.rayfine.runtime.errors import EnvironmentEndedError, LoadError
from tests.rayfine.runtime.conftest import Images, docker

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ENV = """
import os, socket
def where(n=0): return socket.gethostname()
def who(): return os.environ["WHO"]
def boom(): raise ValueError("no")
"""
ROOT = Path(__file__).parents[3]
ANY_PORTS = ("--min-worker-port=0", "--max-worker-port=0")
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}


def free_ports(count: int) -> list[int]:
    """Ports below those that the kernel gives away: Ray binds many of these before it gets here."""
    found: list[int] = []
    for port in random.sample(range(20_000, 32_000), 200):
        with socket.socket() as tried, contextlib.suppress(OSError):  # somebody else has it
            tried.bind(("127.0.0.2", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no port of the 200 is free")


class Cluster:
    """A head on 127.0.0.2, and nodes beside it."""

    second: subprocess.Popen[bytes]

    def __init__(self, directory: str, stack: ExitStack) -> None:
        self._stack = stack
        gcs, client = free_ports(2)
        self.address = f"ray://127.0.0.2:{client}"
        self.direct = f"127.0.0.2:{gcs}"
        self._start(
            *("--head", "--node-ip-address=127.0.0.2", f"--port={gcs}"),
            *(f"--ray-client-server-port={client}", "--include-dashboard=false"),
            f"--temp-dir={directory}",
        )

    def add(self, address: str, **variables: str) -> subprocess.Popen[bytes]:
        return self._start(f"--address={self.direct}", f"--node-ip-address={address}", **variables)

    def _start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        size = ("--num-cpus=1", "--object-store-memory=80000000")
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ray.scripts.scripts",
                "start",
                "--block",
                *size,
                *ANY_PORTS,
                *words,
            ],
            env={**os.environ, **QUIET, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._stack.callback(end, process)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line.decode(errors="replace"))
            if b"Ray runtime started" in line:
                break
        else:
            raise AssertionError("".join(said))
        threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
        return process


def _drain(stream: IO[bytes]) -> None:
    with stream:
        while stream.read(1 << 16):
            pass


def end(process: subprocess.Popen[bytes]) -> None:
    """End a node with all that it has started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="rr") as directory, ExitStack() as stack:
        yield Cluster(directory, stack)  # short: Ray puts sockets there


@pytest.fixture(scope="module")
def image(images: Images) -> str:
    return images.build(ENV, name="placed")


@pytest.fixture(scope="module")
def two(image: str) -> Iterator[Cluster]:
    with cluster() as found:
        found.second = found.add("127.0.0.3")
        found.add("127.0.0.4", DOCKER_HOST="unix:///nowhere/docker.sock")
        yield found


def containers(part: str) -> str:
    return docker("ps", "-a", "--filter", f"name={part}", "--format", "{{.Names}}")


def node(container: str) -> str:
    return docker("port", container).partition("->")[2].strip().rpartition(":")[0]


def until_gone(part: str) -> None:
    deadline = time.monotonic() + 60
    while containers(part):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_replicas_are_spread_over_the_nodes_and_called_as_ever(two: Cluster, image: str) -> None:
    with load_env(image, ray_address=two.address, engine="process", replicas=3) as env:
        names = containers(env.id).splitlines()
        assert sorted({node(name) for name in names}) == ["127.0.0.2", "127.0.0.3"]
        env.setup(WHO="me")
        assert env.who() == "me"
        assert len({item.value for item in env.map("where", range(9))}) == 3
        with pytest.raises(ValueError, match="no"):
            env.boom()
        where = node(names[0])
        docker("kill", names[0])
        errors = [item.error for item in env.map("where", range(9)) if item.error]
        assert errors
        assert all("137" in str(error) and f"on node {where}:" in str(error) for error in errors)
        assert isinstance(errors[0], EnvironmentEndedError)
        assert env.who() == "me"
    assert not containers(env.id)


def test_a_killed_caller_leaves_nothing_on_the_nodes(two: Cluster, image: str) -> None:
    name = f"placed-{uuid.uuid4().hex[:8]}-killed"
    code = (
        "import sys, time; from reconciler.rayfine import load_env\n"
        "load_env(sys.argv[1], ray_address=sys.argv[2], engine='process', replicas=2,\n"
        "         container_name=sys.argv[3])\n"
        "print('up', flush=True); time.sleep(300)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code, image, two.address, name],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert caller.stdout is not None
    with caller.stdout as stream:
        assert stream.readline() == b"up\n"
    assert len(containers(name).splitlines()) == 2
    caller.kill()
    caller.wait()
    until_gone(name)


def test_what_is_missing_is_said_with_the_node(two: Cluster, image: str) -> None:
    name = f"placed-{uuid.uuid4().hex[:8]}-none"
    with pytest.raises(LoadError, match=r"node 127\.0\.0\.[23].*no such image") as caught:
        load_env(f"{image}-none", ray_address=two.direct, container_name=name)
    assert "push it to a registry" in str(caught.value)
    assert not containers(name)


def test_a_lost_node_is_named_and_the_others_go_on(two: Cluster, image: str) -> None:
    with load_env(image, ray_address=two.address, engine="process", replicas=2) as env:
        env.setup(WHO="me")
        lost = next(name for name in containers(env.id).splitlines() if node(name) == "127.0.0.3")
        os.killpg(two.second.pid, signal.SIGKILL)
        until_gone(lost)  # its keeper ended with the node, and the keeper's watcher removed it
        errors = [item.error for item in env.map("where", range(8)) if item.error]
        assert errors
        assert all(isinstance(error, EnvironmentEndedError) for error in errors)
        assert all("on node 127.0.0.3: node 127.0.0.3 of" in str(error) for error in errors)
        assert env.who() == "me"
    assert not containers(env.id)
