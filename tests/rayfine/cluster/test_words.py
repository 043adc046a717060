"""What is said and refused before a cluster is needed, and what the nodes need."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.rayfine import load_env
from reconciler.rayfine.cluster.placer import Placer
from reconciler.rayfine.cluster.replicas import OnNode, Placement
from reconciler.rayfine.runtime.errors import LoadError

ON_A_NODE = """
import sys

RAY_BRINGS = {"requests", "urllib3", "certifi", "charset_normalizer", "idna", "packaging"}
ALLOWED = {*sys.stdlib_module_names, *RAY_BRINGS, "reconciler", "docker"}

class OnlyThese:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OnlyThese())
from reconciler.rayfine.cluster.keeper import Keeper
fault = Keeper("127.0.0.1").probe()["error"]["what"]
assert "nowhere" in fault or "No such file" in fault, fault
"""


def test_a_node_needs_nothing_but_what_ray_and_we_bring() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_A_NODE],
        cwd=Path(__file__).parents[3],
        env={"DOCKER_HOST": "unix:///nowhere/docker.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_cluster_at_the_address() -> None:
    with pytest.raises(LoadError, match="no Ray cluster answers") as caught:
        load_env("any:v1", ray_address="127.0.0.9:1")
    assert "127.0.0.9:1" in str(caught.value)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"mode": "remote"}, "leave mode and transport out"),
        ({"transport": "ray-client"}, "leave mode and transport out"),
        ({"docker_host": "tcp://gpu1:2376"}, "docker_host and ray_address exclude each other"),
        ({"host": "tcp://gpu1:2376"}, "host and ray_address exclude each other"),
        ({"url": "http://gpu1:8470"}, "url and ray_address exclude each other"),
    ],
)
def test_options_that_name_another_place_are_refused(option: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError, match=words):
        load_env("any:v1", ray_address="ray://127.0.0.9:1", **option)


class WithoutDocker(Placer):
    def _usable(self, count: int) -> tuple[list[Any], dict[str, str]]:
        return [], {"10.0.0.1": "no answer: Connection refused"}


def test_a_cluster_without_docker_says_why_of_each_node() -> None:
    found = WithoutDocker().start({"launches": [{"name": "one"}], "seconds": 1})
    assert "10.0.0.1: no answer: Connection refused" in found["error"]["what"]
    assert "DOCKER_HOST" in found["error"]["fix"]


def test_a_port_that_only_its_node_reaches_is_said() -> None:
    placement = Placement("ray://127.0.0.9:1", 1)
    replica = OnNode(
        {"name": "one", "token": "t"}, {"host": "127.0.0.9", "port": 1, "node": "n"}, placement
    )
    try:
        with pytest.raises(LoadError, match=r"node 127\.0\.0\.9: .*port 1 cannot be reached"):
            replica.require_reachable()
    finally:
        placement.end()
