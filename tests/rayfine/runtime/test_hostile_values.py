"""What env.py answers, and what a holder of the token posts: refused in time, and nobody waits."""

import contextlib
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.rayfine import EnvironmentWrapper
from reconciler.rayfine.in_container.codec import MAX_SETUP, encode
from reconciler.rayfine.runtime.agent_connections import Wire
from reconciler.rayfine.runtime.errors import (
    CallTimeoutError,
    EnvironmentEndedError,
    RemoteError,
    TransferError,
)
from tests.rayfine.runtime.agents import Agent

P = sys.hash_info.modulus
ENV = """
import gc, sys, time
P = sys.hash_info.modulus
def echo(value): return value
class Alike(set):
    "It would take minutes to build one."
    def __iter__(self): return (n * P for n in range(40_000))
def alike(): return Alike()
def nap(seconds): time.sleep(seconds)
def large(): return 1 << 5_000_000
class Meta(type):
    __module__ = property(lambda self: 1 / 0)
class Odd(Exception, metaclass=Meta):
    def __str__(self): raise SystemExit(3)
def odd(): raise Odd("x")
def answer(text):
    "Write this in place of the worker, to whoever asks it."
    for found in gc.get_objects():
        if type(found).__name__ == "Accepted" and not found.gone:
            found._loop.call_soon_threadsafe(found._transport.write, text.encode())
    time.sleep(600)
"""


@pytest.fixture
def replica(shared: Agent) -> Agent:
    return shared


def test_a_set_whose_hashes_collide(env: EnvironmentWrapper) -> None:
    with pytest.raises(TransferError, match="the hashes of a set, or of keys, collide"):
        env.alike()
    assert env.echo(1) == 1


def test_an_integer_that_cannot_be_printed(env: EnvironmentWrapper) -> None:
    with pytest.raises(TransferError, match="an integer of more than 14000 bits cannot be sent"):
        env.large()


def test_an_exception_that_cannot_be_described(env: EnvironmentWrapper) -> None:
    with pytest.raises(RemoteError, match="its text cannot be had"):
        env.odd()
    assert env.echo(1) == 1


@pytest.mark.parametrize(
    "head",
    [
        "[" * 60_000 + "\n",
        '{"length": 4}\n',
        '{"status": "200", "length": 4}\n',
        '{"status": 7, "length": 4}\n',
        '{"status": 200, "length": -1}\n',
        '{"status": 200, "length": 1e9}\n',
        "x" * 100_000,
    ],
)
def test_an_answer_that_env_py_wrote_itself(env: EnvironmentWrapper, head: str) -> None:
    with pytest.raises(EnvironmentEndedError, match="answered nonsense"):
        env.answer(head)
    env.setup()
    assert env.echo(1) == 1


def post(replica: Agent, path: str, body: bytes, **headers: str) -> bytes:
    given = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nAuthorization: Bearer {replica.token}\r\n"
        f"Content-Length: {len(body)}\r\n{given}Connection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", replica.port), timeout=60) as caller:
        caller.sendall(head.encode() + body)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := caller.recv(1 << 16):
                answer += chunk
    return answer


def test_variables_that_are_none(replica: Agent, env: EnvironmentWrapper) -> None:
    """Refused before they are built, and what was set up goes on."""
    items = [n * P for n in range(40_000)]
    alike = {"variables": {"A": {"$": "set", "v": items}}}
    trees: list[object] = [alike, {"variables": [1]}, [], None]
    for tree in trees:
        text = json.dumps(tree).encode()
        body = struct.pack(">4sIQ", b"RFE1", 0, len(text)) + text
        assert post(replica, "/setup", body).startswith(b"HTTP/1.1 400 ")
    body = b"".join(encode({"variables": {"A": "x" * MAX_SETUP}}))
    assert b"the variables are too large: 4 MiB are taken" in post(replica, "/setup", body)
    assert env.echo(1) == 1
    with pytest.raises(TransferError, match="the variables are too large"):
        env.setup(A="x" * MAX_SETUP)


@pytest.mark.parametrize("limit", ["nan", "inf", "-1", "1e999"])
def test_a_limit_that_is_none(replica: Agent, env: EnvironmentWrapper, limit: str) -> None:
    """`nan` among the timers of an event loop ends it, and with it all that it serves."""
    assert post(replica, "/call/echo", b"", X_Limit=limit).startswith(b"HTTP/1.1 400 ")
    assert env.echo(1) == 1


@pytest.mark.parametrize("limit", [3e6, 1e20, 1e308])
def test_a_limit_that_never_comes(env: EnvironmentWrapper, limit: float) -> None:
    assert env.call("echo", 1, _timeout=limit) == 1


def test_a_method_that_sleeps_is_ended_at_its_limit(env: EnvironmentWrapper) -> None:
    with pytest.raises(CallTimeoutError, match="nap was ended at its time limit"):
        env.call("nap", 600, _timeout=0.5)
    assert env.echo(1) == 1


def test_two_calls_of_one_identity(replica: Agent, env: EnvironmentWrapper) -> None:
    body = b"".join(encode([[0.2], {}]))
    with ThreadPoolExecutor(2) as pool:
        work = [pool.submit(post, replica, "/call/nap", body, X_Call="same") for _ in range(2)]
        assert [item.result(60)[:12] for item in work] == [b"HTTP/1.1 200"] * 2
    assert env.echo(1) == 1


@pytest.mark.parametrize(
    "read", [lambda wire: wire.read(1000), lambda wire: wire.read_until(b"\n")]
)
def test_an_answer_that_drips_has_an_end(read: Callable[[Wire], object]) -> None:
    here, there = socket.socketpair()
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.05):
            there.sendall(b"x")

    thread = threading.Thread(target=drip)
    with here, there:
        wire = Wire(here)
        wire.allow(0.5)
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                read(wire)
        finally:
            over.set()
            thread.join()
        wire.allow(60, pause=0.1)
        with pytest.raises(TimeoutError):
            wire.read(1000)
