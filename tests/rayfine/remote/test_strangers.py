"""Connections without the token, to an agent and to a gateway: they keep nobody out, and end."""

import contextlib
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.rayfine import EnvironmentWrapper, load_env
from reconciler.rayfine.in_container.streams import MOST, SECONDS
from tests.faults.proxy import CERTIFICATE, KEY
from tests.rayfine.remote.offered import NAME, TOKEN, offered
from tests.rayfine.runtime.agents import agent, environment, until

ENV = """
import os
def echo(value): return value
def fork():
    pid = os.fork()
    if pid == 0: os._exit(0)
    return os.waitpid(pid, 0)[1]
"""
MANY = 520


@dataclass(frozen=True)
class Door:
    """A server without a container. `connect` loads what it serves, as another caller."""

    port: int
    connect: Callable[[], contextlib.AbstractContextManager[EnvironmentWrapper]]


@contextlib.contextmanager
def of_agent(directory: Path) -> Iterator[Door]:
    with agent(directory, ENV) as replica:
        env = environment(replica)
        yield Door(replica.port, lambda: contextlib.nullcontext(env))


@contextlib.contextmanager
def of_gateway(directory: Path) -> Iterator[Door]:
    with offered(directory, ENV, {}) as served:
        yield Door(served.port, lambda: load_env(NAME, mode="remote", url=served.url, token=TOKEN))


@contextlib.contextmanager
def of_tls_gateway(directory: Path) -> Iterator[Door]:
    pem = str(CERTIFICATE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE, KEY)
    with offered(directory, ENV, {}, context) as served:

        def connect() -> EnvironmentWrapper:
            return load_env(NAME, mode="remote", url=served.url, token=TOKEN, ca_file=pem)

        yield Door(served.port, connect)


@pytest.fixture(params=[of_agent, of_gateway, of_tls_gateway], ids=["agent", "gateway", "tls"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with request.param(tmp_path) as found:
        yield found
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def strangers(port: int, count: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), 60)))
            found[-1].sendall(said)
        yield found


def has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1000, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_silent_and_dripping_connections_keep_nobody_out_and_end(door: Door) -> None:
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        env = stack.enter_context(door.connect())
        env.setup()
        silent = stack.enter_context(strangers(door.port, MANY))
        assert env.echo(1) == 1
        assert env.fork() == 0
        with door.connect() as another:
            another.setup()
            assert another.echo(2) == 2
        until(lambda: sum(map(has_ended, silent)) >= MANY - MOST)
        dripping = [
            *stack.enter_context(strangers(door.port, 1, b"GET /health HTTP/1.1\r\nA: ")),
            *stack.enter_context(strangers(door.port, 1, b"\x16\x03\x01")),
        ]
        start = time.monotonic()
        while not all(map(has_ended, dripping)):
            assert time.monotonic() - start < 3 * SECONDS
            for one in dripping:
                with contextlib.suppress(OSError):
                    one.sendall(b"x")
            time.sleep(0.2)
        until(lambda: all(map(has_ended, silent)))
        connections = env._seats.all[0].replica.client._connections
        wire = connections._kept()  # who has shown the token may be silent for longer
        assert wire is not None
        connections._release(wire, reuse=True)
        assert env.echo(1) == 1
    until(lambda: threading.active_count() <= before)  # none is left with one of them


def test_a_flood_of_them_keeps_nobody_out(door: Door) -> None:
    """Each that was ended is followed by another."""
    over = threading.Event()

    def flood() -> None:
        with contextlib.ExitStack() as stack:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    one = socket.create_connection(("127.0.0.1", door.port), 60)
                    stack.enter_context(one)
                    over.wait(0.005)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _ in range(10):
            with door.connect() as env:
                env.setup()
                assert env.echo(1) == 1
    finally:
        over.set()
        thread.join()
