"""The parts of the agent that need no container: env.py loaded and called, HTTP, the lease."""

import asyncio
import gc
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.rayfine.in_container import faults
from reconciler.rayfine.in_container.agent_server import Lease, Server
from reconciler.rayfine.in_container.codec import decode, encode
from reconciler.rayfine.in_container.engines import Answer, Engine, Request
from reconciler.rayfine.in_container.env_runner import Job, Lane, Runner
from reconciler.rayfine.in_container.faults import OK, Redactor
from reconciler.rayfine.in_container.outline import outline
from reconciler.rayfine.runtime.agent_client import AgentClient
from reconciler.rayfine.runtime.agent_connections import ConnectionLostError, Endpoint
from reconciler.rayfine.runtime.replica import LastWords

ENV = '''
import asyncio, functools, os, time
from json import dumps

class Actor:
    """Counts."""
    def __init__(self): self.count = 0
    def add(self, n=1):
        """Add."""
        self.count += n
        return self.count
    async def wait(self, seconds): await asyncio.sleep(seconds); return seconds
    async def linger(self, note): open(note, "w").close(); await asyncio.sleep(60)
    async def hold(self, note, end):
        open(note, "w").close()
        while not os.path.exists(end): time.sleep(0.01)
    @property
    def hidden(self): ...
    @staticmethod
    def fixed(x): return x

async def add(): return "module"
def value(name): return os.environ.get(name)
def fail(text): raise ValueError(text)
def coroutine(): return add()
def unsendable(): return [object()]
def leave(): raise SystemExit(4)
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    path = tmp_path / "env.py"
    path.write_text(ENV)
    return str(path)


class Held:
    """A runner with the loop that its requests come by."""

    def __init__(self, max_concurrency: int = 0) -> None:
        jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        lane = Lane(jobs)
        threading.Thread(target=lane.run, daemon=True).start()
        self._runner = Runner(lane, jobs, max_concurrency)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def handle(self, operation: str, name: str, identity: str, body: bytes) -> Any:
        work = self._runner.handle(operation, name, identity, body)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


@pytest.fixture
def runner() -> Held:
    return Held()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ask(runner: Held, operation: str, value: Any, name: str = "", identity: str = "1") -> Any:
    status, pieces = runner.handle(operation, name, identity, b"".join(encode(value)))
    return status, decode(b"".join(pieces))


def call(runner: Held, name: str, *args: Any, **kwargs: Any) -> Any:
    return ask(runner, "call", [list(args), kwargs], name)


def test_a_runner_loads_and_calls(runner: Held, file: str) -> None:
    assert call(runner, "add")[0] == faults.CONFLICT
    variables = {"API_KEY": "canary-4711", "TZ": "UTC"}
    status, methods = ask(runner, "setup", {"variables": variables, "file": file})
    assert status == OK
    assert methods["add"] == {"signature": "(n=1)", "doc": "Add."}
    assert methods["wait"]["signature"] == "async (seconds)"
    assert not {"Actor", "hidden", "dumps"} & set(methods)
    assert set(methods) == set(outline(file))
    assert call(runner, "add", n=2) == (OK, 2)
    assert call(runner, "wait", 0.01) == (OK, 0.01)
    assert call(runner, "fixed", 3) == (OK, 3)
    assert call(runner, "coroutine") == (OK, "module")
    assert call(runner, "value", "API_KEY") == (OK, "canary-4711")
    assert call(runner, "nothing")[0] == faults.NOT_FOUND
    assert call(runner, "unsendable")[1]["kind"] == "codec"
    status, found = call(runner, "fail", "with canary-4711")
    assert (status, found["type"], found["message"]) == (
        422,
        "ValueError",
        "with (sensitive value)",
    )
    assert found["line"] == ENV[: ENV.index("def fail")].count("\n") + 1
    assert call(runner, "leave")[1]["type"] == "SystemExit"
    assert call(runner, "add", 1, 2)[1]["type"] == "TypeError"
    assert runner.handle("call", "add", "1", b"junk")[0] == faults.FAILED


TRACED = """
import queue, sys, threading
from reconciler.rayfine.in_container.env_runner import Call, Lane

jobs, call = queue.SimpleQueue(), Call()
threading.Thread(target=Lane(jobs).run, daemon=True).start()
jobs.put((call, lambda: "answer"))
assert call.future.result(30) == "answer"

def trace(frame, event, arg):
    return trace

def traced():
    return "done"

sys.settrace(trace)
print(traced())
"""


def test_threads_run_freely_between_calls() -> None:
    """CPython up to 3.12 looks for an interrupt in every line once one was taken back.

    Where it traces functions, 3.11 never gets any further.
    """
    ran = subprocess.run(
        [sys.executable, "-c", TRACED], check=True, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout == "done\n"


def test_a_call_is_cancelled(runner: Held, file: str) -> None:
    ask(runner, "setup", {"variables": {}, "file": file})
    found: list[Any] = []
    note = Path(file).with_name("note")
    thread = threading.Thread(target=lambda: found.append(call(runner, "linger", str(note))))
    thread.start()
    until(note.exists)
    assert ask(runner, "cancel", None) == (OK, True)
    thread.join(30)
    assert found[0][0] == faults.CANCELLED
    assert ask(runner, "cancel", None, identity="unknown") == (OK, False)


def test_a_call_is_cancelled_before_it_begins(runner: Held, file: str) -> None:
    """Its coroutine is closed; one that nobody awaits is a warning, and so a failure here."""
    ask(runner, "setup", {"variables": {}, "file": file})
    note, end = Path(file).with_name("note"), Path(file).with_name("end")
    holding = threading.Thread(target=call, args=(runner, "hold", str(note), str(end)))
    holding.start()
    until(note.exists)  # from here on nothing else is begun
    found: list[Any] = []
    body = [[5], {}]
    waiting = threading.Thread(target=lambda: found.append(ask(runner, "call", body, "wait", "2")))
    waiting.start()
    until(lambda: "2" in runner._runner._calls)
    assert ask(runner, "cancel", None, identity="2") == (OK, True)
    end.touch()
    waiting.join(30)
    holding.join(30)
    assert found[0][0] == faults.CANCELLED
    gc.collect()


@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [("x = (", "SyntaxError", 1), ("\n\n1 / 0\n", "ZeroDivisionError", 3)],
)
def test_a_broken_file(runner: Held, file: str, source: str, kind: str, line: int) -> None:
    Path(file).write_text(source)
    status, found = ask(runner, "setup", {"variables": {}, "file": file})
    assert (status, found["type"], found["line"]) == (422, kind, line)
    assert outline(file) == {}
    assert outline(f"{file}.missing") == {}


def test_only_long_or_telling_values_are_hidden() -> None:
    redact = Redactor(
        {"API_KEY": "abcd", "MODE": "fast", "URL": "https://x", "N": "1", "T_KEY": "x"}
    )
    assert redact("abcd fast https://x 1 x") == "(sensitive value) fast (sensitive value) 1 x"
    assert Redactor({})("text") == "text"


def test_lines_of_a_long_value_are_hidden_one_by_one() -> None:
    redact = Redactor({"PEM": "-----BEGIN KEY-----\n  MIIEvQIBADAN\n1234\n"})
    assert redact("    MIIEvQIBADAN\n    1234") == "    (sensitive value)\n    1234"


def test_values_of_the_setups_before_are_hidden_as_well() -> None:
    redact = Redactor({"API_KEY": "first-one"})
    redact.add({"API_KEY": "second-one"})
    assert redact("first-one second-one") == "(sensitive value) (sensitive value)"


def test_many_variables_cost_little() -> None:
    """As many as one setup takes; a pattern of them is compiled in seconds, and tried in more."""
    redact = Redactor({f"V{n}": f"{n:08}" for n in range(40_000)})
    assert redact("x" * 1000 + "00000007") == "x" * 1000 + "(sensitive value)"


def test_a_secret_is_hidden_before_a_line_of_output_is_cut() -> None:
    secret = "s3cret-" * 100
    words = LastWords("it ended", "container x", "load it again", f"a\n{'-' * 290}{secret}!\n")
    text = str(words.as_error(Redactor({"TOKEN": secret})))
    assert "s3c" not in text
    assert "    a\n" in text
    assert max(map(len, text.splitlines())) <= 304


def test_an_error_without_a_text_of_its_own() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    found = faults.describe(HostileError(), str, "env.py")
    assert found["message"] == "(its text cannot be had: RuntimeError)"
    assert found["builtin"] == "Exception"


class Echo(Engine):
    """Answers what it is asked."""

    def start(self) -> None:
        self.state = "ready"

    async def renew(self, variables: dict[str, str]) -> None: ...
    async def end(self, ended: object, why: str) -> None: ...

    async def setup(self, variables: dict[str, str], request: Request) -> Answer:
        self.is_set_up = True
        return OK, encode({name: {"signature": "()", "doc": ""} for name in variables})

    async def ask(self, request: Request) -> Answer:
        if request.name == "broken":
            raise RuntimeError("of the engine")
        value = decode(request.body) if request.body else request.identity
        return OK, encode([request.operation, request.name, value, request.limit])

    def stop(self) -> None:
        self.state = "ended"


Start = Callable[[Engine], AgentClient]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Start]:
    (tmp_path / "env.py").write_text("def f(): ...\n")
    settings = {"token": "t" * 64, "file": str(tmp_path / "env.py"), "lease": 0}
    clients: list[AgentClient] = []

    def start(engine: Engine, token: str = "t" * 64) -> AgentClient:
        listener = socket.create_server(("127.0.0.1", 0))
        Server(engine, settings).serve(listener)
        clients.append(AgentClient(Endpoint("127.0.0.1", listener.getsockname()[1], token)))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


def test_http(served: Start) -> None:
    engine = Echo()
    client = served(engine)
    assert client.health(wait=0.05)["state"] == "starting"
    engine.start()
    assert client.health()["state"] == "ready"
    assert list(client.methods()) == ["f"]
    assert client.call("f", [[], {}], 1, "i").status == faults.CONFLICT
    assert client.setup({"NAME": "x"}, 5).status == OK
    assert list(client.methods()) == ["NAME"]
    large = b"x" * 200_000
    assert client.call("f/ü?x", [[large], {}], 2, "i").value == ["call", "f/ü?x", [[large], {}], 2]
    client.cancel("some-id")
    client.heartbeat()
    reply = client.call("broken", [[], {}], 1, "i")
    assert (reply.status, reply.value["message"]) == (500, "RuntimeError: of the engine")
    engine.state = "ended"
    assert client.call("f", [[], {}], 1, "i").status == faults.GONE


def test_another_token_is_refused(served: Start) -> None:
    client = served(Echo())
    stranger = AgentClient(Endpoint("127.0.0.1", client.endpoint.port, "u" * 64))
    with pytest.raises(ConnectionLostError, match="401"):
        stranger.health()
    assert "u" * 64 not in repr(stranger.endpoint)
    stranger.close()


def test_a_lease_ends_without_requests_only() -> None:
    ended = threading.Event()
    lease = Lease(3)
    threading.Thread(target=lease.run, args=(ended.set,), daemon=True).start()
    for _ in range(4):
        time.sleep(1)
        lease.renew()
        assert not ended.is_set()
    assert ended.wait(5)
    Lease(0).run(ended.clear)
    assert ended.is_set()
