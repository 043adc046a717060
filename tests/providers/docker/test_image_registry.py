"""Pushed images: the registry is the live state, with and without a login, from an empty engine."""

import base64
import contextlib
import http.server
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from reconciler.core.outcome import Outcome, Status
from reconciler.core.resource import Resource
from reconciler.errors import AccessError, UnreachableError
from reconciler.providers.docker.lock import check_lock, resolve_reference, update_lock
from reconciler.providers.docker.login import Login
from reconciler.providers.docker.registry import Registries
from reconciler.providers.docker.registry_http import Connection
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.image.build_input import Surroundings
from reconciler.rayfine.image.lockfile import LockFile
from reconciler.rayfine.image.reference import parse_reference
from tests.providers.docker.conftest import Bench, running_registry

pytestmark = pytest.mark.docker


class Pushed(Protocol):
    """Makes the manifest of a pushed image."""

    def __call__(self, tag: str = "v1", **spec: Any) -> Resource: ...


@pytest.fixture
def pushed(bench: Bench, registry: str) -> Pushed:
    def image(tag: str = "v1", **spec: Any) -> Resource:
        return bench.image(tag=f"{registry}/{bench.prefix}/env:{tag}", push=True, **spec)

    bench.environment()
    return image


def good(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    assert {(item.status, item.message) for item in outcomes} <= {(Status.APPLIED, "")}
    return outcomes


def forget(bench: Bench) -> None:
    """Make the engine an empty one, as far as we are concerned."""
    bench.clean_up()
    assert bench.tags() == set()


def unchanged(bench: Bench, image: Resource) -> None:
    assert bench.changes(image) == {"RayfineImage.env": ("unchanged", [], None)}


def test_a_pushed_image_is_known_by_the_registry_alone(bench: Bench, pushed: Pushed) -> None:
    image = pushed()
    assert bench.changes(image)["RayfineImage.env"][0] == "create"
    good(bench.apply(image))
    unchanged(bench, image)
    forget(bench)
    unchanged(bench, image)


def test_no_engine_is_needed_to_see_no_change(bench: Bench, pushed: Pushed) -> None:
    good(bench.apply(pushed()))
    with contextlib.closing(Engine("tcp://127.0.0.1:9")) as nowhere:
        bench.engine, real = nowhere, bench.engine
        unchanged(bench, pushed())
        provider = bench.provider()
        provider.resolve([])
        with pytest.raises(UnreachableError):
            provider.read()
        bench.engine = real


def test_a_change_is_built_pushed_and_gone_back_from_without_a_build(
    bench: Bench, pushed: Pushed
) -> None:
    image = pushed()
    (first,) = good(bench.apply(image))
    (bench.root / "env" / "data.txt").write_text("x")
    assert bench.changes(image)["RayfineImage.env"] == ("update", ['context["data.txt"]'], None)
    (second,) = good(bench.apply(image))
    assert first.uid != second.uid
    (bench.root / "env" / "data.txt").unlink()
    forget(bench)
    bench.observer.lines.clear()
    (third,) = good(bench.apply(image))
    assert third.uid == first.uid
    assert bench.observer.lines == []
    assert bench.tags() == set()


def test_protection_is_written_in_the_registry_without_a_build(
    bench: Bench, pushed: Pushed
) -> None:
    good(bench.apply(pushed()))
    forget(bench)
    image = pushed(protect=True)
    assert bench.changes(image) == {"RayfineImage.env": ("update", ["metadata.protect"], None)}
    bench.observer.lines.clear()
    good(bench.apply(image))
    assert bench.observer.lines == []
    unchanged(bench, image)
    tag = image.spec["tag"]
    assert bench.docker("run", "--rm", tag, "x", check=False) == ""  # it can be pulled
    assert '"io.reconciler.protect":"true"' in bench.docker(
        "image", "inspect", "-f", "{{json .Config.Labels}}", tag
    )


def test_pushing_an_image_that_was_not_names_push_alone(bench: Bench, registry: str) -> None:
    bench.environment()
    tag = f"{registry}/{bench.prefix}/env:v1"
    good(bench.apply(bench.image(tag=tag)))
    image = bench.image(tag=tag, push=True)
    assert bench.changes(image) == {"RayfineImage.env": ("update", ["push"], None)}
    good(bench.apply(image))
    unchanged(bench, image)
    assert bench.changes(bench.image(tag=tag)) == {"RayfineImage.env": ("unchanged", [], None)}


def test_a_tag_moved_in_the_registry(bench: Bench, pushed: Pushed) -> None:
    image = pushed()
    good(bench.apply(image))
    tag = image.spec["tag"]
    bench.docker("build", "-t", tag, "-", stdin=f"FROM scratch\nLABEL mine={bench.prefix}\n")
    bench.docker("push", tag)
    assert bench.changes(image)["RayfineImage.env"][::2] == ("adopt", "conflict")
    adopting = pushed(adopt=True)
    good(bench.apply(adopting))
    unchanged(bench, image)


def test_an_image_from_ours_under_the_tag_in_the_registry(bench: Bench, pushed: Pushed) -> None:
    image = pushed()
    good(bench.apply(image))
    tag = image.spec["tag"]
    bench.docker("build", "-t", tag, "-", stdin=f"FROM {tag}\nLABEL mine=1\n")
    bench.docker("push", tag)
    assert bench.changes(image)["RayfineImage.env"][::2] == ("adopt", "conflict")


def test_the_engines_copy_follows_unless_others_hold_its_tag(bench: Bench, pushed: Pushed) -> None:
    image = pushed()
    tag = image.spec["tag"]
    source = bench.root / "env" / "env.py"
    good(bench.apply(image))
    ours = bench.id_of(tag)
    source.write_text("def other(): ...\n")
    good(bench.apply(image))
    assert bench.id_of(tag) != ours
    bench.docker("build", "-t", tag, "-", stdin=f"FROM {tag}\nLABEL child=1\n")
    theirs = bench.id_of(tag)
    source.write_text("def third(): ...\n")
    good(bench.apply(image))
    unchanged(bench, image)
    assert bench.id_of(tag) == theirs


def test_removing_the_manifest_removes_local_tags_only_and_says_so(
    bench: Bench, pushed: Pushed, registry: str
) -> None:
    image = pushed()
    good(bench.apply(image))
    plan, provider = bench.plan()
    (change,) = plan.changes
    assert str(change.action) == "delete"
    assert change.live is not None
    assert "retention" in change.live.notes[0]
    good(bench.carry_out(plan, provider))
    assert bench.tags() == set()
    assert bench.registries.digest(parse_reference(image.spec["tag"])) is not None


def test_the_number_of_requests_is_constant_per_image(
    bench: Bench, pushed: Pushed, tmp_path: Path
) -> None:
    def requests() -> int:
        log = (tmp_path / "registry" / "registry.log").read_text()
        return len(re.findall(r'"(?:GET|HEAD) /v2/\S* HTTP', log))

    image = pushed()
    good(bench.apply(image))
    before = requests()
    unchanged(bench, image)
    deadline = time.monotonic() + 30
    while requests() < before + 3:  # the registry logs a request once it is answered
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert requests() == before + 3


def test_an_unreachable_registry_is_no_empty_one(bench: Bench) -> None:
    bench.environment()
    provider = bench.provider()
    provider.resolve([bench.image(tag="127.0.0.1:9/x/env:v1", push=True)])
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:9"):
        provider.read()


def docker_config(directory: Path, host: str, user: str, password: str) -> None:
    directory.mkdir(exist_ok=True)
    secret = base64.b64encode(f"{user}:{password}".encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {host: {"auth": secret}}}))


