"""One environment, several processes: forks call it, and only who loaded it ends it."""

import contextlib
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy, deepcopy
from functools import partial
from typing import Any

import pytest

from reconciler.rayfine import EnvironmentWrapper, list_active_environments, load_env, warm_up
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.child import Child
from reconciler.rayfine.runtime.errors import EnvironmentEndedError, TransferError
from reconciler.rayfine.runtime.pool import POOL
from tests.rayfine.runtime.agents import ROOT, forked
from tests.rayfine.runtime.conftest import Images, Load, docker

ENV = "def echo(value): return value\nasync def aecho(value): return value\n"


@pytest.fixture(autouse=True)
def fork_beside_threads() -> Iterator[None]:
    """Python 3.12 and later warns of every fork where other threads live: the point of all this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def right(env: EnvironmentWrapper, base: int, count: int = 100) -> bool:
    """Whether so many calls, from several threads, have their own answers."""
    with ThreadPoolExecutor(4) as pool:
        values = range(base, base + count)
        return list(pool.map(env.echo, values)) == list(values)


def test_every_process_has_its_own_answers(env: EnvironmentWrapper) -> None:
    assert right(env, 0)  # so there are connections to inherit
    children = []
    for n in range(1, 4):
        pid = os.fork()
        if pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                code = 0 if right(env, 1000 * n) else 2
            os._exit(code)
        children.append(pid)
    assert right(env, 0, 300)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]


def test_a_fork_in_the_middle_of_calls(env: EnvironmentWrapper) -> None:
    """Other threads hold locks, connections and turns at that moment."""
    ended = threading.Event()

    def call(n: int) -> bool:
        while not ended.is_set():
            if env.echo(n) != n:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(call, n) for n in range(8)]
        try:
            for n in range(20):
                assert forked(partial(right, env, 1000 * n, 20))
        finally:
            ended.set()
        assert all(item.result(60) for item in work)


def test_a_fork_of_a_fork_and_coroutines(env: EnvironmentWrapper) -> None:
    import asyncio  # noqa: PLC0415

    async def storm() -> bool:
        found = await asyncio.gather(*(env.aio.aecho(n) for n in range(100)))
        return list(found) == list(range(100))

    def grandchild() -> bool:
        return asyncio.run(storm()) and forked(lambda: asyncio.run(storm()))

    assert asyncio.run(storm())
    assert forked(grandchild)
    assert asyncio.run(storm())


SHARED: EnvironmentWrapper | None = None


def call_shared(value: int) -> int:
    assert SHARED is not None
    found: int = SHARED.echo(value)
    return found


def test_workers_of_multiprocessing_and_of_data_loaders(env: EnvironmentWrapper) -> None:
    global SHARED  # noqa: PLW0603 (it is how workers inherit it)
    SHARED = env
    try:
        assert env.echo(1) == 1
        with multiprocessing.get_context("fork").Pool(4) as pool:
            assert pool.map(call_shared, range(300)) == list(range(300))
            with pytest.raises(TransferError, match="cannot be pickled"):
                pool.map(env.echo, range(3))
        assert right(env, 0)
    finally:
        SHARED = None


@pytest.mark.parametrize("what", [
    lambda env: env, lambda env: env.echo, lambda env: env.aio, lambda env: env.aio.echo,
    lambda env: {"deep": [env]},
])  # fmt: skip
def test_it_cannot_be_pickled_and_says_what_to_do(
    env: EnvironmentWrapper, what: Callable[[EnvironmentWrapper], Any]
) -> None:
    for way in (pickle.dumps, deepcopy):
        with pytest.raises(TransferError, match=r"cannot be pickled(.|\n)*reconcile serve"):
            way(what(env))
    with pytest.raises(TransferError):
        copy(env)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_that_is_no_fork(env: EnvironmentWrapper, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    process = context.Process(target=print, args=(env,))
    with pytest.raises(TransferError, match="cannot be pickled"):
        process.start()


def test_the_end_of_a_fork_ends_nothing_of_its_parents(env: EnvironmentWrapper) -> None:
    def leaves() -> bool:
        with env:
            assert env.echo(1) == 1
        with pytest.raises(EnvironmentEndedError, match="cleaned up"):
            env.echo(1)
        env.cleanup()
        return True

    assert forked(leaves)
    assert env.echo(1) == 1
    assert env.is_ready()


PREFORK = """
import os, sys
from pathlib import Path
from reconciler.rayfine import load_env, cleanup_all_environments, list_active_environments
env = load_env(sys.argv[1], engine="process")
env.setup()
env.echo(0)
workers = []
for n in range(3):
    pid = os.fork()
    if pid == 0:
        right = all(env.echo(n * 100 + k) == n * 100 + k for k in range(50))
        mine = load_env(sys.argv[1], engine="process")
        mine.setup()
        right = right and mine.echo(n) == n and list_active_environments() == [mine.id]
        if n == 1:
            cleanup_all_environments()
            env.cleanup()
        sys.exit(0 if right else 7)  # with what is registered for an exit
    workers.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in workers]
print(codes, env.echo(5), env.is_ready())
"""


@pytest.mark.docker
def test_a_prefork_server(images: Images) -> None:
    """Each worker has an environment of its own beside the inherited one; all are removed."""
    tag = images.build(ENV, name="prefork")
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PREFORK, tag],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout == "[0, 0, 0] 5 True\n", done.stderr
    assert docker("ps", "-aq", "--filter", f"ancestor={tag}") == ""


@pytest.mark.docker
def test_the_engine_is_asked_by_every_process_on_its_own(load: Load, engine: Engine) -> None:
    env = load(ENV)
    env.setup()

    def looks() -> bool:
        return all(engine.inspect(f"no-such-image-{n}") is None for n in range(100))

    assert looks()
    pid = os.fork()
    if pid == 0:
        code = 1
        with contextlib.suppress(BaseException):
            code = 0 if looks() else 2
        os._exit(code)
    assert looks()
    assert os.waitpid(pid, 0)[1] == 0
    docker("kill", env.id)
    assert forked(partial(told_of_a_kill, env))
    with pytest.raises(EnvironmentEndedError, match="was killed"):
        env.echo(1)


def told_of_a_kill(env: EnvironmentWrapper) -> bool:
    with pytest.raises(EnvironmentEndedError, match="was killed"):
        env.echo(1)
    return True


@pytest.mark.docker
def test_warm_containers_are_the_parents(images: Images) -> None:
    tag = images.build(ENV)
    warm_up(tag, 1, engine="process")

    def loads() -> bool:
        assert POOL.count() == 0
        with load_env(tag, engine="process") as env:
            env.setup()
            assert list_active_environments() == [env.id]
            return bool(env.echo(1) == 1)

    try:
        assert forked(loads)
        assert POOL.count() == 1
    finally:
        POOL.clear()


def test_a_process_of_ours_ends_with_its_owner_and_not_with_the_forks_of_it() -> None:
    """A fork has copies of the pipe at whose end the process ends."""
    child = Child("tests.rayfine.runtime.echoing")
    assert child.ask({"n": 1}, 60) == {"n": 1}
    go_on, wait = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(wait)
        told = child.ask({"n": 2}, 60)
        os.read(go_on, 1)  # until the parent says so
        os._exit(0 if "only the process that loaded it" in str(told) else 1)
    os.close(go_on)
    assert child.ask({"n": 3}, 60) == {"n": 3}
    child.end(60)
    assert child._process.returncode == 0  # it ended by itself, while the fork lives
    os.close(wait)
    assert os.waitpid(pid, 0)[1] == 0
