"""One ssh connection to an engine's machine, and what is reached through it.

The system's own `ssh` is used, with its configuration, keys and agent; it is never asked for a
password. The engine's socket and the ports of containers, bound to loopback there, each become a
Unix socket in a directory that only this user can enter. All go over one connection, which ends
with this process, however that ends: its other end waits for the end of our pipe.
"""

import atexit
import os
import re
import select
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from reconciler.errors import AccessError, ProviderError, UnreachableError
from reconciler.rayfine.forks import anew_after_fork, let_go

CONNECT_SECONDS = 15
"""For the connection; as much again for the login."""

_ALIVE = ("ServerAliveInterval=15", "ServerAliveCountMax=3")
_OPTIONS = (
    "BatchMode=yes", f"ConnectTimeout={CONNECT_SECONDS}", *_ALIVE, "ControlPersist=no",
    "ClearAllForwardings=yes", "ForwardAgent=no", "ForwardX11=no", "PermitLocalCommand=no",
    "RemoteCommand=none", "RequestTTY=no", "StreamLocalBindMask=0177",
)  # fmt: skip
_WRAPPER = 'ssh "$@"; rm -rf -- "$0"'
"""Whoever ends last tidies up: this process may have been killed."""

_MARK = "rayfine-engine"
_LOOK = (
    'if [ "$0" = - ]; then '
    'h=$(docker context inspect --format "{{.Endpoints.docker.Host}}" 2>/dev/null); '
    "else h=unix://$0; fi; "
    'case $h in unix://*) s=${h#unix://};; "") s=/var/run/docker.sock;; *) s=$h;; esac; '
    f'if [ "$s" = "$h" ]; then echo "{_MARK} elsewhere $s"; '
    f'elif [ ! -S "$s" ]; then echo "{_MARK} missing $s"; '
    f'elif [ ! -w "$s" ]; then echo "{_MARK} denied $s"; '
    f'else echo "{_MARK} ready $s"; exec cat >/dev/null; fi'
)
"""Run there: where the engine's socket is, then nothing until our end of the pipe is closed."""

_LONGEST_DIRECTORY = 60
_SAFE_PATH = re.compile(r"/[\w@%+,./-]+", re.ASCII)


