"""Connections that break, in every phase of a call: only what is lost is lost."""

import contextlib
import os
import signal
import socket
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconciler.rayfine import EnvironmentWrapper
from reconciler.rayfine.in_container.codec import encode
from reconciler.rayfine.runtime.errors import CallLostError, EnvironmentEndedError
from tests.rayfine.runtime.agents import Agent, Proxy, proxied, until

ENV = """
import os, time
calls = 0
def echo(value):
    global calls
    calls += 1
    return value
def noted(note, value):
    open(note, "w").close()
    return echo(value)
def count(): return calls
def process(): return os.getpid()
def big(size): return bytes(size)
async def abig(size): return bytes(size)
def die(): os._exit(3)
def fork_and_die():
    if os.fork() == 0: time.sleep(600)
    os._exit(4)
def hold(note, go):
    open(note, "w").close()
    while not os.path.exists(go): time.sleep(0.005)
"""
SIZES = [0, 1, 1 << 16, (1 << 16) + 1, 1 << 20, 32 << 20]


def request(replica: Agent, method: str, *args: object) -> bytes:
    body = b"".join(encode([list(args), {}]))
    return (
        f"POST /call/{method} HTTP/1.1\r\nAuthorization: Bearer {replica.token}\r\n"
        f"Content-Length: {len(body)}\r\nX-Limit: 60\r\nX-Call: {uuid.uuid4().hex}\r\n\r\n"
    ).encode() + body


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", ["big", "abig"])
@pytest.mark.parametrize("taken", [0, 1, 1000])
def test_a_caller_that_goes_away_within_an_answer(
    replica: Agent, env: EnvironmentWrapper, size: int, method: str, taken: int
) -> None:
    before = env.process()
    with socket.create_connection(("127.0.0.1", replica.port)) as caller:
        caller.sendall(request(replica, method, size))
        if taken:
            caller.recv(taken)
    assert env.process() == before
    assert env.is_ready()


@pytest.mark.parametrize("part", [1, 30, 150, -1])
def test_a_caller_that_goes_away_within_its_request(
    replica: Agent, env: EnvironmentWrapper, part: int
) -> None:
    with socket.create_connection(("127.0.0.1", replica.port)) as caller:
        caller.sendall(request(replica, "echo", bytes(100_000))[:part])
    assert env.count() == 0


def test_a_caller_that_reads_slowly_keeps_nobody_waiting(
    replica: Agent, env: EnvironmentWrapper
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            caller = socket.create_connection(("127.0.0.1", replica.port))
            stack.enter_context(caller)
            caller.sendall(request(replica, "big", 8 << 20))
            assert caller.recv(10)
        assert env.echo(1) == 1
        assert len(env.big(8 << 20)) == 8 << 20
        rest = b""
        while len(rest) < 8 << 20:
            rest = rest + caller.recv(1 << 20) if len(rest) < 1000 else bytes(8 << 20)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_env_py_that_ends_within_a_large_answer(
    replica: Agent, env: EnvironmentWrapper, number: signal.Signals
) -> None:
    process = env.process()
    with proxied(replica) as proxy, ThreadPoolExecutor(1) as pool:
        proxy.most = 1 << 20
        work = pool.submit(env.big, 64 << 20)
        until(lambda: proxy.answered > proxy.most)
        os.kill(process, number)
        proxy.go_on.set()
        with pytest.raises(EnvironmentEndedError, match=f"ended by signal {number:d}") as raised:
            work.result(60)
        assert raised.value.fix == "call setup again"
        env.setup()
        assert env.echo(1) == 1


@pytest.mark.parametrize(("method", "code"), [("die", 3), ("fork_and_die", 4)])
def test_env_py_that_ends_within_many_calls(
    env: EnvironmentWrapper, tmp_path: Path, method: str, code: int
) -> None:
    """Each hears of it at once, also where a child of env.py still holds its connections."""
    with ThreadPoolExecutor(20) as pool:
        held = [pool.submit(env.hold, str(tmp_path / "note"), "/no/file") for _ in range(10)]
        until((tmp_path / "note").exists)
        for item in held[:-1]:
            item.cancel()
        handle = pool.submit(env.call, "echo", 1, _timeout=0.05)
        assert isinstance(handle.exception(60), TimeoutError)
        os.kill(env_process(tmp_path), signal.SIGKILL)
        for item in held:
            if not item.cancelled():
                with pytest.raises(EnvironmentEndedError, match="signal 9"):
                    item.result(60)
    env.setup()
    with pytest.raises(EnvironmentEndedError, match=f"exit code {code}"):
        getattr(env, method)()
    env.setup()
    assert env.echo(1) == 1


def env_process(directory: Path) -> int:
    """The process that runs the env.py of this directory."""
    for item in Path("/proc").iterdir():
        if item.name.isdigit():
            with contextlib.suppress(OSError):
                if (item / "cwd").resolve() == directory.resolve():
                    return int(item.name)
    raise AssertionError


def idle_connections(env: EnvironmentWrapper, proxy: Proxy, tmp_path: Path) -> None:
    """Leave several idle: calls that were under way at the same time."""
    go = tmp_path / f"go{uuid.uuid4().hex}"
    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(env.hold, str(tmp_path / "note"), str(go)) for _ in range(8)]
        until(lambda: len(proxy.pairs) >= 8)
        go.touch()
        for item in work:
            item.result(60)


