"""An environment served by `reconcile serve`, called with `mode="remote"`, over real HTTP."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from reconciler.cli.main import run
from reconciler.rayfine import EnvironmentWrapper, list_active_environments, load_env
from reconciler.rayfine.in_container import faults
from reconciler.rayfine.in_container.codec import encode
from reconciler.rayfine.runtime.errors import (
    CallTimeoutError,
    EnvironmentEndedError,
    LoadError,
    MethodNotFoundError,
    RemoteError,
    SetupError,
)
from tests.faults.proxy import CERTIFICATE, KEY
from tests.rayfine.remote.conftest import TOKEN, Command, Server, docker, serving

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def server(image: str) -> Iterator[Server]:
    with serving(image, "--replicas", "2") as found:
        yield found


@pytest.fixture
def env(image: str, server: Server) -> Iterator[EnvironmentWrapper]:
    with load_env(image, mode="remote", url=server.url, token=TOKEN) as found:
        yield found


def containers(image: str) -> list[str]:
    return docker("ps", "-aq", "--filter", f"ancestor={image}").split()


def test_it_is_used_like_a_local_one(env: EnvironmentWrapper) -> None:
    assert env.id in list_active_environments()
    assert "evaluate" in env.list_methods()
    with pytest.raises(SetupError, match="not loaded yet"):
        env.evaluate()
    env.setup(MY_KEY="canary-123456")
    assert env.is_ready()
    assert env.evaluate(task_type="abd", x=[1]) == {
        "task": "abd", "samples": 1, "key": 13, "x": [1],
    }  # fmt: skip
    value = {"t": (1, 2), "b": b"\0" * 3_000_000, "s": {1}, "u": "\u00e4"}
    assert env.echo(value) == value
    found = sorted(item.value for item in env.map("echo", range(40)))
    assert found == list(range(40))


def test_errors_from_there(env: EnvironmentWrapper) -> None:
    env.setup(MY_KEY="canary-123456")
    with pytest.raises(RemoteError, match="ValueError: oh") as raised:
        env.fail("oh ")
    assert isinstance(raised.value, ValueError)
    assert 'raise ValueError(text + os.getenv("MY_KEY", ""))' in raised.value.traceback
    assert "canary" not in str(raised.value)
    with pytest.raises(MethodNotFoundError, match="did you mean echo"):
        env.ecko(1)
    with pytest.raises(CallTimeoutError):
        env.call("sleep", 30, _timeout=0.5)
    assert env.echo(1) == 1


def where(image: str, note: str) -> list[str]:
    """The containers in which a call has written this file."""
    running = docker("ps", "-q", "--filter", f"ancestor={image}").split()
    looks = {each: ["docker", "exec", each, "test", "-e", note] for each in running}
    return [each for each in running if subprocess.run(looks[each], check=False).returncode == 0]


def wait_for_note(image: str, note: str) -> None:
    """Return once the call that writes this file is under way in a replica."""
    deadline = time.monotonic() + 60
    while not where(image, note):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def one_busy(env: EnvironmentWrapper, image: str) -> Iterator[None]:
    """Keep one replica at a call within the block, and let it end that call afterwards."""
    note = f"/tmp/{uuid.uuid4().hex}"
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(env.hold, note, f"{note}-go")
        try:
            wait_for_note(image, note)
            yield
            assert not busy.done()
        finally:
            for each in where(image, note):
                docker("exec", each, "touch", f"{note}-go")
        busy.result(60)


def test_calls_go_to_all_replicas(env: EnvironmentWrapper, image: str) -> None:
    env.setup()
    with one_busy(env, image):
        assert env.call("echo", 1, _timeout=60) == 1  # only the other one can answer


def test_it_goes_on_after_a_cleanup(image: str, server: Server) -> None:
    for _ in range(2):
        with load_env(image, mode="remote", url=server.url, token=TOKEN) as env:
            env.setup()
            assert env.echo(1) == 1
        with pytest.raises(EnvironmentEndedError, match="cleaned up"):
            env.echo(1)


def test_a_caller_that_is_killed_cancels_its_call(
    image: str, server: Server, env: EnvironmentWrapper
) -> None:
    env.setup()  # not after the kill, since that would end the call as well
    code = (
        "import sys\n"
        "from reconciler.rayfine import load_env\n"
        "env = load_env(sys.argv[1], mode='remote', url=sys.argv[2], token=sys.argv[3])\n"
        "env.setup()\n"
        "env.sleep(600, sys.argv[4])\n"
    )
    note = f"/tmp/{uuid.uuid4().hex}"
    process = subprocess.Popen([sys.executable, "-c", code, image, server.url, TOKEN, note])
    try:
        wait_for_note(image, note)
    finally:
        process.kill()
        process.wait()
    with one_busy(env, image):
        assert env.call("echo", 1, _timeout=60) == 1  # both replicas are free, not after 600 s


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "remote mode needs to know where"),
        ({"url": "ftp://x"}, "not a URL"),
        ({"url": "http://u:p@x:1"}, "neither user nor query"),
        ({"url": "http://127.0.0.1:9"}, "the token is missing"),
        ({"url": "http://127.0.0.1:9", "token": "t"}, "no environment is served there"),
        ({"url": "HERE", "token": "wrong"}, "refused the token"),
        ({"url": "HERE", "token": TOKEN, "replicas": 2}, "are its server's"),
        ({"url": "HERE/elsewhere", "token": TOKEN}, "no environment is served there: status 404"),
        ({"url": "https://HERE", "token": TOKEN}, "no environment is served there"),
        ({"url": "https://x", "token": TOKEN, "ca_file": "/no/file"}, "cannot be read"),
    ],
)
def test_what_can_be_wrong_with_the_address(
    options: dict[str, Any], words: str, image: str, server: Server
) -> None:
    if "url" in options:
        url = options["url"].replace("https://HERE", server.url.replace("http", "https"))
        options = {**options, "url": url.replace("HERE", server.url)}
    with pytest.raises(LoadError, match=words) as raised:
        load_env(image, mode="remote", **options)
    assert raised.value.fix
    assert list_active_environments() == []


def test_another_environment_than_expected(server: Server) -> None:
    with pytest.raises(LoadError, match="another environment is served there: rectest-"):
        load_env("affine:latest", mode="remote", url=server.url, token=TOKEN)


def ask(server: Server, verb: str, path: str, body: bytes = b"", **headers: str) -> int:
    parts = urlsplit(server.url)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=10)) as connection:
        given = {"Authorization": f"Bearer {TOKEN}", **headers}
        connection.request(verb, path, body, {k.replace("_", "-"): v for k, v in given.items()})
        answer = connection.getresponse()
        answer.read()
        return answer.status


def test_who_may_ask_what(server: Server) -> None:
    assert ask(server, "GET", "/health") == 200
    for given in ("", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"):
        assert ask(server, "GET", "/health", Authorization=given) == 401
        assert ask(server, "POST", "/call/echo", b"x", Authorization=given) == 401
    assert ask(server, "POST", "/shutdown") == 404
    assert ask(server, "GET", "/../secret") == 404
    assert ask(server, "DELETE", "/health") == 501
    assert ask(server, "POST", "/call/echo", X_Limit="nan") == 400
    assert ask(server, "POST", "/call/echo", X_Call="a b") == 400
    assert ask(server, "POST", "/call/echo", Content_Length="-1") == 411
    assert ask(server, "POST", "/call/echo", Content_Length="999999999999") == 413
    assert ask(server, "POST", "/setup", b"garbage") == 400
    assert ask(server, "GET", "/health") == 200


def test_noise_does_not_stop_it(server: Server) -> None:
    parts = urlsplit(server.url)
    assert parts.hostname is not None
    for noise in (b"\0" * 100_000, b"GET / HTTP/9\r\n\r\n", b"POST /call/echo HTTP/1.1\r\n", b""):
        with (
            contextlib.suppress(OSError),
            contextlib.closing(socket.create_connection((parts.hostname, parts.port or 0))) as sock,
        ):
            sock.sendall(noise)
    assert ask(server, "GET", "/health") == 200


def test_the_owner_sets_it_up(image: str) -> None:
    others = set(containers(image))
    with serving(image, "--setup-env", "MY_KEY", MY_KEY="canary-123456") as server:
        env = load_env(image, mode="remote", url=server.url, token=TOKEN)
        with pytest.raises(SetupError, match="set up by whoever serves it"):
            env.setup(MY_KEY="mine")
        env.setup()
        assert env.evaluate()["key"] == 13
        with pytest.raises(EnvironmentEndedError):
            env.die()
        env.setup()
        assert env.evaluate()["key"] == 13
        docker("kill", *(set(containers(image)) - others))
        with pytest.raises(EnvironmentEndedError, match="was killed"):
            env.echo(1)
        assert not env.is_ready()
        with pytest.raises(LoadError, match=r"is not ready: .*was killed"):
            load_env(image, mode="remote", url=server.url, token=TOKEN)
        env.cleanup()
        assert "canary" not in server.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_end(image: str, number: signal.Signals) -> None:
    before = containers(image)
    with serving(image) as server:
        env = load_env(image, mode="remote", url=server.url, token=TOKEN)
        env.setup()
        errors: list[Exception] = []

        def call() -> None:
            try:
                env.sleep(600, note="/tmp/asleep")
            except Exception as error:  # noqa: BLE001
                errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        wait_for_note(image, "/tmp/asleep")
        assert server.stop(number).endswith("Stopped.\n")
        assert server.process.returncode == 0
        thread.join(60)
        assert isinstance(errors[0], EnvironmentEndedError)
        with pytest.raises(EnvironmentEndedError, match="the server of the environment was lost"):
            env.echo(1)
        env.cleanup()
    assert containers(image) == before


def test_the_command_line_calls_it(image: str, server: Server, command: Command) -> None:
    words = ("run", image, "evaluate", "--url", server.url)
    ran = command(*words, "--token-env", "T", "--arg", "num_samples=3")
    assert (ran.code, json.loads(ran.out)["samples"]) == (0, 3)
    assert TOKEN not in ran.err
    ran = command(*words)
    assert (ran.code, "--url needs --token-env" in ran.err) == (1, True)
    ran = command(*words, "--token-env", "T", "--replicas", "2")
    assert (ran.code, "--replicas and --url exclude each other" in ran.err) == (1, True)


def test_over_tls(image: str) -> None:
    pem = str(CERTIFICATE)
    words = ("--tls-cert", pem, "--tls-key", str(KEY), "--host", "0.0.0.0")
    with serving(image, *words) as server:
        assert server.url.startswith("https://")
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        with pytest.raises(LoadError, match="certificate verify failed"):
            load_env(image, mode="remote", url=url, token=TOKEN)
        with load_env(image, mode="remote", url=url, token=TOKEN, ca_file=pem) as env:
            env.setup()
            assert env.echo(b"x" * 1_000_000) == b"x" * 1_000_000
            assert env.sleep(0.6) == 0.6


def test_what_the_image_named_by_serve_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", f"rectest-none-{os.getpid()}:v1"]) == 1
    assert "there is no such image on the engine" in capsys.readouterr().err


def test_many_calls_of_several_callers(image: str, server: Server) -> None:
    async def storm(env: EnvironmentWrapper, base: int) -> list[int]:
        calls = (env.aio.echo(base + n) for n in range(300))
        return list(await asyncio.gather(*calls))

    with contextlib.ExitStack() as stack:
        callers = [
            stack.enter_context(load_env(image, mode="remote", url=server.url, token=TOKEN))
            for _ in range(2)
        ]
        for caller in callers:
            caller.setup()
        with ThreadPoolExecutor(2) as pool:
            work = [pool.submit(asyncio.run, storm(each, n)) for n, each in enumerate(callers)]
            assert [item.result(120) for item in work] == [
                list(range(base, base + 300)) for base in range(2)
            ]


def test_a_cancel_that_is_quicker_than_its_call(server: Server, env: EnvironmentWrapper) -> None:
    env.setup()
    identity = uuid.uuid4().hex
    assert ask(server, "POST", f"/cancel/{identity}") == 200
    body = b"".join(encode([[600], {}]))
    assert ask(server, "POST", "/call/sleep", body, X_Call=identity) == faults.CANCELLED
    assert env.echo(1) == 1