class Tunnel:
    """One connection. `engine` is the address of its engine on this side, for the Docker SDK."""

    def __init__(self, address: str) -> None:
        """Connect. Raises `UnreachableError` or `AccessError` that say what ssh said."""
        self.address = address
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._sockets: dict[str, str] = {}
        self._last = ""
        self._there, path = _parts(address)
        self._directory = _new_directory()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        try:
            self._process = self._start(path)
            self._socket = self._engine_socket()
            self.engine = f"unix://{self._forward('engine', self._socket)}"
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        """Whether the connection still stands. A fork may use it, and sees it by its directory."""
        if self._owner != os.getpid():
            return self._directory.is_dir()
        return self._process.poll() is None

    def ends(self, seconds: float) -> bool:
        """Whether it ends within so many seconds: ssh takes a moment after its connections."""
        if self._owner != os.getpid():
            time.sleep(seconds)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive

    def trouble(self) -> str:
        """The last line that ssh said, if any."""
        if self._said.closed:
            return self._last
        said = os.pread(self._said.fileno(), 1 << 16, 0)  # its offset is where ssh writes
        lines = said.decode(errors="replace").splitlines()
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")

    def forward(self, port: int) -> str:
        """The Unix socket that leads to this port of loopback there. Raises `ProviderError`."""
        return self._forward(f"port-{port}", f"127.0.0.1:{port}")

    def drop(self, path: str) -> None:
        """Close a forward, if there is one with this socket."""
        with self._lock:
            target = self._sockets.pop(path, "")
        if target and self.alive:
            self._control("cancel", "-L", f"{path}:{target}")
            Path(path).unlink(missing_ok=True)

    def let_go(self) -> None:
        """In a fork: leave it to the parent, with whom it ends."""
        self._lock = threading.Lock()
        let_go(self._process)

    def close(self) -> None:
        """End it and remove its sockets. May be called again."""
        process = getattr(self, "_process", None)
        if process is not None:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._control("exit")  # at once, whoever still holds a connection through it
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            if process.poll() is None:
                with suppress(OSError):
                    os.killpg(process.pid, 9)
                process.wait()
            process.stdout.close()
        self._last = self.trouble()
        self._said.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, path: str) -> "subprocess.Popen[bytes]":
        if shutil.which("ssh") is None:
            raise UnreachableError(
                "there is no program `ssh` here",
                where=self.address,
                fix="install the OpenSSH client, or use tcp:// with TLS",
            )
        options = [word for item in _OPTIONS for word in ("-o", item)]
        look = f"sh -c {shlex.quote(_LOOK)} {path or '-'}"
        control = f"{self._directory}/c"
        return subprocess.Popen(  # noqa: S603 (checked parts, no shell but the wrapper's)
            ["/bin/sh", "-c", _WRAPPER, str(self._directory),
             "-M", "-S", control, *options, *self._there, look],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C is for us: clean-up goes through this
        )  # fmt: skip

    def _engine_socket(self) -> str:
        """Where the engine's socket is there. Raises in words."""
        found, _, path = self._answer().partition(" ")
        if found == "ready" and _SAFE_PATH.fullmatch(path):
            return path
        if found == "denied":
            raise AccessError(
                f"no right to use the engine's socket {path} there",
                where=self.address,
                fix="add this user to the group `docker` there, or use a rootless engine",
            )
        what = f"there is no Docker engine there: no socket {path}"
        fix = "start Docker there, or name its socket: ssh://USER@HOST/PATH/docker.sock"
        if found != "missing":
            what = f"the engine there has no socket that ssh can forward: {path}"
        raise UnreachableError(what, where=self.address, fix=fix)

    def _answer(self) -> str:
        """What the look there found. Raises `UnreachableError` where ssh ends before."""
        stream = self._process.stdout
        assert stream is not None
        ready = select.poll()
        ready.register(stream, select.POLLIN)
        deadline = time.monotonic() + 2 * CONNECT_SECONDS
        said = b""
        while (left := deadline - time.monotonic()) > 0:
            if not ready.poll(left * 1000):
                break
            chunk = os.read(stream.fileno(), 4096)
            said += chunk
            for line in said.decode(errors="replace").split("\n")[:-1]:
                if line.startswith(f"{_MARK} "):
                    return line.removeprefix(f"{_MARK} ").strip()
            if not chunk:
                self._process.wait()
                break
        what, fix = _explain(self.trouble() or "ssh gave no answer in time")
        raise UnreachableError(what, where=self.address, fix=fix)

    def _forward(self, name: str, target: str) -> str:
        path = str(self._directory / name)
        done = self._control("forward", "-L", f"{path}:{target}")
        if done.returncode or not Path(path).is_socket():
            said = done.stderr.decode(errors="replace").strip() or self.trouble()
            raise ProviderError(
                f"ssh forwards nothing to {target} there: {said}",
                where=self.address,
                fix="the server there has to allow forwarding (AllowTcpForwarding, "
                "AllowStreamLocalForwarding)",
            )
        with self._lock:
            self._sockets[path] = target
        return path

    def _control(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        """Tell the connection's own process something."""
        command = ["ssh", "-S", str(self._directory / "c"), "-O", *words, *self._there]
        return subprocess.run(command, capture_output=True, check=False, timeout=30)  # noqa: S603


class Tunnels:
    """The connections of this process, one per address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, Tunnel] = {}
        anew_after_fork(self)

    def after_fork(self) -> None:
        """They are the parent's, and would be kept by a copy of the pipe that they wait at."""
        self._lock = threading.Lock()
        for tunnel in self._open.values():
            tunnel.let_go()
        self._open = {}

    def get(self, address: str) -> Tunnel:
        """The connection to this address, opened if need be, anew if it was lost."""
        with self._lock:
            found = self._open.get(address)
            if found is not None and found.alive:
                return found
            if found is not None:
                found.close()
            elif not self._open:
                atexit.unregister(self.close)
                atexit.register(self.close)
            self._open[address] = opened = Tunnel(address)
        return opened

    def close(self) -> None:
        with self._lock:
            found, self._open = list(self._open.values()), {}
        for tunnel in found:
            tunnel.close()


def _new_directory() -> Path:
    """A short path: that of a socket has room for about a hundred characters."""
    usual = tempfile.gettempdir()
    short = usual if len(usual) <= _LONGEST_DIRECTORY else "/tmp"  # noqa: S108 (private below it)
    return Path(tempfile.mkdtemp(prefix="rayfine-ssh-", dir=short))


def _parts(address: str) -> tuple[list[str], str]:
    """The arguments that tell ssh where to go, and the socket's path there, or nothing."""
    parts = urlsplit(address)
    with suppress(ValueError):
        user, host, port = parts.username or "", parts.hostname or "", parts.port
        plain = not (parts.query or parts.fragment or parts.password)
        path = parts.path.rstrip("/")
        if plain and host and not {user[:1], host[:1]} & {"-"} and _path_fits(path):
            words = [*(("-l", user) if user else ()), *(("-p", str(port)) if port else ())]
            return [*words, "--", host], path
    raise UnreachableError(
        "this is no address of a machine", where=address, fix="write ssh://USER@HOST or add :PORT"
    )


def _path_fits(path: str) -> bool:
    return not path or _SAFE_PATH.fullmatch(path) is not None


_WORDS = (
    ("Host key verification failed", "the key of that host is not known here, or has changed",
     "see that it is the right host, then connect once by hand: ssh USER@HOST"),
    ("Permission denied", "the login was refused",
     "put your public key there (ssh-copy-id), and your key in ~/.ssh or in the ssh agent"),
    ("Could not resolve hostname", "there is no such host",
     "check the name, or add it to ~/.ssh/config"),
    ("Connection refused", "no ssh server answers", "check the port, and that sshd runs there"),
    ("timed out", "the host does not answer", "check the address and the network between"),
)  # fmt: skip


def _explain(said: str) -> tuple[str, str]:
    """What ssh said in our words, with its own, and what to do."""
    for part, what, fix in _WORDS:
        if part in said:
            return f"{what}: {said}", fix
    return f"no ssh connection: {said}", "see whether it works by hand: ssh USER@HOST docker ps"


TUNNELS = Tunnels()
