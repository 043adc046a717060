"""The engine stops or crashes while an environment lives, and comes back."""

import contextlib
import gc
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import UnreachableError
from reconciler.rayfine import list_active_environments, load_env
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.errors import EnvironmentEndedError
from reconciler.rayfine.runtime.orphans import sweep
from tests.rayfine.runtime.agents import until
from tests.rayfine.runtime.conftest import Images
from tests.rayfine.second_engine import SecondEngine, bridge

# The Docker SDK leaves a socket open where its engine is gone.
pytestmark = [
    pytest.mark.docker,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ENV = "def echo(value): return value\n"
ROOT = Path(__file__).parents[3]
LOAD_AND_EXIT = """
import os, signal, sys
from reconciler.rayfine import load_env
env = load_env(sys.argv[1], engine="process", docker_host=sys.argv[2])
print(flush=True)
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def second(
    images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SecondEngine, str]]:
    """A running engine of its own, and the image that it has."""
    place = tmp_path_factory.mktemp("restarted")
    image = images.build(ENV)
    with bridge("172.31.247.1/24") as name:
        engine = SecondEngine(place, name, f"unix://{place}/docker.sock")
        engine.start()
        try:
            engine.load(image)
            yield engine, image
        finally:
            engine.close()


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Let the sockets that the SDK left open be found in the test that did it."""
    yield
    gc.collect()


def containers(engine: SecondEngine) -> list[tuple[str, str]]:
    with contextlib.closing(Engine(engine.address)) as found:
        return found.containers()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "crashed"])
def test_an_environment_outlives_no_engine_and_is_cleaned_up(
    second: tuple[SecondEngine, str], number: signal.Signals
) -> None:
    engine, image = second
    env = load_env(image, engine="process", docker_host=engine.address)
    env.setup()
    assert env.echo(1) == 1
    engine.stop(number)
    try:
        with pytest.raises(EnvironmentEndedError, match="the Docker engine does not answer"):
            env.echo(1)
        assert not env.is_ready()
        with pytest.raises(UnreachableError, match="no answer"):
            env.cleanup()
    finally:
        engine.start()
    assert len(containers(engine)) == 1
    env.cleanup()
    assert containers(engine) == []
    assert env.id not in list_active_environments()


def test_after_the_restart_a_call_says_what_became_of_the_container(
    second: tuple[SecondEngine, str],
) -> None:
    engine, image = second
    with load_env(image, engine="process", docker_host=engine.address) as env:
        env.setup()
        engine.stop()
        engine.start()
        with pytest.raises(EnvironmentEndedError, match=r"(killed|ended) .*exit code \d+"):
            env.echo(1)
    assert containers(engine) == []
    with load_env(image, engine="process", docker_host=engine.address) as env:
        env.setup()
        assert env.echo(2) == 2


def test_a_process_that_ends_while_there_is_no_engine_leaves_work_for_the_sweep(
    second: tuple[SecondEngine, str],
) -> None:
    engine, image = second
    process = subprocess.Popen(
        [sys.executable, "-c", LOAD_AND_EXIT, image, engine.address],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"\n"
    engine.stop()
    process.communicate(b"\n", timeout=60)
    engine.start()
    with contextlib.closing(Engine(engine.address)) as found:
        sweep(found)
    until(lambda: not containers(engine))  # the process's watcher may be removing it already
