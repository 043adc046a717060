"""Many calls at once in containers with few processes and threads, in both engines."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.rayfine import EnvironmentWrapper, load_env
from reconciler.rayfine.runtime.errors import CallCancelledError, CallTimeoutError
from reconciler.rayfine.runtime.parallel_calls import Handle
from tests.rayfine.runtime.agents import until
from tests.rayfine.runtime.conftest import RAY_BASE, Images, Load, docker, wait_for_file

pytestmark = pytest.mark.docker

ENV = """
import asyncio, os, threading, time
together = threading.Barrier(4)
eaten = []
def echo(value): return value
async def aecho(value): return value
def process(): return os.getpid()
def meet(): return together.wait(60)
def eat():
    try:
        while True:
            thread = threading.Thread(target=threading.Event().wait, daemon=True)
            thread.start()
            eaten.append(thread)
    except RuntimeError as error:
        return str(error)
def hold(note, go):
    open(note, "w").close()
    while not os.path.exists(go): time.sleep(0.01)
    return note
def big(size): return bytes(size)
def die(): os._exit(3)
"""


def storm(env: EnvironmentWrapper, method: str, count: int) -> list[int]:
    async def all_of_it() -> list[int]:
        return list(await asyncio.gather(*(getattr(env.aio, method)(n) for n in range(count))))

    return asyncio.run(all_of_it())


@pytest.fixture(scope="module", params=["process", "ray"])
def env(request: pytest.FixtureRequest, images: Images) -> Iterator[EnvironmentWrapper]:
    """With four methods side by side."""
    base = {"base": RAY_BASE} if request.param == "ray" else {}
    tag = images.build(ENV, **base)
    with load_env(tag, engine=request.param, max_concurrency=4) as found:
        yield found


@pytest.fixture(autouse=True)
def set_up(request: pytest.FixtureRequest) -> None:
    if "env" in request.fixturenames:
        request.getfixturevalue("env").setup()


@pytest.mark.parametrize("method", ["echo", "aecho"])
def test_six_hundred_at_once(env: EnvironmentWrapper, method: str) -> None:
    before = env.process()
    assert storm(env, method, 600) == list(range(600))
    with ThreadPoolExecutor(300) as pool:
        assert list(pool.map(getattr(env, method), range(300))) == list(range(300))
    assert env.process() == before


def test_synchronous_methods_side_by_side(env: EnvironmentWrapper) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: env.meet(), range(4))) == [0, 1, 2, 3]
    assert sorted(item.value for item in env.map("echo", range(40))) == list(range(40))


def test_cancels_and_limits_of_calls_that_wait_inside(env: EnvironmentWrapper) -> None:
    before = env.process()
    with ThreadPoolExecutor(5) as pool:
        work = []
        for n in range(4):
            work.append(pool.submit(env.hold, f"/tmp/held{n}", "/tmp/go"))
            wait_for_file(env.id, f"/tmp/held{n}")
        with pytest.raises(CallTimeoutError):
            env.call("echo", 1, _timeout=0.2)
        waiting = Handle(None)
        fifth = pool.submit(env._invoke, "echo", [5], {}, waiting)
        until(lambda: waiting._client is not None)
        waiting.cancel()
        with pytest.raises(CallCancelledError):
            fifth.result(60)
        docker("exec", env.id, "touch", "/tmp/go")
        assert [item.result(60) for item in work] == [f"/tmp/held{n}" for n in range(4)]
    docker("exec", env.id, "rm", "/tmp/go")
    assert env.process() == before


def test_env_py_that_uses_up_all_threads(load: Load) -> None:
    env = load(ENV, pids=64)
    env.setup()
    assert "can't start new thread" in env.eat()
    assert storm(env, "aecho", 300) == list(range(300))
    assert env.echo(1) == 1
    assert env.is_ready()
    env.setup()
    assert storm(env, "echo", 300) == list(range(300))


def test_storms_in_a_container_of_few_processes(load: Load) -> None:
    env = load(ENV, pids=32, max_concurrency=100)  # more than there can be
    env.setup()
    before = env.process()
    assert storm(env, "echo", 600) == list(range(600))
    assert storm(env, "aecho", 600) == list(range(600))
    assert env.process() == before
