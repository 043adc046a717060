"""Environments on another Docker engine: a second one, over TLS, not on the address 127.0.0.1."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcileError
from reconciler.rayfine import load_env
from reconciler.rayfine.docker.connect import DockerTls, read_tls
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.errors import LoadError
from reconciler.rayfine.runtime.local_containers import publish, reach
from tests.rayfine.remote.conftest import docker
from tests.rayfine.second_engine import SecondEngine, bridge

ADDRESS = "172.31.249.1"


def openssl(*words: str, cwd: Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=cwd)


def certificates(place: Path) -> dict[str, Any]:
    """An authority, a server and a client; what the Docker SDK takes."""
    new = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca", "-subj", "/CN=ca", cwd=place)
    for name in ("server", "client"):
        (place / "ext").write_text(f"subjectAltName=IP:{ADDRESS}\nextendedKeyUsage={name}Auth\n")
        openssl(
            "req", *new, "-keyout", f"{name}.key", "-out", "csr", "-subj", f"/CN={name}", cwd=place
        )
        openssl(
            "x509", "-req", "-in", "csr", "-CA", "ca", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "ext", "-out", name, cwd=place,
        )  # fmt: skip
    return {
        "ca_cert": str(place / "ca"),
        "client_cert": (str(place / "client"), str(place / "client.key")),
        "verify": True,
    }


def wait_until_empty(there: Engine) -> None:
    """The last container of a caller that was killed is removed by its watcher."""
    deadline = time.monotonic() + 60
    while there.containers():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def second(
    image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Address and TLS settings of an engine of its own, which has the image."""
    place = tmp_path_factory.mktemp("engine")
    tls = certificates(place)
    with contextlib.closing(socket.socket()) as free, bridge(f"{ADDRESS}/24") as name:
        free.bind((ADDRESS, 0))
        engine = SecondEngine(
            place, name, f"tcp://{ADDRESS}:{free.getsockname()[1]}", "--tlsverify",
            "--tlscacert", f"{place}/ca", "--tlscert", f"{place}/server",
            "--tlskey", f"{place}/server.key",
        )  # fmt: skip
        free.close()
        engine.start(read_tls(tls))
        try:
            engine.load(image, read_tls(tls))
            yield engine.address, tls
        finally:
            engine.close()


@pytest.mark.docker
def test_an_environment_on_another_engine(image: str, second: tuple[str, dict[str, Any]]) -> None:
    address, tls = second
    with contextlib.closing(Engine(address, tls=read_tls(tls))) as there:
        with load_env(
            image, mode="remote", host=address, tls=tls, engine="process", replicas=2
        ) as env:
            env.setup(MY_KEY="canary-123456")
            assert env.evaluate(x=1)["key"] == 13
            assert sorted(item.value for item in env.map("echo", range(20))) == list(range(20))
            assert len(there.containers()) == 2
            with there.session() as client:
                ports = [item["Ports"] for item in client.containers()]
            bound = {port["IP"] for found in ports for port in found if "IP" in port}
            assert bound == {ADDRESS}
        assert there.containers() == []


@pytest.fixture(params=["DOCKER_HOST", "context"])
def ordinary(
    request: pytest.FixtureRequest,
    second: tuple[str, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That engine as the ordinary one: by variables, or by the Docker context in use."""
    address, tls = second
    files = {"ca": tls["ca_cert"], "cert": tls["client_cert"][0], "key": tls["client_cert"][1]}
    if request.param == "context":
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        words = ",".join([f"host={address}", *(f"{name}={file}" for name, file in files.items())])
        docker("context", "create", "gpu1", "--docker", words)
        docker("context", "use", "gpu1")
        return
    for name, file in files.items():
        (tmp_path / f"{name}.pem").symlink_to(file)
    monkeypatch.setenv("DOCKER_HOST", address)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))


@pytest.mark.docker
@pytest.mark.usefixtures("ordinary")
def test_the_ordinary_engine_may_be_another_machine_s(
    image: str, second: tuple[str, dict[str, Any]]
) -> None:
    address, tls = second
    with contextlib.closing(Engine(address, tls=read_tls(tls))) as there:
        with load_env(image, engine="process", timeout=30) as env:
            env.setup()
            assert env.echo(1) == 1
            with there.session() as client:
                [found] = client.containers()
            assert {port["IP"] for port in found["Ports"] if "IP" in port} == {ADDRESS}
        assert there.containers() == []
        code = (
            "import os\n"
            "from reconciler.rayfine import load_env\n"
            f"load_env({image!r}, engine='process')\n"
            "os.kill(os.getpid(), 9)\n"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
        wait_until_empty(there)


@pytest.mark.docker
@pytest.mark.usefixtures("ordinary")
def test_ray_client_is_never_published_on_a_network(image: str) -> None:
    with pytest.raises(LoadError, match="containers of this machine only") as caught:
        load_env(image, transport="ray-client")
    assert "leave transport out" in caught.value.fix


@pytest.mark.docker
def test_without_the_certificate_it_says_so(image: str, second: tuple[str, dict[str, Any]]) -> None:
    address, tls = second
    with pytest.raises(ReconcileError, match=address):
        load_env(image, mode="remote", host=address, engine="process")
    with pytest.raises(LoadError, match="there is no such image on the engine"):
        load_env("none/such:v1", mode="remote", host=address, tls=tls, engine="process")


@pytest.mark.docker
def test_a_killed_caller_leaves_nothing_there(
    image: str, second: tuple[str, dict[str, Any]]
) -> None:
    address, tls = second
    code = (
        "import os, sys\n"
        "from reconciler.rayfine import load_env\n"
        f"load_env({image!r}, mode='remote', host={address!r}, tls={tls!r}, engine='process')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with contextlib.closing(Engine(address, tls=read_tls(tls))) as there:
        wait_until_empty(there)


def test_where_ports_are_bound_and_reached() -> None:
    assert (reach("tcp://gpu1:2376"), publish("tcp://gpu1:2376")) == ("gpu1", "0.0.0.0")
    assert publish("tcp://192.0.2.7:2376") == reach("tcp://192.0.2.7:2376") == "192.0.2.7"
    assert publish("tcp://[2001:db8::1]:2376") == "2001:db8::1"
    assert publish("tcp://localhost:2375") == "127.0.0.1"
    for host in ("gpu1", "ftp://gpu1", "ssh://"):
        with pytest.raises(LoadError, match="not the address"):
            load_env("affine:latest", mode="remote", host=host)
    with pytest.raises(LoadError, match="needs to know where"):
        load_env("affine:latest", mode="remote", host="tcp://x:1", url="http://x:1")


def test_tls_settings_as_the_sdk_takes_them(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).touch()
    ca, cert, key = (str(tmp_path / name) for name in ("ca", "cert", "key"))
    wanted = DockerTls(ca, (cert, key))
    assert read_tls({"ca_cert": ca, "client_cert": (cert, key)}) == wanted
    assert read_tls(wanted.for_sdk()) == wanted
    assert read_tls(True) == DockerTls()
    assert read_tls(None) is None
    with pytest.raises(ReconcileError, match="ca_crt"):
        read_tls({"ca_crt": ca})
