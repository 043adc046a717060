"""The engine out of reach, in words; and what a build's events become."""

import base64
import contextlib
import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import BuildError, ProviderError, UnreachableError
from reconciler.providers.docker.local import made_at
from reconciler.rayfine.docker.build_progress import BuildLog
from reconciler.rayfine.docker.engine import Engine


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("unix:///nowhere/docker.sock", "No such file"),
        ("tcp://127.0.0.1:9", "refused"),
    ],
)
def test_an_engine_out_of_reach_says_why_and_what_to_do(host: str, reason: str) -> None:
    with (
        contextlib.closing(Engine(host)) as engine,
        pytest.raises(UnreachableError, match=reason) as raised,
    ):
        engine.containers()
    assert raised.value.where == host
    assert "start Docker" in raised.value.fix


def test_an_unknown_docker_context_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", "away")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    with (
        contextlib.closing(Engine()) as engine,
        pytest.raises(UnreachableError, match="no Docker context 'away'"),
    ):
        engine.containers()


@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("tcp://joe:secret-pw@127.0.0.1:9", "tcp://***@127.0.0.1:9"),
        ("https://secret-pw@h:1/x", "https://***@h:1/x"),
        ("ssh://joe:secret-pw@h", "ssh://***@h"),
    ],
)
def test_a_login_in_an_address_is_refused_and_not_shown(
    address: str, shown: str, stated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere" if stated else address)
    with (
        contextlib.closing(Engine(address if stated else None)) as engine,
        pytest.raises(UnreachableError, match="user or password") as raised,
    ):
        engine.containers()
    assert raised.value.where == engine.name == shown
    assert "secret-pw" not in str(raised.value)


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("unauthorized: authentication required", True),
        ("denied: requested access to the resource is denied", True),
        ("no basic auth credentials", True),
        ("received unexpected HTTP status: 500 Internal Server Error", False),
        ("received unexpected HTTP status: 403 Forbidden", True),
        ("dial tcp: lookup registry.invalid: no such host", False),
    ],
)
@pytest.mark.parametrize("here", [True, False])
def test_a_push(
    said: str, cure: bool, here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No login goes to another machine without TLS; one is the cure only where it was refused."""
    auth = base64.b64encode(b"joe:secret-pw").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"r.invalid": {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    sent: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"ApiVersion": "1.44", "Version": "27"})

        def do_POST(self) -> None:
            sent.append(self.headers.get("X-Registry-Auth"))
            self.answer({"error": said})

        def answer(self, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    host = "127.0.0.1" if here else "0.0.0.0"  # which leads here, and is no loopback address
    try:
        with (
            contextlib.closing(Engine(f"tcp://{host}:{server.server_port}")) as engine,
            pytest.raises(BuildError, match="the push was refused") as raised,
        ):
            engine.push("r.invalid/x:1", print)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [header is not None for header in sent] == [here]
    assert ("docker login" in raised.value.fix) is cure


ID = "sha256:" + "a" * 64


def test_a_build_log_gives_whole_lines_and_the_id() -> None:
    lines: list[str] = []
    log = BuildLog(lines.append)
    for event in (
        {"stream": "Step 1/2 : FROM x\n"},
        {"stream": "par"},
        {"stream": "tial\nnext"},
        {"status": "Pulling", "id": "layer", "progressDetail": {"current": 1}},
        {"status": "Pull complete", "id": "layer", "progressDetail": {}},
        {"aux": {"ID": ID}},
    ):
        log.add(event)
    assert log.image_id() == ID
    assert lines == ["Step 1/2 : FROM x", "partial", "next", "layer Pull complete"]


def test_the_builder_s_own_bookkeeping_is_no_news() -> None:
    lines: list[str] = []
    log = BuildLog(lines.append)
    log.add({"stream": "Step 1/2 : FROM x\n ---> cb4db65098b5\nStep 2/2 : RUN y\n"})
    log.add({"stream": " ---> Running in ed6c80a0484f\nhello\n ---> Using cache\n"})
    log.add({"stream": "Removing intermediate container ed6c80a0484f\n"})
    log.add({"aux": {"ID": ID}, "stream": "Successfully built e36961372be6\n"})
    assert lines == ["Step 1/2 : FROM x", "Step 2/2 : RUN y", "hello", " ---> Using cache"]
    with pytest.raises(BuildError) as raised:
        log.add({"error": "it broke"})
    assert "Running in ed6c80a0484f" in raised.value.fix


def test_a_failed_build_names_the_step_and_keeps_the_last_lines() -> None:
    log = BuildLog(lambda line: None)
    log.add({"stream": "Step 2/2 : RUN x\n"})
    for number in range(100):
        log.add({"stream": f"line {number}\n"})
    with pytest.raises(BuildError, match="at Step 2/2 : RUN x: it broke") as raised:
        log.add({"error": "it broke", "errorDetail": {}})
    assert "line 99" in raised.value.fix
    assert "line 10\n" not in raised.value.fix


def test_a_stream_that_ends_early_is_no_success() -> None:
    with pytest.raises(BuildError, match="without a result"):
        BuildLog(lambda line: None).image_id()


def test_endless_output_without_a_line_end_is_cut() -> None:
    lines: list[str] = []
    log = BuildLog(lines.append)
    for _ in range(100):
        log.add({"stream": "x" * 1000})
    assert max(map(len, lines)) <= 2000


class Answering(http.server.ThreadingHTTPServer):
    """An engine of the test's own: what it answers to everything but `/version`."""

    daemon_threads = True

    def __init__(self, body: bytes, head: str = "") -> None:
        self.body, self.head = body, head
        super().__init__(("127.0.0.1", 0), _Answers)

    def handle_error(self, *_: object) -> None:
        """A client that has gone away is what these tests are about."""


class _Answers(http.server.BaseHTTPRequestHandler):
    server: Answering

    def do_GET(self) -> None:
        version = b'{"ApiVersion": "1.43", "Os": "linux", "Arch": "amd64"}'
        body, head = self.server.body, self.server.head
        if self.path.endswith("/version"):
            body, head = version, ""
        head = head or f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n"
        self.wfile.write(f"{head}\r\n".encode() + body)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextlib.contextmanager
def answering(body: object, head: str = "", timeout: float = 5) -> Iterator[Engine]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    server = Answering(data, head)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    address = f"tcp://127.0.0.1:{server.server_port}"
    try:
        with contextlib.closing(Engine(address, timeout)) as engine:
            yield engine
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


IMAGE = {"Id": "sha256:a", "RepoTags": ["a:1"], "Labels": {"b": "c"}, "Created": 1}


@pytest.mark.parametrize("wrong", [5, True, 1.5, "x", [1], [None], {"a": 1}, 10**30])
@pytest.mark.parametrize("place", ["", *IMAGE])
def test_an_answer_of_any_form_is_read_or_refused(place: str, wrong: Any) -> None:
    body = [{**IMAGE, place: wrong} if place else wrong]
    with answering(body) as engine:
        try:
            (found,) = engine.list_images({})
        except ProviderError:
            return
    assert isinstance(found.id, str)
    assert all(isinstance(tag, str) for tag in found.tags)
    assert all(isinstance(label, str) for label in found.labels.values())
    made_at(found.created)


@pytest.mark.parametrize("body", [5, [], {}, {"Id": 5}, {"Id": "a", "Config": {"Labels": [1]}}])
def test_an_image_of_another_form_is_refused(body: Any) -> None:
    with answering(body) as engine, pytest.raises(ProviderError, match="not documented"):
        engine.inspect("a:1")


def test_an_answer_that_is_no_json_or_too_deep_is_refused() -> None:
    with answering(b"nothing") as engine, pytest.raises(ProviderError, match="no JSON"):
        engine.list_images({})
    with answering(b"[" * 100_000) as engine, pytest.raises(ProviderError, match="not documented"):
        engine.list_images({})


def test_an_answer_without_end_is_cut_off() -> None:
    with (
        answering(b" " * (65 << 20), "HTTP/1.0 200 OK\r\n") as engine,
        pytest.raises(UnreachableError, match="more than 64 MiB"),
    ):
        engine.list_images({})


def test_a_packed_answer_is_not_unpacked() -> None:
    head = "HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n"
    with (
        answering(gzip.compress(b"[]"), head) as engine,
        pytest.raises(UnreachableError, match="packed"),
    ):
        engine.list_images({})


def test_a_login_follows_no_redirect() -> None:
    head = "HTTP/1.0 307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/\r\n"
    with answering(b"", head) as engine, pytest.raises(UnreachableError, match="leads elsewhere"):
        engine.list_images({})
