"""Environments on an engine behind ssh: a real sshd in the network of a second engine.

Nothing in that network is reached from here but sshd itself, so what works went through it.
"""

import contextlib
import getpass
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.errors import AccessError, UnreachableError
from reconciler.rayfine import EnvironmentWrapper, load_env
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.docker.ssh import TUNNELS, Tunnel
from reconciler.rayfine.runtime.errors import EnvironmentEndedError, LoadError
from reconciler.rayfine.runtime.local_containers import publish, reach
from tests.rayfine.runtime.agents import forked

ROOT = Path(__file__).parents[3]
HERE, THERE, PORT = "172.31.248.1", "172.31.248.2", 2222
NOBODY = f"ssh://{'x' * 64}"
"""A name that no resolver asks anybody for: a label is at most 63 characters long."""
HOSTS = {
    "gpu1": "IdentityFile {place}/user",
    "stranger": "UserKnownHostsFile {place}/nobody",
    "nokey": "IdentityFile {place}/other",  # one more would be added, not put in its place
    "closed": "Port 2223",
}


@dataclass(frozen=True)
class Machine:
    """Another machine, as far as ssh can tell: `ssh://gpu1`, with an engine at `socket`."""

    socket: str
    place: Path
    pid: int
    """Of a process in its network."""

    def containers(self) -> int:
        with contextlib.closing(Engine(f"unix://{self.socket}")) as engine:
            return len(engine.containers())


def ok(*words: str | Path) -> None:
    done = subprocess.run(list(words), capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def engine_there(place: Path, image: str) -> Iterator[int]:
    """A second engine with the image, in a network that is joined to ours; its process."""
    script = ROOT / "scripts/ensure-engine"
    ok(script, "--private", place)
    pid = (place / "dockerd.pid").read_text().split()[0]
    try:
        inside = ("nsenter", "-t", pid, "-n", "ip")
        ok("ip", "link", "add", f"ops{os.getpid()}", "type", "veth", "peer", "ops1", "netns", pid)
        ok("ip", "address", "add", f"{HERE}/30", "dev", f"ops{os.getpid()}")
        ok("ip", "link", "set", f"ops{os.getpid()}", "up")
        ok(*inside, "address", "add", f"{THERE}/30", "dev", "ops1")
        for name in ("ops1", "lo"):
            ok(*inside, "link", "set", name, "up")
        ok("sh", "-c", f"docker save {image} | docker -H unix://{place}/docker.sock load")
        yield int(pid)
    finally:
        ok(ROOT / "scripts/stop-engine", "--private", place)


def keys_and_settings(place: Path) -> Path:
    """Keys, the server's settings, and a program `ssh` that uses them; its directory."""
    for name in ("host", "user", "other"):
        ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name)
    host = " ".join((place / "host.pub").read_text().split()[:2])
    (place / "known").write_text(f"gpu {host}\n")
    (place / "nobody").touch()
    (place / "server").write_text(
        f"Port {PORT}\nListenAddress {THERE}\nHostKey {place}/host\nPidFile {place}/pid\n"
        f"AuthorizedKeysFile {place}/user.pub\nUsePAM no\nStrictModes no\n"
        f"PasswordAuthentication no\nSetEnv DOCKER_HOST=unix://{place}/docker.sock\n"
    )
    common = (
        f"HostName {THERE}\n  Port {PORT}\n  User {getpass.getuser()}\n  HostKeyAlias gpu\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {place}/known\n"
    )
    own = {name: lines.format(place=place) for name, lines in HOSTS.items()}
    (place / "client").write_text(
        "".join(f"Host {name}\n  {lines}\n  {common}" for name, lines in own.items())
    )
    programs = place / "bin"
    programs.mkdir()
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {place}/client "$@"\n')
    (programs / "ssh").chmod(0o755)
    return programs


