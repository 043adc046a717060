"""Starting, stopping, restarting, being killed; several processes on one database; the log."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from pydantic import SecretStr

from reconciler.errors import SandboxError
from reconciler.sandbox import Behaviour, Endpoint, Request, SandboxServer
from tests.sandbox.conftest import Http, Running, Start

ENVIRONMENTS = "/api/v1/asset/environment"
SERVE = """
import sys
from pathlib import Path
from reconciler.sandbox import Behaviour, serve

def announce(found):
    print(found.base_url, found.client_id, found.client_secret.get_secret_value(), flush=True)

setup = {"seed": None, "behaviour": Behaviour(), "host": "127.0.0.1", "port": 0}
serve(Path(sys.argv[1]), **setup, announce=announce)
"""


@contextmanager
def process(database: Path) -> Iterator[tuple[subprocess.Popen[str], Http]]:
    """A sandbox in the foreground of another process."""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVE, str(database)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child, urllib3.PoolManager(maxsize=20) as pool:
        try:
            assert child.stdout is not None
            base_url, client_id, secret = child.stdout.readline().split()
            yield child, Http(Endpoint(base_url, client_id, SecretStr(secret)), pool)
        finally:
            child.kill()


def test_everything_survives_a_restart(start: Start) -> None:
    running = start()
    created = running.http.create("environment", "a").body
    token = running.http.token
    running.server.stop()
    again = start()
    assert again.http.send("GET", f"{ENVIRONMENTS}?name=a", token=token).body == {
        "entries": [created]
    }


def test_accepted_writes_survive_a_kill(tmp_path: Path) -> None:
    database = tmp_path / "sandbox.db"
    accepted: list[str] = []
    with process(database) as (child, http):
        killer = threading.Timer(0.3, child.kill)
        try:
            for number in range(100_000):
                answer = http.create("environment", f"a{number}")
                assert answer.status == 202
                accepted.append(answer.body["meta"]["id"])
                if len(accepted) == 1:
                    killer.start()
        except urllib3.exceptions.HTTPError:
            pass
        killer.join()
    assert child.wait() == -signal.SIGKILL
    with process(database) as (_, http):
        stored = [
            each["meta"]["id"]
            for each in http.send("GET", f"{ENVIRONMENTS}?scope=tenant").body["entries"]
        ]
    assert accepted
    assert stored[: len(accepted)] == accepted
    assert len(stored) - len(accepted) in (0, 1)  # one may have been stored without an answer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_foreground_ends_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path / "sandbox.db") as (child, http):
        assert http.names("environment") == []
        child.send_signal(number)
        assert child.wait(timeout=60) == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "sandbox.db"
    ]  # the log is folded in


def test_several_processes_serve_one_database(tmp_path: Path) -> None:
    database = tmp_path / "sandbox.db"
    with process(database) as (_, one), process(database) as (_, other):
        assert one.create("environment", "a").status == 202
        assert other.names("environment") == ["a"]
        assert other.create("environment", "a").status == 409
        results: list[int] = []

        def create(http: Http) -> None:
            results.extend(http.create("compute", f"c{number}").status for number in range(100))

        threads = [threading.Thread(target=create, args=(each,)) for each in (one, other) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [202] * 100 + [409] * 300
        assert one.names("compute") == other.names("compute")
        assert len(one.names("compute")) == 100


def test_several_processes_may_make_the_database(tmp_path: Path) -> None:
    servers = [SandboxServer(tmp_path / "sandbox.db") for _ in range(8)]
    endpoints: list[Endpoint] = []
    threads = [
        threading.Thread(target=lambda server=server: endpoints.append(server.start()))
        for server in servers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        server.stop()
    assert len({endpoint.client_secret.get_secret_value() for endpoint in endpoints}) == 1
    assert len({endpoint.base_url for endpoint in endpoints}) == 8


def test_the_file_is_its_owners_alone(sandbox: Running, tmp_path: Path) -> None:
    modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.glob("sandbox.db*")}
    assert modes == dict.fromkeys(("sandbox.db", "sandbox.db-shm", "sandbox.db-wal"), 0o600)


def test_missing_folders_are_made(start: Start, tmp_path: Path) -> None:
    assert start(tmp_path / "a" / "b" / "sandbox.db").http.names("environment") == []


def test_a_server_can_be_stopped_twice_and_started_again(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path / "sandbox.db")
    server.stop()
    with server, pytest.raises(SandboxError, match="started already"):
        server.start()
    server.stop()
    with server as endpoint, urllib3.PoolManager() as pool:
        assert Http(endpoint, pool).names("environment") == []
    assert [thread.name for thread in threading.enumerate() if "sandbox" in thread.name] == []


def test_stopping_lets_requests_under_way_end(start: Start) -> None:
    running = start(latency=0.5)
    answers: list[int] = []
    thread = threading.Thread(
        target=lambda: answers.append(running.http.create("environment", "a").status)
    )
    thread.start()
    deadline = time.monotonic() + 30
    while not len(running.server.requests):  # it is noted before its answer is held back
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.server.stop()
    thread.join()
    assert answers == [202]


def test_requests_do_not_wait_for_each_other(start: Start) -> None:
    running = start(latency=0.5)
    answered: list[float] = []

    def create(number: int) -> None:
        running.http.create("environment", f"a{number}")
        answered.append(time.monotonic())

    threads = [threading.Thread(target=create, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pauses = [later - earlier for earlier, later in itertools.pairwise(sorted(answered))]
    assert min(pauses) < 0.5  # one after the other, each would come 0.5 s after the one before
    assert len(running.http.names("environment")) == 20


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match=f"cannot listen on 127.0.0.1:{port}"):
            SandboxServer(tmp_path / "sandbox.db", port=port).start()


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"cannot listen on 192\.0\.2\.1"):
        SandboxServer(tmp_path / "sandbox.db", host="192.0.2.1").start()


def test_listening_for_others_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with SandboxServer(tmp_path / "sandbox.db", host="0.0.0.0") as endpoint:
        assert endpoint.base_url.startswith("http://0.0.0.0:")
    assert "others can reach it" in caplog.text


def test_a_host_by_name(tmp_path: Path) -> None:
    with (
        SandboxServer(tmp_path / "sandbox.db", host="localhost") as endpoint,
        urllib3.PoolManager() as pool,
    ):
        assert endpoint.base_url.startswith("http://localhost:")
        assert Http(endpoint, pool).names("environment") == []


def test_an_unexpected_failure_is_a_500(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running = start(fill_defaults=True)
    with sqlite3.connect(tmp_path / "sandbox.db") as connection:
        connection.execute("UPDATE asset SET body = 'broken'")
    connection.close()
    answer = running.http.send("GET", ENVIRONMENTS)
    assert (answer.status, answer.body) == (500, {"code": 500, "message": "Something went wrong."})
    assert f"GET '{ENVIRONMENTS}' failed" in caplog.text


def test_files_that_are_no_sandbox(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello " * 1000)
    other = tmp_path / "other"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE a (b)")
    connection.close()
    newer = tmp_path / "newer"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for path, message in (
        (text, "cannot be used: file is not a database"),
        (other, "not a sandbox's"),
        (newer, "layout 99"),
        (tmp_path, "cannot be used"),
        (text / "below", "cannot be used"),
    ):
        with pytest.raises(SandboxError, match=message) as caught:
            SandboxServer(path).start()
        assert caught.value.where == str(path)
        assert caught.value.fix


def test_a_database_that_is_locked_is_a_503(start: Start, tmp_path: Path) -> None:
    running = start(busy=0.1)
    connection = sqlite3.connect(tmp_path / "sandbox.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    answer = running.http.create("environment", "a")
    assert (answer.status, answer.body["code"]) == (503, 503)
    assert running.http.names("environment") == []  # reads do not need the lock
    connection.close()
    assert running.http.create("environment", "a").status == 202


def test_the_request_log(sandbox: Running) -> None:
    log, http = sandbox.server.requests, sandbox.http
    http.log_in()
    http.names("environment", "?scope=tenant")
    created = http.create("environment", "a").body["meta"]["id"]
    http.create("environment", "a")
    http.send("PUT", f"{ENVIRONMENTS}/{created}", {"meta": {"name": "b"}, "spec": {}})
    http.send("DELETE", f"{ENVIRONMENTS}/{created}")
    http.send("GET", "/api/v1/clusters", token="wrong")
    one = f"{ENVIRONMENTS}/{created}"
    assert log.all() == (
        Request("POST", "/api/v2/token", "", 200),
        Request("GET", ENVIRONMENTS, "scope=tenant", 200),
        Request("POST", ENVIRONMENTS, "", 202),
        Request("POST", ENVIRONMENTS, "", 409),
        Request("PUT", one, "", 202),
        Request("DELETE", one, "", 202),
        Request("GET", "/api/v1/clusters", "", 401),
    )
    assert [each.method for each in log.writes()] == ["POST", "POST", "PUT", "DELETE"]
    assert [each.status for each in log.reads()] == [200, 401]
    assert len(log) == 7
    log.clear()
    assert (len(log), log.all()) == (0, ())


def test_no_secret_is_logged(
    start: Start, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG")
    running = start()
    running.http.create("environment", "a")
    text = caplog.text + repr(running.server.requests.all())
    assert running.endpoint.client_secret.get_secret_value() not in text
    assert running.http.token not in text


def test_importing_the_package_is_light() -> None:
    code = "import sys, reconciler.sandbox; print('aiohttp' in sys.modules, 'runai' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["False", "False"]


def test_the_default_is_the_documented_one() -> None:
    assert json.loads(json.dumps(Behaviour().__dict__)) == {
        "version": "3.0",
        "fill_defaults": False,
        "absent": "absent",
        "visibility_lag": 0.0,
        "name_filter": "exact",
        "unknown_fields": "ignore",
        "unfiltered_list": "all",
        "unknown_parameters": "ignore",
        "missing_paths": "404",
        "cluster_version": "same",
        "deleted_entries": "gone",
        "denied": [],
        "latency": 0.0,
        "token_lifetime": 3600.0,
        "token_expiry": "stated",
        "revoke_tokens_every": 0,
    }
