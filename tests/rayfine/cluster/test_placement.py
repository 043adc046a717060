"""Replicas on a Ray cluster of three nodes, all on this machine; one of them has no Docker."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
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
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.2", 0))
        return int(found.getsockname()[1])


class Cluster:
    """A head on 127.0.0.2, and nodes beside it."""

    second: subprocess.Popen[bytes]

    def __init__(self, directory: str, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack
        self._gcs, client = free_port(), free_port()
        self.address = f"ray://127.0.0.2:{client}"
        self._start(
            *("--head", "--node-ip-address=127.0.0.2", f"--port={self._gcs}"),
            *(f"--ray-client-server-port={client}", "--include-dashboard=false"),
            *(f"--temp-dir={directory}", *_workers(21000)),
        )

    def add(self, address: str, first_port: int, **variables: str) -> subprocess.Popen[bytes]:
        return self._start(
            *(f"--address=127.0.0.2:{self._gcs}", f"--node-ip-address={address}"),
            *_workers(first_port),
            **variables,
        )

    def _start(self, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        size = ("--num-cpus=1", "--object-store-memory=80000000")
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *size, *words],
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


def _workers(first: int) -> tuple[str, str]:
    return f"--min-worker-port={first}", f"--max-worker-port={first + 99}"


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
def two() -> Iterator[Cluster]:
    with cluster() as found:
        found.second = found.add("127.0.0.3", 21100)
        found.add("127.0.0.4", 21200, DOCKER_HOST="unix:///nowhere/docker.sock")
        yield found


@pytest.fixture(scope="module")
def image(images: Images) -> str:
    return images.build(ENV, name="placed")


def containers(part: str) -> str:
    return docker("ps", "-a", "--filter", f"name={part}", "--format", "{{.Names}}")


def both(cluster: Cluster, image: str) -> None:
    """Wait until both nodes are there: a replica on each."""
    deadline = time.monotonic() + 90
    while True:
        try:
            with load_env(image, ray_address=cluster.address, engine="process", replicas=2) as env:
                bound = {docker("port", name) for name in containers(env.id).splitlines()}
        except LoadError:
            if time.monotonic() > deadline:
                raise
        else:
            if len({item.partition("->")[2].rpartition(":")[0].strip() for item in bound}) == 2:
                return
        assert time.monotonic() < deadline
        time.sleep(1)


def test_replicas_are_spread_over_the_nodes_and_called_as_ever(two: Cluster, image: str) -> None:
    both(two, image)
    with load_env(image, ray_address=two.address, engine="process", replicas=2) as env:
        env.setup(WHO="me")
        assert env.who() == "me"
        assert len({item.value for item in env.map("where", range(8))}) == 2
        with pytest.raises(ValueError, match="no"):
            env.boom()
        name = containers(env.id).splitlines()[0]
        docker("kill", name)
        errors = [item.error for item in env.map("where", range(8)) if item.error]
        assert errors
        assert all("137" in str(error) and "on node 127.0.0." in str(error) for error in errors)
        assert isinstance(errors[0], EnvironmentEndedError)
        assert env.who() == "me"
    assert not containers(env.id)


def test_a_killed_caller_leaves_nothing_on_the_nodes(two: Cluster, image: str) -> None:
    both(two, image)
    code = (
        "import sys, time; from reconciler.rayfine import load_env\n"
        "load_env(sys.argv[1], ray_address=sys.argv[2], engine='process', replicas=2,\n"
        "         container_name='placed-killed')\n"
        "print('up', flush=True); time.sleep(300)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code, image, two.address],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert caller.stdout is not None
    with caller.stdout as stream:
        assert stream.readline() == b"up\n"
    assert len(containers("placed-killed").splitlines()) == 2
    caller.kill()
    caller.wait()
    deadline = time.monotonic() + 60
    while containers("placed-killed"):
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_what_is_missing_is_said_with_the_node(two: Cluster, image: str) -> None:
    with pytest.raises(LoadError, match=r"node 127\.0\.0\.[23].*no such image") as caught:
        load_env(f"{image}-none", ray_address=two.address)
    assert "push it to a registry" in str(caught.value)
    with pytest.raises(LoadError, match="leave mode and transport out"):
        load_env(image, ray_address=two.address, transport="ray-client")


def test_a_cluster_that_does_not_answer_is_said() -> None:
    with pytest.raises(LoadError, match="no Ray cluster answers") as caught:
        load_env("any:v1", ray_address="127.0.0.9:1")
    assert "127.0.0.9:1" in str(caught.value)


def test_a_lost_node_is_named_and_the_others_go_on(two: Cluster, image: str) -> None:
    both(two, image)
    env = load_env(image, ray_address=two.address, engine="process", replicas=2)
    try:
        env.setup(WHO="me")
        names = containers(env.id).splitlines()
        lost = next(name for name in names if "127.0.0.3" in docker("port", name))
        end(two.second)
        docker("kill", lost)  # on a machine of its own it would have gone with the node
        errors = [str(item.error) for item in env.map("where", range(8)) if item.error]
        assert errors
        assert all("on node 127.0.0.3" in text for text in errors)
        assert env.who() == "me"
    finally:
        env.cleanup()
    assert not [name for name in containers(env.id).splitlines() if name != lost]
    docker("rm", "-f", lost, check=False)
