"""Many calls at once: from coroutines, threads and event loops; cancelled at any moment."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from reconciler.rayfine import EnvironmentWrapper, load_env
from reconciler.rayfine.in_container import faults
from reconciler.rayfine.runtime.agent_client import GivenUpError, Turns, WaitedTooLongError
from reconciler.rayfine.runtime.crew import Crew
from reconciler.rayfine.runtime.errors import (
    CallCancelledError,
    CallTimeoutError,
    LoadError,
    RemoteError,
)
from reconciler.rayfine.runtime.load_options import read_options
from reconciler.rayfine.runtime.parallel_calls import Handle
from tests.rayfine.runtime.agents import ROOT, Agent, agent, environment, until

ENV = """
import asyncio, os, threading, time
here = 0
most = 0
lock = threading.Lock()
meeting = None
together = threading.Barrier(8)

def echo(value): return value
async def aecho(value): return value
def process(): return os.getpid()
def count():
    global here, most
    with lock: here += 1; most = max(most, here)
    time.sleep(0.002)
    with lock: here -= 1
    return most
async def meet(parties):
    global meeting, here
    if meeting is None: meeting = asyncio.Event()
    here += 1
    if here == parties: meeting.set()
    await meeting.wait()
    return here
def meet_in_threads(): return together.wait(60)
def hold(note, go):
    open(note, "w").close()
    while not os.path.exists(go): time.sleep(0.005)
    return note
async def ahold(note, go):
    open(note, "w").close()
    while not os.path.exists(go): await asyncio.sleep(0.005)
    return note
def defer(note, go): return ahold(note, go)
async def stop(): asyncio.get_running_loop().stop()
async def leave_task():
    async def leave(): raise SystemExit(3)
    await asyncio.gather(asyncio.ensure_future(leave()))
def told(note, end):
    open(note, "w").close()
    try:
        while True: time.sleep(0.01)
    finally:
        open(end, "w").close()
"""


@pytest.fixture
def replica(shared: Agent) -> Agent:
    return shared


@pytest.mark.parametrize("method", ["echo", "aecho"])
@pytest.mark.parametrize("count", [140, 300, 600])
def test_all_of_a_gather_are_answered(env: EnvironmentWrapper, method: str, count: int) -> None:
    before = env.process()

    async def storm() -> list[int]:
        call = getattr(env.aio, method)
        return list(await asyncio.gather(*(call(n) for n in range(count))))

    assert asyncio.run(storm()) == list(range(count))
    assert env.process() == before


def test_coroutines_meet_side_by_side(env: EnvironmentWrapper) -> None:
    """Ray's rule: none of them waits for another to end."""

    async def storm() -> list[int]:
        return list(await asyncio.gather(*(env.aio.meet(200) for _ in range(200))))

    assert asyncio.run(storm()) == [200] * 200


def test_three_hundred_threads(env: EnvironmentWrapper) -> None:
    with ThreadPoolExecutor(300) as pool:
        assert list(pool.map(env.echo, range(900))) == list(range(900))


def test_many_event_loops(env: EnvironmentWrapper) -> None:
    async def storm(base: int) -> list[int]:
        return list(await asyncio.gather(*(env.aio.aecho(base + n) for n in range(60))))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda base: asyncio.run(storm(base)), range(0, 8000, 1000)))
    assert found == [[base + n for n in range(60)] for base in range(0, 8000, 1000)]


def test_synchronous_methods_take_turns_unless_asked_otherwise(
    env: EnvironmentWrapper, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(lambda _: env.count(), range(50))) == {1}
    with agent(tmp_path, ENV, max_concurrency=8) as replica:
        many = environment(replica)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: many.meet_in_threads(), range(8)))
        assert sorted(found) == list(range(8))
        with ThreadPoolExecutor(50) as pool:
            assert max(pool.map(lambda _: many.count(), range(100))) <= 8


def test_max_concurrency_bounds_coroutines_too(tmp_path: Path) -> None:
    with agent(tmp_path, ENV, max_concurrency=2) as replica:
        env = environment(replica)
        go = str(tmp_path / "go")
        with ThreadPoolExecutor(3) as pool:
            work = []
            for n in range(2):
                note = tmp_path / f"note{n}"
                work.append(pool.submit(env.ahold, str(note), go))
                until(note.exists)
            third = Handle(None)
            work.append(pool.submit(env._invoke, "ahold", [str(tmp_path / "3"), go], {}, third))
            assert env.echo(1) == 1  # which is a synchronous one
            assert not (tmp_path / "3").exists()
            Path(go).touch()
            assert [item.result(60) for item in work][2] == str(tmp_path / "3")


