"""Requests that are no HTTP, or hardly: an answer or an end of the connection, and nothing shown.

Sent over raw sockets, since clients refuse to. Each carries the token of a login; neither the token
nor a traceback may reach the log, standard error or an answer.
"""

from __future__ import annotations

import json
import logging
import re
import select
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.sandbox.conftest import Running

SECRET = "hunter2-hunter2"
AUTHORIZATION = f"Authorization: Bearer {SECRET}".encode()
CLUSTERS = b"/api/v1/clusters"
ENVIRONMENTS = b"/api/v1/asset/environment"


def message(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """A request with the Authorization header first, so that a parser meets it."""
    return b"\r\n".join(
        [line, AUTHORIZATION, b"Host: x", *headers, b"Connection: close", b"", body]
    )


def post(*headers: bytes, body: bytes = b"", path: bytes = ENVIRONMENTS) -> bytes:
    return message(b"POST " + path + b" HTTP/1.1", *headers, body=body)


# ruff: noqa: E501
# What the server must refuse, with a status; None where any answer or none will do.
CASES: dict[str, tuple[bytes, int | None]] = {
    "NUL in a header": (message(b"GET / HTTP/1.1", b"X: a\0b"), 400),
    "NUL in the token": (b"GET / HTTP/1.1\r\n" + AUTHORIZATION + b"\0\r\n\r\n", 400),
    "line feed in the token": (b"GET / HTTP/1.1\r\n" + AUTHORIZATION + b"\nx\r\n\r\n", 400),
    "a header's name with a blank": (message(b"GET / HTTP/1.1", b"X Y: a"), 400),
    "a header without a colon": (message(b"GET / HTTP/1.1", b"nonsense"), 400),
    "an empty header name": (message(b"GET / HTTP/1.1", b": a"), 400),
    "a folded header": (message(b"GET / HTTP/1.1", b"X: a", b" b"), None),
    "bytes that are no UTF-8": (message(b"GET / HTTP/1.1", b"X: \xff\xfe"), None),
    "a token that is no UTF-8": (b"GET / HTTP/1.1\r\nHost: x\r\n" + AUTHORIZATION + b"\xff\r\nConnection: close\r\n\r\n", 401),
    "an oversized header": (message(b"GET / HTTP/1.1", b"X: " + b"a" * 100_000), 400),
    "oversized in all": (message(b"GET / HTTP/1.1", *(b"X%d: " % i + b"a" * 8000 for i in range(200))), None),
    "an oversized path": (message(b"GET /" + b"a" * 100_000 + b" HTTP/1.1"), 400),
    "no request line": (b"\r\n\r\n" + AUTHORIZATION + b"\r\n\r\n", 400),
    "a request line of one word": (message(b"GET"), 400),
    "a request line of four words": (message(b"GET / / HTTP/1.1"), 400),
    "an unknown version": (message(b"GET / HTTP/9.9"), 400),
    "no version": (message(b"GET /"), None),
    "HTTP/1.0": (message(b"GET " + CLUSTERS + b" HTTP/1.0"), 401),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + AUTHORIZATION + b"\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a lower-case method": (message(b"get / HTTP/1.1"), None),
    "a method of signs": (message(b"G@T / HTTP/1.1"), 400),
    "an odd method": (message(b"BREW " + CLUSTERS + b" HTTP/1.1"), None),
    "HEAD": (message(b"HEAD " + CLUSTERS + b" HTTP/1.1"), 401),
    "OPTIONS": (message(b"OPTIONS * HTTP/1.1"), None),
    "TRACE": (message(b"TRACE " + CLUSTERS + b" HTTP/1.1"), 401),
    "CONNECT": (message(b"CONNECT example.com:443 HTTP/1.1"), None),
    "an upgrade": (message(b"GET / HTTP/1.1", b"Connection: upgrade", b"Upgrade: h2c"), None),
    "a path that is no UTF-8": (message(b"GET /\xff\xfe HTTP/1.1"), None),
    "percent signs alone": (message(b"GET /api/%/%zz/%f HTTP/1.1"), None),
    "an escaped path that is no UTF-8": (message(b"GET /api/%ff%fe?a=%ff HTTP/1.1"), 401),
    "an escaped line feed": (message(b"GET /%0d%0aX:%20y HTTP/1.1"), 401),
    "dots": (message(b"GET /../../etc/passwd HTTP/1.1"), 401),
    "another origin": (message(b"GET http://[::1/ HTTP/1.1"), None),
    "an absolute URL": (message(b"GET http://user:pw@x" + CLUSTERS + b" HTTP/1.1"), None),
    "a port that is none": (message(b"GET http://x:99999/ HTTP/1.1"), None),
    "a fragment": (message(b"GET /#x HTTP/1.1"), None),
    "a length that is no number": (post(b"Content-Length: many"), 400),
    "a negative length": (post(b"Content-Length: -1"), 400),
    "a length with a sign": (post(b"Content-Length: +1", body=b"x"), 400),
    "two lengths": (post(b"Content-Length: 1", b"Content-Length: 2", body=b"xx"), 400),
    "a length and chunks": (post(b"Content-Length: 1", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    "a huge length": (post(b"Content-Length: 99999999999999999999", body=b"x"), None),
    "a body that ends early": (post(b"Content-Length: 10", body=b"x"), None),
    "chunks of no size": (post(b"Transfer-Encoding: chunked", body=b"zz\r\nx\r\n0\r\n\r\n"), None),
    "a chunk that is too long": (post(b"Transfer-Encoding: chunked", body=b"2\r\nxyz\r\n0\r\n\r\n"), None),
    "chunks without an end": (post(b"Transfer-Encoding: chunked", body=b"2\r\nxy\r\n"), None),
    "an unknown coding": (post(b"Transfer-Encoding: gzip, x", body=b"x"), None),
    "a broken compression": (post(b"Content-Encoding: gzip", b"Content-Length: 4", body=b"abcd"), None),
    "an expectation": (post(b"Expect: miracles", b"Content-Length: 0"), None),
    "a null origin form": (message(b"GET \0 HTTP/1.1"), 400),
}  # fmt: skip


def exchange(running: Running, data: bytes, *, whole: bool = False) -> bytes:
    """Send, and read to the end; nothing if the server just closes.

    A request that is not `whole` may leave the server waiting for more. It learns that nothing
    follows; how long it has had to answer until then decides no test.
    """
    host, _, port = running.endpoint.base_url.rpartition("/")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        answer = b""
        try:
            connection.sendall(data)
            if not whole:
                if select.select([connection], [], [], 0.02)[0]:
                    answer += connection.recv(65536)
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionError:
            pass  # closed before all was sent, or with something unread
        return answer


def check(running: Running, data: bytes, log: pytest.LogCaptureFixture, status: int | None) -> None:
    answer = exchange(running, data, whole=status is not None)
    assert SECRET.encode() not in answer
    assert SECRET not in log.text
    assert "Traceback" not in log.text
    assert not [each for each in log.records if each.levelno >= logging.WARNING], log.text
    if status is not None:
        assert re.match(rb"HTTP/1\.[01] %d " % status, answer), answer
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"application/json" in head
        if not data.startswith(b"HEAD"):
            assert json.loads(body)["code"] == status


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level("DEBUG")
    yield caplog
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("case", CASES)
def test_malformed_requests(
    sandbox: Running, quiet: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], case: str
) -> None:
    data, status = CASES[case]
    check(sandbox, data, quiet, status)
    assert sandbox.http.send("GET", CLUSTERS.decode()).status == 200
    shown = "".join(capfd.readouterr())
    assert SECRET not in shown
    assert "Traceback" not in shown


def test_malformed_bodies_of_a_logged_in_client(
    sandbox: Running, quiet: pytest.LogCaptureFixture
) -> None:
    token = sandbox.http.token.encode()
    for name, (data, _) in CASES.items():
        right = data.replace(SECRET.encode(), token)
        answer = exchange(sandbox, right)
        assert b" 500 " not in answer[:20], (name, answer)
        assert token not in answer
    assert sandbox.http.token not in quiet.text
    assert not [each for each in quiet.records if each.levelno >= logging.WARNING], quiet.text


def mutated() -> st.SearchStrategy[bytes]:
    """A right request in which some stretches are replaced by arbitrary bytes."""
    right = post(b"Content-Length: 2", body=b"{}")
    edits = st.lists(
        st.tuples(st.integers(0, len(right)), st.integers(0, 12), st.binary(max_size=8)),
        min_size=1,
        max_size=4,
    )

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        data = right
        for start, length, new in changes:
            data = data[:start] + new + data[start + length :]
        return data

    return st.one_of(edits.map(apply), st.binary(max_size=200))


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,  # as the fuzzer of manifests: the same in every run
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(mutated())
@example(b"")
@example(b"\r\n")
def test_bytes_at_random(sandbox: Running, quiet: pytest.LogCaptureFixture, data: bytes) -> None:
    quiet.clear()
    answer = exchange(sandbox, data)
    assert answer == b"" or answer.startswith(b"HTTP/")  # in the version that was asked in
    assert b" 500 " not in answer[:20]
    assert SECRET.encode() not in answer
    assert SECRET not in quiet.text
    assert not [each for each in quiet.records if each.levelno >= logging.WARNING], quiet.text