def test_a_registry_with_a_login(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.environment()
    directory = tmp_path / "locked"
    directory.mkdir()
    with running_registry(directory, {"joe": "secret-pw"}) as host:
        image = bench.image(tag=f"{host}/{bench.prefix}/env:v1", push=True)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))
        provider = bench.provider()
        provider.resolve([image])
        with pytest.raises(AccessError, match="docker login"):
            provider.read()
        docker_config(tmp_path / "wrong", host, "joe", "wrong")
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "wrong"))
        bench.registries = Registries()
        provider = bench.provider()
        provider.resolve([image])
        with pytest.raises(AccessError) as refused:
            provider.read()
        assert "wrong" not in str(refused.value).replace("wrong-", "")
        docker_config(tmp_path / "right", host, "joe", "secret-pw")
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "right"))
        bench.registries = Registries()
        good(bench.apply(image))
        unchanged(bench, image)
        forget(bench)
        unchanged(bench, image)


def test_a_credential_helper_is_asked(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "locked"
    directory.mkdir()
    helpers = tmp_path / "bin"
    helpers.mkdir()
    helper = helpers / "docker-credential-test"
    helper.write_text(
        '#!/bin/sh\ncat >/dev/null\necho \'{"Username": "joe", "Secret": "secret-pw"}\'\n'
    )
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(helpers), prepend=":")
    with running_registry(directory, {"joe": "secret-pw"}) as host:
        config = tmp_path / "config"
        config.mkdir()
        (config / "config.json").write_text(json.dumps({"credHelpers": {host: "test"}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(config))
        assert bench.registries.digest(parse_reference(f"{host}/x:y")) is None


def test_lock_pins_what_the_registry_has(bench: Bench, registry: str) -> None:
    reference = f"{registry}/{bench.prefix}/base:v1"
    bench.docker(
        "build", "-t", reference, "-", stdin=f"FROM scratch\nLABEL base=1 of={bench.prefix}\n"
    )
    bench.docker("push", reference)
    digest = resolve_reference(reference, bench.registries)
    lock = update_lock(LockFile(), [reference], bench.registries)
    assert lock.bases == {reference: digest}
    assert check_lock(lock, [reference], bench.registries) == ()
    bench.docker(
        "build", "-t", reference, "-", stdin=f"FROM scratch\nLABEL base=2 of={bench.prefix}\n"
    )
    bench.docker("push", reference)
    (change,) = check_lock(lock, [reference], bench.registries)
    assert (change.reference, change.before) == (reference, digest)
    assert change.after != digest
    with pytest.raises(Exception, match="no digest to lock"):
        resolve_reference(f"{registry}/{bench.prefix}/none:v1", bench.registries)


def test_a_locked_base_is_built_on_by_its_digest(bench: Bench, registry: str) -> None:
    reference = f"{registry}/{bench.prefix}/base:v1"
    bench.docker(
        "build", "-t", reference, "-", stdin=f"FROM scratch\nLABEL base=1 of={bench.prefix}\n"
    )
    bench.docker("push", reference)
    lock = update_lock(LockFile(), [reference], bench.registries)
    bench.docker(
        "build", "-t", reference, "-", stdin=f"FROM scratch\nLABEL base=2 of={bench.prefix}\n"
    )
    bench.docker("push", reference)
    bench.around = Surroundings(lock=lock)
    bench.environment(Dockerfile=f"FROM {reference}\nCOPY . /app/\n")
    image = bench.image()
    good(bench.apply(image))
    text = bench.docker("image", "inspect", "-f", "{{json .Config.Labels}}", bench.tag())
    labels = json.loads(text)
    assert labels["base"] == "1"
    assert labels["org.opencontainers.image.base.digest"] == lock.bases[reference]
    bench.around = Surroundings(lock=update_lock(lock, [reference], bench.registries))
    assert bench.changes(image) == {"RayfineImage.env": ("update", ["base"], None)}


class TokenRegistry(http.server.BaseHTTPRequestHandler):
    """Answers only to a bearer token, and hands one out for a password."""

    users: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        host = self.headers["Host"]
        if self.path.startswith("/token"):
            assert "scope=repository%3Ateam%2Fx%3Apull" in self.path
            kind, _, secret = self.headers.get("Authorization", "").partition(" ")
            assert kind == "Basic"
            self.users.append(base64.b64decode(secret).decode())
            self.answer(200, b'{"token": "T"}', {})
        elif self.headers.get("Authorization") == "Bearer T":
            self.answer(200, b"", {"Docker-Content-Digest": "sha256:" + "0" * 64})
        else:
            challenge = f'Bearer realm="http://{host}/token",service="s",scope="ignored"'
            self.answer(401, b"", {"WWW-Authenticate": challenge})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def registry_with_tokens() -> Iterator[tuple[str, list[str]]]:
    TokenRegistry.users = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TokenRegistry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", TokenRegistry.users
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def second_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty engine of its own; it sees the same registry on loopback."""
    place = tmp_path_factory.mktemp("engine")
    address = f"unix://{place}/docker.sock"
    bridge = f"rec{os.getpid()}"  # `--bridge=none` would delete the docker0 of the machine's engine
    subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], check=True)
    subprocess.run(["ip", "address", "add", "172.31.250.1/24", "dev", bridge], check=True)
    words = [
        "dockerd", "--host", address,
        "--data-root", f"{place}/data", "--exec-root", f"{place}/exec",
        "--pidfile", f"{place}/pid", f"--bridge={bridge}", "--iptables=false", "--ip6tables=false",
        "--storage-driver=vfs", "--log-level=error",
    ]  # fmt: skip
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        for _ in range(1200):
            with (
                contextlib.suppress(UnreachableError),
                contextlib.closing(Engine(address)) as engine,
            ):
                engine.platform()
                break
            assert process.poll() is None, (place / "log").read_text()
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()
        subprocess.run(["ip", "link", "delete", bridge], check=True)


def test_a_second_empty_engine_sees_no_changes(
    bench: Bench, pushed: Pushed, second_engine: str
) -> None:
    image = pushed()
    good(bench.apply(image))
    with contextlib.closing(Engine(second_engine)) as engine:
        bench.engine, first = engine, bench.engine
        unchanged(bench, image)
        (bench.root / "env" / "data.txt").write_text("x")
        good(bench.apply(image))
        bench.engine = first
    unchanged(bench, image)


def test_a_token_service_is_logged_in_to(registry_with_tokens: tuple[str, list[str]]) -> None:
    host, users = registry_with_tokens
    login = Login("joe", "pw")
    with contextlib.closing(Registries(Connection(login=lambda _: login))) as registries:
        assert registries.digest(parse_reference(f"{host}/team/x:v1")) == "sha256:" + "0" * 64
    assert users == ["joe:pw"]