def test_the_event_loop_outlives_what_user_code_does_to_it(env: EnvironmentWrapper) -> None:
    env.stop()
    assert env.aecho(1) == 1
    with pytest.raises(RemoteError, match="SystemExit: 3"):
        env.leave_task()
    assert env.aecho(2) == 2


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "4", 1001, float("nan"), [2]])
def test_a_bad_max_concurrency(given: object) -> None:
    with pytest.raises(LoadError, match="max_concurrency cannot be") as raised:
        load_env("any:v1", max_concurrency=given)
    assert "from 1" in raised.value.fix


def test_a_good_max_concurrency() -> None:
    assert read_options({"image": "x", "max_concurrency": 7}).max_concurrency == 7
    assert read_options({"image": "x", "max_concurrency": None}).max_concurrency == 0
    with pytest.raises(LoadError, match="the server's to say"):
        load_env("x", mode="remote", url="http://127.0.0.1:1", token="t", max_concurrency=2)


@pytest.mark.parametrize("method", ["hold", "ahold", "defer"])
def test_a_cancel_that_is_quicker_than_its_call(
    replica: Agent, env: EnvironmentWrapper, tmp_path: Path, method: str
) -> None:
    """However far the call has come: here, on its way, waiting inside, or under way."""
    note, go = tmp_path / "note", str(tmp_path / "go")
    early = Handle(None)
    early.cancel()
    with pytest.raises(CallCancelledError):
        env._invoke(method, [str(note), go], {}, early)
    identity = uuid.uuid4().hex
    replica.client.cancel(identity)
    found = replica.client.call(method, [[str(note), go], {}], 3600, identity)
    assert found.status == faults.CANCELLED
    assert not note.exists()
    with ThreadPoolExecutor(1) as pool:
        under_way = Handle(None)
        work = pool.submit(env._invoke, method, [str(note), go], {}, under_way)
        until(note.exists)
        under_way.cancel()
        with pytest.raises(CallCancelledError):
            work.result(60)
    replica.client.cancel(under_way.identity)  # when it has ended, it hits nobody
    assert env.echo(1) == 1


@pytest.mark.parametrize("method", ["echo", "hold", "defer"])
def test_a_call_that_waits_for_a_turn_inside(
    env: EnvironmentWrapper, tmp_path: Path, method: str
) -> None:
    """Cancelled or over its limit, it is answered while the one before it goes on."""
    note, go = tmp_path / "note", str(tmp_path / "go")
    before = env.process()
    args = [1] if method == "echo" else [str(tmp_path / "second"), go]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(env.hold, str(note), go)
        until(note.exists)
        with pytest.raises(CallTimeoutError):
            env.call(method, *args, _timeout=0.05)
        waiting = Handle(None)
        second = pool.submit(env._invoke, method, args, {}, waiting)
        until(lambda: waiting._client is not None)
        waiting.cancel()
        with pytest.raises(CallCancelledError):
            second.result(60)
        assert not first.done()
        Path(go).touch()
        assert first.result(60) == str(note)
    assert env.process() == before


