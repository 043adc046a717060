"""Registries that answer badly, or with what our own builds never push."""

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from reconciler.config.proxies import proxies_of
from reconciler.errors import AccessError, ProviderError, UnreachableError
from reconciler.providers.docker.login import Login, find_login
from reconciler.providers.docker.registry import INDEXES, OCI_MANIFEST, Manifest, Registries
from reconciler.providers.docker.registry_http import Connection
from reconciler.rayfine.image.reference import ImageReference, parse_reference
from reconciler.support.hosts import is_loopback

CONFIG = b'{"config": {"Labels": {"a": "b"}}}'
CONFIG_DIGEST = "sha256:" + hashlib.sha256(CONFIG).hexdigest()
IMAGE = json.dumps({"config": {"digest": CONFIG_DIGEST}}).encode()

Reply: TypeAlias = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class Scripted(http.server.BaseHTTPRequestHandler):
    """Answers from a table: (method, end of path) -> (status, headers, body)."""

    table: dict[tuple[str, str], Reply]
    seen: list[tuple[str, str, str | None, bytes]]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path, self.headers.get("Authorization"), body))
        for (method, end), reply in self.table.items():
            if method == self.command and self.path.partition("?")[0].endswith(end):
                status, headers, data = reply
                break
        else:
            status, headers, data = 404, {}, b""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value.replace("HERE", self.headers["Host"]))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815  (names of http.server)

    def log_message(self, *words: object) -> None:
        pass


ScriptedRegistry: TypeAlias = tuple[type[Scripted], Registries, ImageReference]


@pytest.fixture
def scripted() -> Iterator[ScriptedRegistry]:
    Scripted.table, Scripted.seen = {}, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    reference = parse_reference(f"127.0.0.1:{server.server_address[1]}/team/x:v1")
    with contextlib.closing(Registries(Connection(login=lambda _: None))) as registries:
        yield Scripted, registries, reference
    server.shutdown()
    thread.join()
    server.server_close()


def test_absent_is_only_a_definite_not_found(scripted: ScriptedRegistry) -> None:
    server, registries, reference = scripted
    assert registries.digest(reference) is None
    assert registries.manifest(reference) is None
    errors = json.dumps({"errors": [{"code": "DENIED", "message": "no"}]}).encode()
    for status, kind, text in (
        (403, AccessError, "DENIED: no"),
        (401, AccessError, "docker login"),
        (500, UnreachableError, "HTTP 500"),
        (400, ProviderError, "HTTP 400"),
    ):
        server.table = {("GET", "v1"): (status, {}, errors if status == 403 else b"oops")}
        with pytest.raises(kind, match=text):
            registries.manifest(reference)


def test_a_digest_is_computed_where_the_registry_does_not_tell(scripted: ScriptedRegistry) -> None:
    server, registries, reference = scripted
    server.table = {("HEAD", "v1"): (200, {}, b""), ("GET", "v1"): (200, {}, IMAGE)}
    assert registries.digest(reference) == "sha256:" + hashlib.sha256(IMAGE).hexdigest()


def test_what_does_not_have_its_digest_is_refused(scripted: ScriptedRegistry) -> None:
    server, registries, reference = scripted
    manifest = Manifest("sha256:x", OCI_MANIFEST, IMAGE)
    server.table = {("GET", CONFIG_DIGEST): (200, {}, CONFIG)}
    assert registries.config(reference, manifest)["config"]["Labels"] == {"a": "b"}
    server.table = {("GET", CONFIG_DIGEST): (200, {}, CONFIG + b" ")}
    with pytest.raises(ProviderError, match="digest"):
        registries.config(reference, manifest)
    server.table = {("GET", "sha256:" + "0" * 64): (200, {}, IMAGE)}
    with pytest.raises(ProviderError, match="digest"):
        registries.manifest(reference._replace(digest="sha256:" + "0" * 64))


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"manifests": []}', b'{"config": {"digest": "../x"}}']
)
def test_an_index_or_nonsense_has_no_configuration(scripted: ScriptedRegistry, data: bytes) -> None:
    _, registries, reference = scripted
    assert registries.config(reference, Manifest("sha256:x", INDEXES[0], data)) == {}


@pytest.mark.parametrize(
    "place",
    [
        "http://elsewhere/x",
        "https://HERE/x",
        "http://joe@HERE/x",
        "http://e.org\\@HERE/x",
        "http://[",
    ],
)
def test_an_upload_never_leaves_the_registry(scripted: ScriptedRegistry, place: str) -> None:
    server, registries, reference = scripted
    server.table = {("POST", "uploads/"): (202, {"Location": place}, b"")}
    with pytest.raises(ProviderError, match="another host"):
        registries.put_blob(reference, b"x")
    assert [method for method, *_ in server.seen if method == "PUT"] == []


def test_a_blob_is_uploaded_where_the_registry_says(scripted: ScriptedRegistry) -> None:
    server, registries, reference = scripted
    server.table = {
        ("POST", "uploads/"): (202, {"Location": "/v2/up/1?state=s"}, b""),
        ("PUT", "/v2/up/1"): (201, {}, b""),
    }
    digest = registries.put_blob(reference, b"x")
    assert server.seen[-1][1] == f"/v2/up/1?state=s&digest={digest.replace(':', '%3A')}"


