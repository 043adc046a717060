"""What containers with environments reach, and who reaches them: real networks of a real engine."""

import contextlib
import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.rayfine import EnvironmentWrapper
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.container import AGENT_PORT
from reconciler.rayfine.runtime.errors import LoadError
from reconciler.rayfine.runtime.network import NOWHERE, OUTWARDS, own_networks
from tests.rayfine.runtime.conftest import Load, docker
from tests.rayfine.second_engine import SecondEngine, bridge

pytestmark = pytest.mark.docker

ENV = """
import os, socket
def echo(value): return value
def address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]
def reach(host, port, seconds):
    try:
        socket.create_connection((host, port), seconds).close()
    except OSError as error:
        return type(error).__name__ if error.errno is None else os.strerror(error.errno)
    return "open"
"""
METADATA = ("169.254.169.254", "169.254.170.2", "169.254.169.253")


def networks_of(env: EnvironmentWrapper) -> dict[str, str]:
    found = json.loads(docker("inspect", "-f", "{{json .NetworkSettings.Networks}}", env.id))
    return {name: item["IPAddress"] for name, item in found.items()}


def test_containers_reach_neither_one_another_nor_metadata(load: Load) -> None:
    one, two = load(ENV), load(ENV)
    for env in (one, two):
        env.setup()
        assert set(networks_of(env)) == {OUTWARDS, NOWHERE}
    assert one.address() == networks_of(one)[OUTWARDS]  # what leads outwards leads there
    for address in networks_of(two).values():
        assert one.reach(address, AGENT_PORT, 3) != "open"
    with ThreadPoolExecutor(len(METADATA)) as pool:
        found = list(pool.map(lambda address: one.reach(address, 80, 20), METADATA))
    assert found == ["No route to host"] * len(METADATA)
    assert two.echo(1) == 1


def test_a_container_beside_them_reaches_no_agent(load: Load) -> None:
    """On Docker's own bridge. Whatever else may answer at such an address, no agent does."""
    env = load(ENV)
    env.setup()
    code = (
        "import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3); "
        "s.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n'); sys.stdout.write(repr(s.recv(1000)))"
    )
    image = docker("inspect", "-f", "{{.Image}}", env.id)
    for address in networks_of(env).values():
        asked = ["docker", "run", "--rm", "--entrypoint", "python3", image, "-c", code]
        done = subprocess.run(
            [*asked, address, str(AGENT_PORT)], capture_output=True, check=False, text=True
        )
        assert "x-rayfine" not in done.stdout
    with socket.create_connection((networks_of(env)[OUTWARDS], AGENT_PORT)) as here:
        here.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"401" in here.recv(1000)  # this machine reaches it, and the token is asked for


def test_services_of_this_machine_are_reached(load: Load) -> None:
    """As the documentation says."""
    env = load(ENV)
    env.setup()
    gateway = docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", OUTWARDS)
    with socket.create_server((gateway, 0)) as listener:
        assert env.reach(gateway, listener.getsockname()[1], 20) == "open"


def test_this_machine_reaches_metadata_as_before(load: Load) -> None:
    before = subprocess.run(["ip", "route", "get", METADATA[0]], capture_output=True, check=True)
    load(ENV).setup()
    after = subprocess.run(["ip", "route", "get", METADATA[0]], capture_output=True, check=True)
    assert after.stdout == before.stdout


def test_a_network_of_one_s_own(load: Load) -> None:
    env = load(ENV, network="bridge")
    env.setup()
    assert list(networks_of(env)) == ["bridge"]
    assert env.echo(1) == 1


@pytest.fixture
def empty() -> Iterator[Engine]:
    """An engine of its own, without any network of ours."""
    with (
        tempfile.TemporaryDirectory(prefix="rec-") as directory,
        bridge("10.99.18.1/24") as name,
        contextlib.closing(Engine(f"unix://{directory}/socket")) as found,
    ):
        second = SecondEngine(Path(directory), name, f"unix://{directory}/socket")
        try:
            second.start()
            yield found
        finally:
            second.close()


def test_networks_that_are_not_there_yet(empty: Engine) -> None:
    with empty.session() as client:
        client.create_network(OUTWARDS, driver="bridge")  # somebody else's, as it seems
        with pytest.raises(LoadError, match="another network has this name, remove it"):
            own_networks(empty)
        client.remove_network(OUTWARDS)
        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(own_networks, [empty] * 8))
        assert own_networks(empty) in found
        assert own_networks(empty) == own_networks(empty)
        names = [item["Name"] for item in client.networks(names=[OUTWARDS])]
        assert set(names) == {OUTWARDS, NOWHERE}