def test_connections_that_were_closed_meanwhile(
    replica: Agent, env: EnvironmentWrapper, tmp_path: Path
) -> None:
    """A gateway, a NAT or ssh on the way closes what is idle: it is made anew, and nobody hears."""
    with proxied(replica) as proxy:
        idle_connections(env, proxy, tmp_path)
        for n in range(3):
            proxy.cut()
            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(env.echo, range(8))) == list(range(8))
            assert env.count() == 8 * (n + 1)
            assert env.is_ready()


@pytest.mark.parametrize("large", [False, True])
def test_a_call_is_never_sent_twice(
    replica: Agent, env: EnvironmentWrapper, tmp_path: Path, large: bool
) -> None:
    """It was sent and its answer is lost: it may have run, and who called it has to hear that."""
    note = tmp_path / "note"
    with proxied(replica) as proxy, ThreadPoolExecutor(1) as pool:
        assert env.echo(0) == 0
        proxy.most = 0  # from now on no answer comes
        work = pool.submit(env.noted, str(note), bytes(1 << 20) if large else 1)
        until(note.exists)
        proxy.most = 1 << 62
        proxy.cut()
        with pytest.raises(CallLostError, match="before the answer came"):
            work.result(60)
        proxy.go_on.set()
        assert bytes(proxy.sent).count(b"POST /call/noted") == 1
        assert env.count() == 2
        assert env.echo(1) == 1


def test_a_server_that_is_gone(replica: Agent, env: EnvironmentWrapper) -> None:
    assert env.echo(1) == 1
    replica.end()
    with pytest.raises(EnvironmentEndedError, match="the agent is gone"):
        env.echo(1)


def test_half_closed_by_the_caller(replica: Agent, env: EnvironmentWrapper) -> None:
    """Who closes its side has gone: nothing is left that waits for it."""
    with socket.create_connection(("127.0.0.1", replica.port)) as caller:
        caller.sendall(request(replica, "hold", "/tmp/" + uuid.uuid4().hex, "/no/file"))
        caller.shutdown(socket.SHUT_WR)
        caller.settimeout(60)
        while caller.recv(1000):
            pass
    assert env.echo(1) == 1


def test_cleanup_within_calls(replica: Agent, env: EnvironmentWrapper, tmp_path: Path) -> None:
    note = tmp_path / "note"
    errors: list[Exception] = []

    def call() -> None:
        try:
            env.hold(str(note), "/no/file")
        except EnvironmentEndedError as error:
            errors.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(note.exists)
    env.cleanup()
    for thread in threads:
        thread.join(60)
    assert len(errors) == 4
    assert all("cleaned up" in str(error) for error in errors)
