"""What a holder of the token posts to a gateway."""

import contextlib
import http.client
import json
import socket
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.rayfine import load_env
from reconciler.rayfine.in_container import faults
from reconciler.rayfine.in_container.codec import MAX_SETUP, encode
from reconciler.rayfine.runtime.errors import EnvironmentEndedError
from tests.rayfine.remote.offered import NAME, TOKEN, Offered, offered
from tests.rayfine.runtime.agents import until

ENV = """
import time
def echo(value): return value
def nap(seconds): time.sleep(seconds)
"""
ALIKE = [n * sys.hash_info.modulus for n in range(40_000)]


def message(tree: object) -> bytes:
    text = json.dumps(tree).encode()
    return struct.pack(">4sIQ", b"RFE1", 0, len(text)) + text


def post(served: Offered, path: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    given = {"Authorization": f"Bearer {TOKEN}", **headers}
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)) as connection:
        connection.request(
            "POST", path, body, {name.replace("_", "-"): text for name, text in given.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module", params=[None, {"A": "b"}], ids=["callers", "owner"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Offered]:
    with offered(tmp_path_factory.mktemp("env"), ENV, request.param) as found:
        yield found


def test_variables_that_are_none(served: Offered) -> None:
    """What its owner has set up is answered with a conflict, and nothing of the body is read."""
    bodies = [
        message({"variables": {"A": {"$": "set", "v": ALIKE}}}),
        b"".join(encode({"variables": {"A": "x" * MAX_SETUP}})),
        b"garbage",
        b"",
    ]
    for body in bodies:
        status = post(served, "/setup", body)[0]
        assert status == (faults.CONFLICT if served.fixed else 400)
    assert post(served, "/call/echo", b"".join(encode([[1], {}])))[0] == faults.OK


def test_arguments_are_passed_on_unread(served: Offered) -> None:
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    status, answer = post(served, "/call/echo", message(deep))
    assert status == faults.FAILED
    assert b"it is nested too deeply" in answer


@pytest.mark.parametrize("identity", ["", "same"])
def test_many_calls_of_one_identity(served: Offered, identity: str) -> None:
    """More than are sent to a replica at once: those that wait are told apart."""
    body = b"".join(encode([[0.01], {}]))
    with ThreadPoolExecutor(300) as pool:
        work = [pool.submit(post, served, "/call/nap", body, X_Call=identity) for _ in range(300)]
        assert {item.result(120)[0] for item in work} == {faults.OK}


def test_it_ends_without_a_word_whoever_is_connected(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        contextlib.ExitStack() as stack,
        offered(tmp_path, ENV, {}) as served,
        ThreadPoolExecutor(1) as pool,
    ):
        for said in (b"", b"GET /health HTTP/1.1\r\n"):
            stranger = socket.create_connection(("127.0.0.1", served.port))
            stack.enter_context(stranger).sendall(said)
        env = stack.enter_context(load_env(NAME, mode="remote", url=served.url, token=TOKEN))
        env.setup()
        work = pool.submit(env.nap, 600)
        until(lambda: served.gateway._running)
        served.gateway.__exit__()
        with pytest.raises(EnvironmentEndedError, match="the server of the environment was lost"):
            work.result(60)
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@pytest.mark.parametrize("limit", ["1e7", "1e308"])
def test_a_limit_that_never_comes(served: Offered, limit: str) -> None:
    body = b"".join(encode([[1], {}]))
    assert post(served, "/call/echo", body, X_Limit=limit)[0] == faults.OK
