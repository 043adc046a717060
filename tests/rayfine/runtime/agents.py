"""A real agent in a process of its own, without a container, and a proxy in front of it."""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import RayfineError
from reconciler.rayfine import EnvironmentWrapper
from reconciler.rayfine.runtime.active_environments import Registry
from reconciler.rayfine.runtime.agent_archive import DIRECTORY, pack
from reconciler.rayfine.runtime.agent_client import AgentClient, new_token
from reconciler.rayfine.runtime.agent_connections import Endpoint
from reconciler.rayfine.runtime.errors import EnvironmentEndedError
from reconciler.rayfine.runtime.replica import Replica

ROOT = Path(__file__).parents[3]
_SERVE = """
import json, socket, sys, threading
settings = json.loads(sys.argv[1])
sys.path.insert(0, settings["root"])
from rayfine_agent.process_engine import ProcessEngine
from rayfine_agent.agent_server import Server
engine = ProcessEngine(settings["root"], settings["max_concurrency"])
listener = socket.create_server(("127.0.0.1", 0))
Server(engine, settings).serve(listener)
engine.start()
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
engine.stop()
"""


class Agent(Replica):
    """A replica that is no container: its agent is a process here. `url` may be a proxy's port."""

    def __init__(self, directory: Path, source: str, max_concurrency: int = 0) -> None:
        self.name = "agent"
        self.users: list[EnvironmentWrapper] = []
        (directory / "env.py").write_text(source)
        self.token = new_token()
        with tarfile.open(fileobj=io.BytesIO(pack({}))) as archive:
            archive.extractall(directory, filter="data")
        settings = {
            "root": str(directory / DIRECTORY),
            "token": self.token,
            "file": str(directory / "env.py"),
            "lease": 0,
            "max_concurrency": max_concurrency,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.client = AgentClient(Endpoint("127.0.0.1", self.port, self.token))

    def hide(self, variables: Mapping[str, str]) -> None:
        """Nothing is quoted."""

    def explain(self, error: Exception) -> RayfineError:
        return EnvironmentEndedError(f"the agent is gone: {error}", where=self.name, fix="none")

    def remove(self) -> None:
        for env in self.users:
            env._closed.set()  # no heartbeats to what is gone
        self.client.close()
        self.end()

    def end(self) -> None:
        """End its process. May be called again."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def agent(directory: Path, source: str, max_concurrency: int = 0) -> Iterator[Agent]:
    found = Agent(directory, source, max_concurrency)
    try:
        yield found
    finally:
        found.remove()


def environment(replica: Agent) -> EnvironmentWrapper:
    """A loaded environment with this replica, set up."""
    env = EnvironmentWrapper("env", [replica], Registry(), call_timeout=60.0)
    replica.users.append(env)
    env.setup()
    return env


class Proxy:
    """Passes connections on. It is what a NAT, a gateway or an ssh connection may do on the way."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.sent = bytearray()
        self.answered = 0
        self.most = 1 << 62
        self.go_on = threading.Event()
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self._cut: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._target))
            self.pairs.append((here, there))
            for pair in ((here, there, False), (there, here, True)):
                thread = threading.Thread(target=self._pass_on, args=pair)
                thread.start()
                self._threads.append(thread)

    def _pass_on(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                if back:
                    self.answered += len(chunk)
                    if self.answered > self.most:
                        self.go_on.wait()
                else:
                    self.sent += chunk
                target.sendall(chunk)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Close every connection, as one that is idle for long is closed."""
        pairs, self.pairs = self.pairs, []  # those that are made meanwhile stand
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._cut += pairs

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        self.cut()
        self.go_on.set()
        for thread in self._threads:
            thread.join()
        for pair in self._cut:
            for end in pair:
                end.close()


@contextmanager
def proxied(replica: Agent) -> Iterator[Proxy]:
    """A proxy that all connections of this replica take from now on."""
    proxy = Proxy(replica.port)
    replica.client.close()
    replica.client = AgentClient(Endpoint("127.0.0.1", proxy.port, replica.token))
    try:
        yield proxy
    finally:
        replica.client.close()
        proxy.close()


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def forked(work: Callable[[], bool]) -> bool:
    """Whether work in a child of `os.fork` said yes; the child ends as a program does."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0
