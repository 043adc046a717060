"""Replicas, `map` and the warm pool."""

import threading
import time
import uuid

import pytest

from reconciler.rayfine import load_env, warm_up
from reconciler.rayfine.runtime.errors import EnvironmentEndedError, LoadError
from reconciler.rayfine.runtime.pool import POOL
from tests.rayfine.runtime.conftest import LOADED, Images, Load, docker, wait_for_file

pytestmark = pytest.mark.docker

ENV = """
import socket, time
def name(): return socket.gethostname()
def nap(seconds, note=""):
    if note: open(note, "w").close()
    time.sleep(seconds)
    return seconds
def span(seconds):
    began = time.time()
    time.sleep(seconds)
    return began, time.time()
def square(n):
    if n == 13: raise ValueError("unlucky")
    return n * n
"""


def test_calls_are_spread_over_replicas_and_the_lost_one_is_left_out(load: Load) -> None:
    env = load(ENV, replicas=3)
    env.setup()
    assert len({env.name() for _ in range(6)}) == 3
    spans = [item.value for item in env.map("span", [3] * 3)]
    assert max(began for began, _ in spans) < min(ended for _, ended in spans)  # side by side
    docker("kill", f"{env.id}-2")
    found = list(env.map("square", [{"n": n} for n in range(30)], _side_by_side=3))
    assert all(isinstance(item.error, EnvironmentEndedError | ValueError | None) for item in found)
    assert not env.is_ready()
    assert len({env.name() for _ in range(6)}) == 2


def test_results_come_as_they_are_ready_with_their_errors(load: Load) -> None:
    env = load(ENV)
    env.setup()
    taken = []

    def inputs() -> object:
        for n in range(1000):
            taken.append(n)
            yield n

    stream = env.map("square", inputs(), _side_by_side=2)  # type: ignore[arg-type]
    first = next(stream)
    assert first.value == first.input**2
    assert len(taken) < 10
    stream.close()  # type: ignore[attr-defined]
    found = {item.index: item for item in env.map("square", range(20))}
    assert sorted(found) == list(range(20))
    assert isinstance(found[13].error, ValueError)
    assert found[19].value == 361


def test_a_warm_container_is_claimed_once(images: Images) -> None:
    tag = images.build(ENV)
    warm_up(tag, 2, engine="process")
    try:
        assert POOL.count() == 2
        assert docker("ps", "-q", "--filter", "status=paused", "--filter", f"ancestor={tag}")
        names = set()
        start = time.monotonic()
        name = f"rectest-{uuid.uuid4().hex[:8]}-warm"
        with load_env(tag, engine="process", container_name=name) as env:
            env.setup()
            names.add(env.name())
            assert time.monotonic() - start < LOADED
            assert env.id == name
        with load_env(tag, engine="process") as env:
            env.setup()
            names.add(env.name())
        assert len(names) == 2
        assert POOL.count() == 0
    finally:
        POOL.clear()


def test_a_long_pause_is_no_reason_to_end(images: Images) -> None:
    tag = images.build(ENV)
    warm_up(tag, 1, engine="process", lease=5)
    try:
        time.sleep(6)
        with load_env(tag, engine="process", lease=5) as env:
            env.setup()
            assert env.nap(0) == 0
    finally:
        POOL.clear()


def test_replicas_start_together_or_not_at_all(images: Images) -> None:
    tag = images.build(ENV, name="together")
    name = f"rectest-{uuid.uuid4().hex[:8]}-group"
    taken = docker("create", "--name", f"{name}-2", images.build(ENV), "true")
    try:
        with pytest.raises(LoadError, match="the name is taken"):
            load_env(tag, engine="process", replicas=3, container_name=name)
        assert docker("ps", "-aq", "--filter", f"ancestor={tag}") == ""
    finally:
        docker("rm", taken)


def test_a_call_that_setup_interrupts_leaves_the_new_process_alone(load: Load) -> None:
    env = load(ENV)
    env.setup()
    errors: list[BaseException] = []

    def nap() -> None:
        try:
            env.nap(60, note="/tmp/napping")
        except EnvironmentEndedError as error:
            errors.append(error)

    thread = threading.Thread(target=nap)
    thread.start()
    wait_for_file(env.id, "/tmp/napping")
    env.setup()
    thread.join(60)
    assert len(errors) == 1
    assert env.is_ready()
    assert env.nap(0) == 0