def test_cancels_hit_nobody_else(tmp_path: Path) -> None:
    """At any moment of many short calls, in one lane and in several."""
    chance = random.Random(9)
    for lanes in (0, 4):
        directory = tmp_path / str(lanes)
        directory.mkdir()
        with agent(directory, ENV, max_concurrency=lanes) as replica:
            env = environment(replica)

            def one(n: int, env: EnvironmentWrapper = env) -> tuple[bool, object]:
                handle = Handle(None)
                doomed = n % 3 == 0
                if doomed:
                    threading.Timer(chance.uniform(0, 0.02), handle.cancel).start()
                try:
                    method = ("echo", "aecho", "count")[n % 2 + n % 5 // 4]
                    args = [] if method == "count" else [n]
                    return doomed, env._invoke(method, args, {}, handle) or n
                except CallCancelledError:
                    return doomed, None

            with ThreadPoolExecutor(16) as pool:
                found = list(pool.map(one, range(600)))
            assert all(value is not None for doomed, value in found if not doomed)
            assert env.echo(1) == 1


def test_a_cancelled_task_cancels_its_call(env: EnvironmentWrapper, tmp_path: Path) -> None:
    async def cancelled() -> None:
        at_once = asyncio.ensure_future(env.aio.told(str(tmp_path / "a"), str(tmp_path / "ended")))
        await asyncio.sleep(0)  # its thread has hardly begun
        at_once.cancel()
        with pytest.raises(asyncio.CancelledError):
            await at_once
        later = asyncio.ensure_future(env.aio.told(str(tmp_path / "b"), str(tmp_path / "ended")))
        await asyncio.to_thread(until, (tmp_path / "b").exists)
        later.cancel()
        with pytest.raises(asyncio.CancelledError):
            await later

    asyncio.run(cancelled())
    assert env.echo(1) == 1  # in the same lane: the lane is free
    until((tmp_path / "ended").exists)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_caller_that_ends_ends_its_call(
    replica: Agent, env: EnvironmentWrapper, tmp_path: Path, number: signal.Signals
) -> None:
    """By Ctrl-C it says so; killed, its connection does."""
    code = (
        "import sys\n"
        "from reconciler.rayfine.runtime.agent_client import AgentClient\n"
        "from reconciler.rayfine.runtime.agent_connections import Endpoint\n"
        "client = AgentClient(Endpoint('127.0.0.1', int(sys.argv[1]), sys.argv[2]))\n"
        "client.call('told', [sys.argv[3:], {}], 3600, 'i' * 32)\n"
    )
    words = [str(replica.port), replica.token, str(tmp_path / "note"), str(tmp_path / "end")]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    until((tmp_path / "note").exists)
    process.send_signal(number)
    process.wait(60)
    until((tmp_path / "end").exists)
    assert env.echo(1) == 1


def waits(turns: Turns, identity: str) -> bool:
    return identity in turns._waiting


def test_turns_come_in_order_and_are_never_lost() -> None:
    turns = Turns(2)
    order: list[int] = []
    with turns.taken("a", 0), turns.taken("b", 0):
        with pytest.raises(WaitedTooLongError), turns.taken("late", 0.01):
            raise AssertionError
        errors: list[Exception] = []

        def wait(n: int) -> None:
            try:
                with turns.taken(str(n), 60) as left:
                    assert 0 < left <= 60
                    order.append(n)
            except GivenUpError as error:
                errors.append(error)

        threads = []
        for n in range(4):
            threads.append(threading.Thread(target=wait, args=(n,)))
            threads[-1].start()
            until(partial(waits, turns, str(n)))
        assert turns.give_up("1")
        assert not turns.give_up("1")
        threads[1].join(60)
        assert len(errors) == 1
    for thread in threads:
        thread.join(60)
    assert sorted(order) == [0, 2, 3]
    with turns.taken("x", 0.001), turns.taken("y", 0.001):
        assert turns._free == 0


def test_a_crew_does_all_of_it_with_few_threads() -> None:
    crew, done = Crew(3, "test"), threading.Semaphore(0)
    names = set()

    def work() -> None:
        names.add(threading.current_thread().ident)
        done.release()

    for _ in range(200):
        crew.submit(work)
    for _ in range(200):
        assert done.acquire(timeout=60)
    assert 1 <= len(names) <= 3


def test_a_crew_without_any_thread_says_so() -> None:
    """A process of a limited number of threads, as in a small container."""
    code = (
        "import resource, threading\n"
        "from reconciler.rayfine.runtime.crew import Crew\n"
        "threading.stack_size(1 << 40)\n"  # more than there is
        "try: Crew(3, 'x').submit(print)\n"
        "except RuntimeError: print('none')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout == "none\n"


def test_few_descriptors_on_this_side(replica: Agent, env: EnvironmentWrapper) -> None:
    """Those who find none wait for one, like those who find no turn."""
    code = (
        "import resource, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from reconciler.rayfine.runtime.agent_client import AgentClient\n"
        "from reconciler.rayfine.runtime.agent_connections import Endpoint\n"
        "import uuid\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "client = AgentClient(Endpoint('127.0.0.1', int(sys.argv[1]), sys.argv[2]))\n"
        "call = lambda n: client.call('echo', [[n], {}], 60, uuid.uuid4().hex).value\n"
        "with ThreadPoolExecutor(100) as pool: found = list(pool.map(call, range(400)))\n"
        "assert found == list(range(400))\n"
    )
    words = [sys.executable, "-c", code, str(replica.port), replica.token]
    subprocess.run(words, cwd=ROOT, check=True)
    assert os.getpid() != env.process()