@pytest.fixture(scope="module")
def machine(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    place = tmp_path_factory.mktemp("m")
    Path("/run/sshd").mkdir(exist_ok=True)
    with engine_there(place, image) as pid, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{keys_and_settings(place)}:{os.environ['PATH']}")
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or "sshd"
        server = subprocess.Popen(
            ["nsenter", "-t", str(pid), "-n", program, "-D", "-f", place / "server",
             "-E", place / "sshd.log"]
        )  # fmt: skip
        try:
            for _ in range(100):
                if subprocess.run(["ssh", "gpu1", "true"], check=False).returncode == 0:
                    break
                time.sleep(0.1)
            yield Machine(f"{place}/docker.sock", place, pid)
        finally:
            TUNNELS.close()
            server.terminate()
            server.wait()


@pytest.mark.docker
def test_a_fork_uses_the_connection_and_does_not_end_it(image: str, machine: Machine) -> None:
    with load_env(image, mode="remote", host="ssh://gpu1", engine="process") as env:
        env.setup()
        assert env.echo(1) == 1

        def calls() -> bool:
            right = [env.echo(n) for n in range(50)] == list(range(50))
            with load_env(image, mode="remote", host="ssh://gpu1", engine="process") as own:
                own.setup()
                right = right and own.echo(2) == 2  # over a connection of its own
            TUNNELS.close()
            env.cleanup()
            return right

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
            assert forked(calls)
        assert env.echo(3) == 3
        subprocess.run(["docker", "-H", f"unix://{machine.socket}", "kill", env.id], check=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            assert forked(partial(told_of_a_kill, env))


def told_of_a_kill(env: EnvironmentWrapper) -> bool:
    with pytest.raises(EnvironmentEndedError, match="was killed"):
        env.echo(1)
    return True


@pytest.mark.docker
def test_an_environment_behind_ssh(image: str, machine: Machine) -> None:
    options = {"mode": "remote", "host": "ssh://gpu1", "engine": "process", "replicas": 2}
    with load_env(image, **options) as env:  # type: ignore[arg-type]
        env.setup(MY_KEY="canary-123456")
        assert env.evaluate(x=1)["key"] == 13
        assert sorted(item.value for item in env.map("echo", range(40))) == list(range(40))
        large = os.urandom(3 << 20)
        assert env.echo(large) == large
        assert machine.containers() == 2
        with contextlib.closing(Engine(f"unix://{machine.socket}")) as there:
            with there.session() as client:
                ports = [port for item in client.containers() for port in item["Ports"]]
            assert {port["IP"] for port in ports if "IP" in port} == {"127.0.0.1"}
        tunnel = TUNNELS.get("ssh://gpu1")
        directory = Path(tunnel.engine.removeprefix("unix://")).parent
        assert directory.stat().st_mode & 0o777 == 0o700
        assert len(list(directory.iterdir())) == 4  # control, engine, two ports
    assert machine.containers() == 0
    assert len(list(directory.iterdir())) == 2
    TUNNELS.close()
    assert not directory.exists()


@pytest.mark.docker
def test_the_command_line_reaches_it(
    image: str, machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", image, "echo", "--arg", "value=7", "--engine", "process"]
    assert run([*words, "--docker-host", "ssh://gpu1"]) == 0
    assert capsys.readouterr().out == "7\n"
    assert machine.containers() == 0
    (tmp_path / "manifests").mkdir()
    (tmp_path / "env").mkdir()
    (tmp_path / "env/env.py").write_text("def f(): return 1\n")
    (tmp_path / "manifests/image.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: RayfineImage\nmetadata: {name: one}\n"
        f"spec: {{path: env, tag: 'over-ssh:v1', base_image: '{image}'}}\n"
    )
    (tmp_path / "reconciler.yaml").write_text(
        "apiVersion: reconciler/v1\nstack: ssh\ndefault_target: far\n"
        "targets: {far: {docker: {host: 'ssh://gpu1'}}}\n"
    )
    at = ["-C", str(tmp_path)]
    assert run([*at, "apply", "--apply"]) == 0
    assert run([*at, "run", "one", "f", "--engine", "process"]) == 0
    assert capsys.readouterr().out.endswith("1\n")
    with contextlib.closing(Engine(f"unix://{machine.socket}")) as there:
        assert there.inspect("over-ssh:v1") is not None
    with contextlib.closing(Engine()) as here:
        assert here.inspect("over-ssh:v1") is None


@pytest.mark.docker
def test_docker_host_may_lead_through_ssh(
    image: str, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://gpu1")
    with load_env(image, engine="process") as env:
        env.setup()
        assert env.echo(1) == 1
        assert machine.containers() == 1
    assert machine.containers() == 0


@pytest.mark.docker
def test_a_killed_caller_leaves_nothing_on_either_side(image: str, machine: Machine) -> None:
    code = (
        "import os\n"
        "from reconciler.rayfine import load_env\n"
        "from reconciler.rayfine.docker.ssh import TUNNELS\n"
        f"load_env({image!r}, mode='remote', host='ssh://gpu1', engine='process')\n"
        "print(TUNNELS.get('ssh://gpu1').engine, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == -9, done.stderr
    directory = Path(done.stdout.strip().removeprefix("unix://")).parent
    deadline = time.monotonic() + 60
    while machine.containers() or directory.exists():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def kill(processes: Iterable[int]) -> None:
    for each in processes:
        with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(each, signal.SIGTERM)


@pytest.mark.docker
def test_a_lost_connection_is_said_and_the_next_one_cleans_up(image: str, machine: Machine) -> None:
    env = load_env(image, mode="remote", host="ssh://gpu1", engine="process")
    env.setup()
    there = ["--ns", str(machine.pid), "--nslist", "net"]  # and no session of anybody else
    found = subprocess.run(
        ["pgrep", *there, "-f", f"sshd: {getpass.getuser()}"],
        capture_output=True,
        check=True,
        text=True,
    )
    threading.Timer(0.5, kill, [map(int, found.stdout.split())]).start()
    with pytest.raises(EnvironmentEndedError, match=r"the ssh connection was lost: .+") as caught:
        env.sleep(60)
    assert caught.value.where == "ssh://gpu1"
    assert machine.containers() == 1
    env.cleanup()
    assert machine.containers() == 0


@pytest.mark.docker
@pytest.mark.parametrize(
    ("host", "words", "fix"),
    [
        ("ssh://stranger", "not known here, or has changed: Host key ver", "connect once by hand"),
        ("ssh://nokey", "the login was refused: .*Permission denied", "ssh-copy-id"),
        ("ssh://closed", "no ssh server answers: .*refused", "check the port"),
        (NOBODY, "there is no such host: .*resolve", "check the name"),
        ("ssh://gpu1/no/docker.sock", "no Docker engine there: no socket /no/d", "start Docker"),
    ],
)
def test_what_can_be_wrong(
    machine: Machine, host: str, words: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = machine.place / "t"
    own.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    with pytest.raises(UnreachableError, match=words) as caught:
        load_env("affine:latest", mode="remote", host=host)
    assert caught.value.where == host
    assert fix in caught.value.fix
    assert list(own.iterdir()) == []


@pytest.mark.docker
def test_an_image_that_is_missing_there(machine: Machine, image: str) -> None:
    with pytest.raises(LoadError, match=f"no such image on the engine\n  did you mean {image}"):
        load_env(image.replace("remote", "remoet"), mode="remote", host="ssh://gpu1")


@pytest.mark.docker
def test_a_socket_without_the_right_to_it(machine: Machine, tmp_path: Path) -> None:
    """Root may use any socket, so the answer is that of a program in the place of ssh."""
    (tmp_path / "ssh").write_text("#!/bin/sh\necho welcome\necho rayfine-engine denied /x.sock\n")
    (tmp_path / "ssh").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with pytest.raises(AccessError, match=r"no right to use the engine's socket /x\.sock"):
            Tunnel("ssh://gpu1")
        patch.setenv("PATH", str(tmp_path / "nowhere"))
        with pytest.raises(UnreachableError, match="no program `ssh` here"):
            Tunnel("ssh://gpu1")


@pytest.mark.parametrize(
    "address",
    ["ssh://", "ssh://-oProxyCommand=x", "ssh://-x@h", "ssh://u:p@h", "ssh://h:x", "ssh://h/a b"],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UnreachableError, match="no address of a machine"):
        Tunnel(address)


def test_ports_are_bound_to_loopback_there() -> None:
    assert (reach("ssh://me@gpu1"), publish("ssh://me@gpu1")) == ("127.0.0.1", "127.0.0.1")
