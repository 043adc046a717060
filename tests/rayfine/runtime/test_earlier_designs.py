"""What earlier designs of this kind got wrong: the entries that no other file here tests.

The others: several environments, loopback ports, names that are taken, `cleanup`, deadlocks, forks
and orphans in test_life; `hasattr`, `timeout`, imported classes, one event loop, unpickling in
test_process; layers of the Dockerfile and missing requirements in tests/rayfine/image.
"""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.rayfine.image.dockerfile import generate
from reconciler.rayfine.runtime.agent_client import AgentClient
from reconciler.rayfine.runtime.agent_connections import ConnectionLostError, Endpoint
from reconciler.rayfine.runtime.container import AGENT_PORT, GENERATED_COMMAND, own_head
from reconciler.rayfine.runtime.errors import EnvironmentEndedError
from reconciler.rayfine.runtime.local_containers import new_identity
from tests.rayfine.runtime.conftest import LOADED, RAY_BASE, Load, docker, wait_for_file

ENV = "import os, threading\ndef echo(value): return value\n"


def test_names_are_valid_and_unique() -> None:
    for image in (
        "registry.example.com:5000/team/affine:v1",
        "a/b/c",
        f"x@sha256:{'0' * 64}",
        "ä/!",
    ):
        names = {new_identity(image) for _ in range(1000)}
        assert len(names) == 1000
        assert all(re.fullmatch(r"rayfine-[a-zA-Z0-9][a-zA-Z0-9_.-]+", name) for name in names)


def test_the_port_inside_is_out_of_the_range_of_rays_workers() -> None:
    assert not 10002 <= AGENT_PORT <= 19999
    assert AGENT_PORT not in (6379, 8265, 10001)


def test_the_generated_command_is_known_and_replaced_by_a_leaner_start() -> None:
    (line,) = [line for line in generate(None).splitlines() if line.startswith("CMD ")]
    assert tuple(json.loads(line.removeprefix("CMD "))) == GENERATED_COMMAND
    assert own_head({"Config": {"Cmd": list(GENERATED_COMMAND)}}) == []
    readme = ["ray", "start", "--head", "--port=6379", "--dashboard-host=0.0.0.0", "--block"]
    assert own_head({"Config": {"Cmd": readme, "Entrypoint": None}}) == readme
    assert own_head({"Config": {"Cmd": ["/bin/bash"]}}) == []


def accept_and_close(listener: socket.socket) -> None:
    listener.accept()[0].close()


def test_a_port_that_only_accepts_proves_nothing() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = AgentClient(Endpoint("127.0.0.1", listener.getsockname()[1], "t"))
        closing = threading.Thread(target=accept_and_close, args=(listener,), daemon=True)
        closing.start()
        with pytest.raises(ConnectionLostError):
            client.health()
        client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\x80\x04N.",
        b"SSH-2.0-x\r\n\r\n",
        b"x" * 200_000,
    ],
)
def test_a_hostile_server_only_gives_an_error(answer: bytes) -> None:
    from reconciler.rayfine.runtime.errors import TransferError  # noqa: PLC0415

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(answer)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = AgentClient(Endpoint("127.0.0.1", listener.getsockname()[1], "t"))
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises((ConnectionLostError, TransferError)):
            client.call("f", [[], {}], 5, "id")
        thread.join()
        client.close()


@pytest.mark.docker
def test_many_connections_at_once_and_the_callers_signals(load: Load) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    env = load(ENV)
    env.setup()
    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(env.echo, range(500))) == list(range(500))
    assert before == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))


@pytest.mark.docker
def test_two_environments_of_ray_and_no_ray_in_the_caller(load: Load) -> None:
    one = load(ENV, base=RAY_BASE, engine="ray")
    two = load(ENV, base=RAY_BASE, engine="ray")
    one.setup()
    two.setup()
    assert (one.echo(1), two.echo(2)) == (1, 2)
    assert "ray" not in sys.modules
    docker("kill", one.id)
    start = time.monotonic()
    with pytest.raises(EnvironmentEndedError):
        one.echo(1)
    assert time.monotonic() - start < LOADED
    assert two.echo(3) == 3


@pytest.mark.docker
def test_interrupting_the_caller_cancels_the_call(load: Load) -> None:
    env = load(
        "import time\ndef one(): return 1\n"
        "def nap():\n    open('/tmp/napping', 'w').close()\n    time.sleep(60)\n"
    )
    env.setup()
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        wait_for_file(env.id, "/tmp/napping")
        signal.pthread_kill(main, signal.SIGINT)

    def nap() -> None:
        threading.Thread(target=interrupt, daemon=True).start()
        env.nap()

    # Started in the background of a shell, this process has inherited a SIGINT that is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            nap()
    finally:
        signal.signal(signal.SIGINT, before)
    start = time.monotonic()
    assert env.one() == 1
    assert time.monotonic() - start < LOADED


@pytest.mark.docker
def test_arrays_travel_where_numpy_is() -> None:
    code = (
        "import sys; sys.path.insert(0, '/agent'); from rayfine_agent import codec; import numpy\n"
        "def back(v): return codec.decode(b''.join(codec.encode(v)))\n"
        "for a in (numpy.arange(6.0).reshape(2, 3), numpy.zeros((0, 3), '<i2'), numpy.array(1),\n"
        "          numpy.array(['2026'], 'M8[D]'), numpy.array(['ab', 'c'])):\n"
        "    b = back(a); assert b.dtype == a.dtype and b.shape == a.shape and (b == a).all(), a\n"
        "    b[...] = b\n"
        "assert type(back(numpy.float32(1.5))) is numpy.float32\n"
        "try: codec.encode(numpy.array([object()])); raise SystemExit('sent')\n"
        "except codec.CodecError: pass\n"
        "def forged(value, old, new):\n"
        "    data = b''.join(codec.encode(value)); assert data.count(old) == 1, data\n"
        "    try: codec.decode(data.replace(old, new)); raise SystemExit(new)\n"
        "    except codec.CodecError: pass\n"
        "forged(numpy.array(['ab']), 'b'.encode('utf-32-le'), bytes([255] * 4))\n"
        "forged(numpy.array(['ab', 'c'])[0], b'<U2', b'<U3')\n"
        "forged(numpy.array([True]), b'}' + bytes([1]), b'}' + bytes([7]))\n"
        "forged(numpy.zeros((0, 1234567)), b'1234567', b'9234567')\n"
        "print('ok')\n"
    )
    from importlib import resources  # noqa: PLC0415

    agent = resources.files("reconciler.rayfine.in_container")
    mount = f"{agent}:/agent/rayfine_agent:ro"
    done = subprocess.run(
        ["docker", "run", "--rm", "-v", mount, RAY_BASE, "python3", "-B", "-c", code],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stdout.strip() == "ok", done.stderr