def test_credentials_go_to_no_unsafe_login_service(scripted: ScriptedRegistry) -> None:
    server, _, reference = scripted
    challenge = {"WWW-Authenticate": 'Bearer realm="http://example.org/token",service="s"'}
    server.table = {("GET", "v1"): (401, challenge, b"")}
    login = Login("joe", "secret-pw")
    with (
        contextlib.closing(Registries(Connection(login=lambda _: login))) as registries,
        pytest.raises(ProviderError, match="unsafe login") as raised,
    ):
        registries.manifest(reference)
    assert "secret-pw" not in f"{raised.value} {login!r}"


def test_a_login_service_leads_nowhere_else(scripted: ScriptedRegistry) -> None:
    """What another address answers, a metadata service say, would go to the registry."""
    server, registries, reference = scripted
    challenge = {"WWW-Authenticate": 'Bearer realm="http://HERE/token",service="s"'}
    server.table = {
        ("GET", "v1"): (401, challenge, b""),
        ("GET", "token"): (302, {"Location": "http://HERE/internal"}, b""),
        ("GET", "internal"): (200, {}, b'{"access_token": "INTERNAL"}'),
    }
    with pytest.raises(ProviderError, match="HTTP 302"):
        registries.manifest(reference)
    assert not [path for _, path, _, _ in server.seen if "internal" in path]


def test_a_read_is_followed_without_the_login(scripted: ScriptedRegistry) -> None:
    server, _, reference = scripted
    other = reference.host.replace("127.0.0.1", "localhost")
    server.table = {
        ("GET", "v1"): (200, {"Content-Type": OCI_MANIFEST}, IMAGE),
        ("GET", f"blobs/{CONFIG_DIGEST}"): (307, {"Location": f"http://{other}/store/1"}, b""),
        ("GET", "store/1"): (302, {"Location": "/store/2"}, b""),
        ("GET", "store/2"): (200, {}, CONFIG),
    }
    login = Login("joe", "secret-pw")
    server.table[("GET", "v2/")] = (200, {}, b"")
    with contextlib.closing(Registries(Connection(login=lambda _: login))) as registries:
        found = registries.manifest(reference)
        assert found is not None
        assert registries.config(reference, found)
    places = [(path, authorised) for _, path, authorised, _ in server.seen]
    assert ("/store/2", None) in places


@pytest.mark.parametrize(
    ("place", "words"),
    [("http://192.0.2.1/latest", "unsafe address"), ("/v2/team/x/manifests/v1", "more than 4")],
)
def test_a_read_does_not_lead_anywhere(scripted: ScriptedRegistry, place: str, words: str) -> None:
    server, registries, reference = scripted
    server.table = {
        ("HEAD", "v1"): (302, {"Location": place}, b""),
        ("GET", "v1"): (302, {"Location": place}, b""),
    }
    with pytest.raises(ProviderError, match=words):
        registries.manifest(reference)


@pytest.mark.parametrize(
    ("status", "body", "fine"), [(200, b'{"access_token": "T"}', True), (403, b"no", False)]
)
def test_an_identity_token_is_exchanged(
    scripted: ScriptedRegistry, status: int, body: bytes, fine: bool
) -> None:
    server, _, reference = scripted
    challenge = {"WWW-Authenticate": 'Bearer realm="http://HERE/token",service="s"'}
    server.table = {("GET", "v1"): (401, challenge, b""), ("POST", "/token"): (status, {}, body)}
    with (
        contextlib.closing(
            Registries(Connection(login=lambda _: Login(identity_token="identity")))
        ) as registries,
        pytest.raises(AccessError),
    ):
        registries.manifest(reference)
    sent = [item for item in server.seen if item[0] == "POST"]
    assert b"refresh_token=identity" in sent[0][3]
    assert (server.seen[-1][2] == "Bearer T") is fine


@pytest.mark.parametrize("stated", [True, False])
def test_a_proxy_leads_to_registries_as_to_the_control_plane(stated: bool) -> None:
    """The target's own goes first; without one, HTTPS_PROXY counts."""
    asked: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append((self.path, self.headers.get("proxy-authorization")))
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    url = f"http://us%40er:secret-pw@127.0.0.1:{server.server_port}"
    nowhere = "http://127.0.0.1:1"
    proxies = proxies_of({"HTTPS_PROXY": nowhere if stated else url}, url if stated else None)
    connection = Connection(login=lambda _: None, proxies=proxies, timeout=5)
    try:
        with (
            contextlib.closing(Registries(connection)) as registries,
            pytest.raises(UnreachableError) as raised,
        ):
            registries.manifest(parse_reference("registry.invalid/app:1"))
        assert "secret-pw" not in str(raised.value)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert set(asked) == {("registry.invalid:443", "Basic dXNAZXI6c2VjcmV0LXB3")}


def test_only_loopback_may_do_without_tls() -> None:
    assert all(map(is_loopback, ("localhost:5000", "127.0.0.1", "127.9.9.9:1", "[::1]:5000")))
    assert not any(map(is_loopback, ("127.0.0.1.evil.org", "localhost.evil.org:80", "10.0.0.1")))


@pytest.mark.filterwarnings("ignore:docker-credential-not-installed")
def test_a_broken_credential_helper_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"credHelpers": {"a.b": "not-installed"}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(AccessError, match="gives no login"):
        find_login("a.b")
    assert find_login("c.d") is None
