"""`transport="ray-client"`: the same API, with Ray Client between the caller and the container."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from reconciler.rayfine import EnvironmentWrapper, load_env
from reconciler.rayfine.runtime.errors import (
    CallTimeoutError,
    EnvironmentEndedError,
    LoadError,
    SetupError,
)
from tests.rayfine.runtime.conftest import LOADED, RAY_BASE, Images, docker

ENV = """
import asyncio, os, time
class Actor:
    def hi(self, n=1): return {"n": (n, os.environ.get("WHO")), "b": b"x"}
    async def nap(self, seconds): await asyncio.sleep(seconds); return seconds
    def block(self, seconds): time.sleep(seconds)
    def boom(self): raise ValueError("no")
    def die(self): os._exit(3)
"""


def drivers() -> set[int]:
    """The driver processes of this one."""
    found = set()
    for item in Path("/proc").iterdir():
        if not item.name.isdecimal():
            continue
        try:
            words = (item / "cmdline").read_bytes()
            parent = (item / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue  # it ended meanwhile
        if b"reconciler.rayfine.driver" in words and int(parent) == os.getpid():
            found.add(int(item.name))
    return found


@pytest.fixture(scope="module")
def image(images: Images) -> str:
    return images.build(ENV, RAY_BASE, "client")


@pytest.fixture(scope="module")
def env(image: str) -> Iterator[EnvironmentWrapper]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with load_env(image, transport="ray-client", ray_port=port) as found:
        found.setup(WHO="me")
        yield found
    assert not drivers()


@pytest.mark.docker
def test_the_api_is_the_same(env: EnvironmentWrapper) -> None:
    assert env.list_methods() == ["block", "boom", "die", "hi", "nap"]
    assert env.hi(2) == {"n": (2, "me"), "b": b"x"}
    assert env.is_ready()
    assert sorted(item.value for item in env.map("nap", [0.1, 0.2, 0.3])) == [0.1, 0.2, 0.3]
    with pytest.raises(ValueError, match="no") as caught:
        env.boom()
    assert "in boom" in str(caught.value)


@pytest.mark.docker
def test_limits_and_ends_are_told(env: EnvironmentWrapper) -> None:
    with pytest.raises(CallTimeoutError):
        env.call("nap", 60, _timeout=0.5)
    assert env.hi()["n"] == (1, "me")
    with pytest.raises(EnvironmentEndedError, match="Ray actor ended"):
        env.die()
    env.setup(WHO="you")
    assert env.hi()["n"] == (1, "you")


@pytest.mark.docker
def test_a_port_that_is_taken_is_named(env: EnvironmentWrapper, image: str) -> None:
    port = int(docker("port", env.id, "10001/tcp").splitlines()[0].rpartition(":")[2])
    assert docker("port", env.id, "10001/tcp").startswith("127.0.0.1:")
    with pytest.raises(LoadError, match=f"port {port} is taken"):
        load_env(image, transport="ray-client", ray_port=port)


@pytest.mark.docker
def test_a_container_that_is_killed_is_told_at_once(image: str) -> None:
    with load_env(image, transport="ray-client") as env:
        env.setup()
        threading.Timer(1, docker, ["kill", env.id]).start()
        start = time.monotonic()
        with pytest.raises(EnvironmentEndedError, match="137"):
            env.block(120)
        assert time.monotonic() - start < LOADED + 1
    assert not docker("ps", "-aq", "--filter", f"name={env.id}")


@pytest.mark.docker
def test_a_driver_that_is_killed_is_told_and_leaves_nothing(
    images: Images, env: EnvironmentWrapper
) -> None:
    broken = images.build("import nothing_like_it\n", RAY_BASE, "broken")
    before = drivers()
    with load_env(broken, transport="ray-client") as other:
        with pytest.raises(SetupError, match=r"env\.py:1"):
            other.setup()
        for pid in drivers() - before:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(EnvironmentEndedError):
            other.setup()
    assert env.hi()


@pytest.mark.docker
def test_other_versions_are_refused_before_connecting(images: Images) -> None:
    here = metadata.version("ray")
    tag = images.build("def one(): return 1\n", RAY_BASE, "other")
    # An image that says it has another Ray: the metadata of the one it has are edited.
    container = docker(
        *("create", tag, "sh", "-c"),
        'sed -i "s/^Version: .*/Version: 0.0.1/" "$(python3 -c \'import importlib.metadata as m; '
        'print(m.distribution("ray").locate_file(m.distribution("ray")._path))\')/METADATA"',
    )
    try:
        docker("start", "-a", container)
        cmd = '["ray","start","--head","--port=6379","--include-dashboard=false","--block"]'
        docker("commit", "-c", f"CMD {cmd}", container, f"{tag}-old")
        with pytest.raises(LoadError, match=rf"Ray 0\.0\.1 .* Ray {here}") as caught:
            load_env(f"{tag}-old", transport="ray-client")
        assert "leave transport out" in str(caught.value)
    finally:
        docker("rm", "-f", container)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"transport": "pigeon"}, "no transport 'pigeon'"),
        ({"transport": "ray-client", "engine": "process"}, "engine 'ray' in mode 'local' only"),
        ({"transport": "ray-client", "mode": "remote", "host": "tcp://x:1"}, "mode 'local' only"),
        ({"transport": "ray-client", "replicas": 2, "ray_port": 4000}, "cannot share one port"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(LoadError, match=words):
        load_env("any:v1", **options)  # type: ignore[arg-type]
