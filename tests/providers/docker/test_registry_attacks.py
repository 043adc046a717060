"""Registries that are after a login, after time or after memory."""

import contextlib
import gzip
import http.server
import json
import socket
import ssl
import subprocess
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import AccessError, ProviderError, UnreachableError
from reconciler.providers.docker.login import Login
from reconciler.providers.docker.registry import OCI_MANIFEST, Registries
from reconciler.providers.docker.registry_http import Ask, Connection
from reconciler.rayfine.image.reference import parse_reference
from tests.providers.docker.test_registry import CONFIG_DIGEST, IMAGE, Reply, Scripted

LOGIN = Login("joe", "secret-pw")


@dataclass
class Server:
    """A running one: what it was asked, and what it answers."""

    port: int
    handler: type[Scripted]

    @property
    def seen(self) -> list[tuple[str, str, str | None, bytes]]:
        return self.handler.seen


@contextlib.contextmanager
def serving(table: dict[tuple[str, str], Reply], pair: Path | None = None) -> Iterator[Server]:
    """A registry on loopback that answers from a table, with TLS where there is a certificate."""

    class Handler(Scripted):
        pass

    Handler.table, Handler.seen = table, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Server(server.server_port, Handler)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A certificate for localhost and its key in one file."""
    path = tmp_path / "pair.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    words = ("openssl", "req", "-x509", *kind, *subject, "-keyout", str(path), "-out", "cert.pem")
    subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
    with path.open("a") as stream:
        stream.write((tmp_path / "cert.pem").read_text())
    return path


def connected(pair: Path | None = None, timeout: float = 5, **more: Any) -> Registries:
    link = Connection(ca_bundle=pair, timeout=timeout, login=lambda _: LOGIN, **more)
    return Registries(link)


def test_an_upload_does_not_go_on_without_tls(pair: Path) -> None:
    """A registry behind a proxy that ends TLS answers with the scheme that it sees: http."""
    table: dict[tuple[str, str], Reply] = {
        ("GET", "/v2/"): (200, {}, b""),
        ("POST", "uploads/"): (202, {"Location": "http://HERE/v2/up/1"}, b""),
        ("PUT", "up/1"): (201, {}, b""),
    }
    with serving(table, pair) as server, contextlib.closing(connected(pair)) as registries:
        reference = parse_reference(f"localhost:{server.port}/team/x:v1")
        with pytest.raises(ProviderError, match=r"without TLS: .http://localhost"):
            registries.put_blob(reference, b"x")
        table["POST", "uploads/"] = (202, {"Location": "https://HERE/v2/up/1"}, b"")
        registries.put_blob(reference, b"x")
        assert [method for method, *_ in server.seen] == ["GET", "POST", "POST", "PUT"]


def test_only_the_registry_may_ask_for_its_login() -> None:
    """Where a read leads, somebody else may ask for it, and name a service of their own."""
    thief: dict[tuple[str, str], Reply] = {("GET", "token"): (200, {}, b'{"token": "T"}')}
    with serving(thief) as other, contextlib.closing(connected()) as registries:
        realm = f'Bearer realm="http://localhost:{other.port}/token",service="s"'
        thief["GET", "blob"] = (401, {"WWW-Authenticate": realm}, b"")
        leads = {"Location": f"http://localhost:{other.port}/blob"}
        table: dict[tuple[str, str], Reply] = {
            ("GET", "v1"): (200, {"Content-Type": OCI_MANIFEST}, IMAGE),
            ("GET", CONFIG_DIGEST): (307, leads, b""),
        }
        with serving(table) as server:
            reference = parse_reference(f"127.0.0.1:{server.port}/team/x:v1")
            found = registries.manifest(reference)
            assert found is not None
            with pytest.raises(AccessError):
                registries.config(reference, found)
        assert [path for _, path, _, _ in other.seen if "token" in path] == []
        assert not any(authorised for _, _, authorised, _ in other.seen)


@pytest.mark.parametrize(
    "realm", ["http://e.org\\@127.0.0.1/t", "http://u:p@127.0.0.1/t", "http://127.0.0.1 /t"]
)
def test_an_address_that_parsers_read_differently_gets_no_login(realm: str) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'}
    with (
        serving({("GET", "v1"): (401, challenge, b"")}) as server,
        contextlib.closing(connected()) as registries,
        pytest.raises(ProviderError, match="unsafe login service"),
    ):
        registries.manifest(parse_reference(f"127.0.0.1:{server.port}/team/x:v1"))


def test_nothing_goes_unencrypted_whoever_asks() -> None:
    with (
        contextlib.closing(connected()) as registries,
        pytest.raises(ProviderError, match="unsafe address"),
    ):
        registries._http._send(Ask("GET", "http://192.0.2.1/v2/"))


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("end", ["v1", "token"])
def test_logging_in_is_the_cure_only_for_a_refused_login(status: int, end: str) -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="http://HERE/token",service="s"'}
    table: dict[tuple[str, str], Reply] = {
        ("GET", "v1"): (401, challenge, b""),
        ("GET", end): (status, {}, b"x" * 200_000),
    }
    with serving(table) as server, contextlib.closing(connected()) as registries:
        reference = parse_reference(f"127.0.0.1:{server.port}/team/x:v1")
        with pytest.raises(UnreachableError, match=f"HTTP {status}") as raised:
            registries.manifest(reference)
        assert "docker login" not in str(raised.value)
        table["GET", end] = (403, {}, b"")
        with pytest.raises(AccessError, match="docker login"):
            registries.manifest(reference)


def test_a_pause_is_capped_whatever_the_registry_asks_for() -> None:
    slept: list[float] = []
    table = {("GET", "v1"): (503, {"Retry-After": "86400"}, b"")}
    with (
        serving(table) as server,
        contextlib.closing(connected(wait=slept.append)) as registries,
        pytest.raises(UnreachableError, match="HTTP 503"),
    ):
        registries.manifest(parse_reference(f"127.0.0.1:{server.port}/team/x:v1"))
    assert slept == [10.0, 10.0, 10.0]


def status_line(send: Callable[[bytes], object]) -> None:
    send(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        send(b"y")


def endless_continue(send: Callable[[bytes], object]) -> None:
    while True:
        send(b"HTTP/1.1 100 Continue\r\n\r\n")


def body(send: Callable[[bytes], object]) -> None:
    send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        send(b"x")


@pytest.mark.parametrize("drip", [status_line, endless_continue, body])
def test_a_dripping_answer_has_one_time_limit(
    drip: Callable[[Callable[[bytes], object]], None],
) -> None:
    """Ten times the limit of one pause, however the pieces come; without it, this never ends."""
    ended = threading.Event()

    def talk(listener: socket.socket) -> None:
        while not ended.is_set():
            link, _ = listener.accept()
            with link, contextlib.suppress(OSError):
                link.recv(65_536)

                def send(data: bytes, link: socket.socket = link) -> None:
                    if ended.wait(0.02):
                        raise OSError
                    link.sendall(data)

                drip(send)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=talk, args=(listener,))
        thread.start()
        try:
            ask = Ask("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/v2/")
            with (
                contextlib.closing(connected(timeout=0.5)) as registries,
                pytest.raises(UnreachableError, match=r"takes more than 5 s|timed out"),
            ):
                registries._http._send(ask)
        finally:
            ended.set()
            with contextlib.suppress(OSError):
                socket.create_connection(listener.getsockname()).close()
            thread.join()


def test_a_packed_answer_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    table = {("GET", "v1"): (200, {"Content-Encoding": "gzip"}, bomb)}
    with serving(table) as server, contextlib.closing(connected()) as registries:
        reference = parse_reference(f"127.0.0.1:{server.port}/team/x:v1")
        tracemalloc.start()
        try:
            with pytest.raises(ProviderError, match="packed"):
                registries.manifest(reference)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


def test_an_answer_that_is_cut_short_is_none() -> None:
    """Half of a manifest would pass for one without our labels."""
    headers = {"Content-Type": OCI_MANIFEST, "Content-Length": str(len(IMAGE))}
    with (
        serving({("GET", "v1"): (200, headers, IMAGE)}) as server,
        contextlib.closing(connected()) as registries,
    ):
        reference = parse_reference(f"127.0.0.1:{server.port}/team/x:v1")
        assert registries.manifest(reference) is not None

        def answer(self: Scripted) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(IMAGE)))
            self.end_headers()
            self.wfile.write(IMAGE[:-5])
            self.close_connection = True

        server.handler.do_GET = answer
        with pytest.raises(UnreachableError, match="IncompleteRead"):
            registries.manifest(reference)


def test_what_a_registry_says_is_cut() -> None:
    said = {"errors": [{"code": "DENIED", "message": "z" * 200_000}]}
    with (
        serving({("GET", "v1"): (400, {}, json.dumps(said).encode())}) as server,
        contextlib.closing(connected()) as registries,
        pytest.raises(ProviderError, match="more characters") as raised,
    ):
        registries.manifest(parse_reference(f"127.0.0.1:{server.port}/team/x:v1"))
    assert len(str(raised.value)) < 2000
