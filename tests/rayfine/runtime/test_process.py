"""`engine: process` on a real engine: loading, calling, and env.py that misbehaves."""

import asyncio
import datetime as dt
import resource
import threading
import time

import pytest

from reconciler.rayfine.runtime.errors import (
    CallTimeoutError,
    EnvironmentEndedError,
    MethodNotFoundError,
    RemoteError,
    SetupError,
    TransferError,
)
from tests.rayfine.runtime.conftest import LOADED, Load, docker

pytestmark = pytest.mark.docker

ENV = '''
import asyncio, os, sys, time
from collections import OrderedDict
from json import dumps

class Base:
    def inherited(self): return "inherited"

class Actor(Base):
    """Keeps a count."""

    def __init__(self):
        self.count = 0
        self.loop = asyncio.get_event_loop()

    def add(self, number=1):
        """Add to the count."""
        self.count += number
        return self.count

    async def same_loop(self): return asyncio.get_running_loop() is self.loop
    def both(self): return "actor"
    def _hidden(self): return 1
    @staticmethod
    def static(x): return x
    @property
    def state(self): raise AssertionError("never read")

class Other: pass

def both(): return "module"
def echo(value): return value
def keywords(**given): return given
def variable(name): return os.environ.get(name)
async def pause(seconds): await asyncio.sleep(seconds); return seconds
def sleep(seconds): time.sleep(seconds); return seconds
def fail(kind="ValueError"):
    import builtins
    raise getattr(builtins, kind)("no: " + os.environ["API_KEY"])
def unsendable(): return object()
def big(size): return bytes(size)
def leave(code): sys.exit(code)
def end(code): os._exit(code)
def loop():
    while True: pass
async def stubborn():
    while True: pass
def eat():
    kept = []
    while True: kept.append(bytearray(8 << 20))
def bomb():
    while True:
        try: os.fork()
        except OSError: pass
def speak(text, times=1):
    for _ in range(times):
        os.write(1, text.encode()); os.write(2, text.encode())
    print(text, flush=True)
    return "spoken"
def flood():
    line = b"x" * 65535 + b"\\n"
    while True: os.write(1, line)
class Evil:
    def __reduce__(self): return os.system, ("touch /tmp/executed",)
def evil(): return Evil()
def nested(depth):
    found = []
    for _ in range(depth): found = [found]
    return found
'''


def test_methods_of_actor_and_module_and_nothing_else(load: Load) -> None:
    env = load(ENV)
    before = env.list_methods()
    assert not env.is_ready()
    env.setup()
    assert env.is_ready()
    names = env.list_methods()
    assert {"add", "both", "echo", "inherited", "static"} <= set(names)
    assert not {"Base", "Other", "OrderedDict", "dumps", "_hidden", "state", "Actor"} & set(names)
    assert set(before) == set(names) - {"inherited"}
    assert env.describe_methods()["pause"] == "async (seconds)"
    assert env.add.__doc__ == "Add to the count."
    assert env.both() == "actor"
    assert env.static(3) == 3
    assert (env.add(), env.add(number=2)) == (1, 3)


def test_values_of_many_types_travel(load: Load) -> None:
    env = load(ENV)
    env.setup()
    value = {
        "t": (1, {2, 3}),
        b"k": [1.5, float("inf")],
        "d": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        7: None,
    }
    assert env.echo(value) == value
    large = bytes(range(256)) * 40_000
    assert env.echo(large) == large


def test_any_keyword_reaches_the_method(load: Load) -> None:
    env = load(ENV)
    env.setup()
    given = {"timeout": 1, "name": 2, "self": 3, "method": 4, "args": 5, "mode": 6}
    assert env.keywords(**given) == given
    assert env.call("keywords", **given, _timeout=60) == given


def test_hasattr_and_close_names(load: Load) -> None:
    env = load(ENV)
    env.setup()
    assert hasattr(env, "echo")
    assert not hasattr(env, "nothing")
    assert not hasattr(env, "__deepcopy__")
    with pytest.raises(AttributeError, match=r"no method 'ecoh'\n  did you mean echo"):
        _ = env.ecoh
    with pytest.raises(MethodNotFoundError, match="did you mean pause"):
        env.call("puase")


def test_a_method_before_setup(load: Load) -> None:
    env = load(ENV)
    with pytest.raises(SetupError, match=r"call env\.setup\("):
        env.echo(1)


def test_one_event_loop_for_all_calls(load: Load) -> None:
    env = load(ENV)
    env.setup()
    assert env.same_loop() is True
    assert env.same_loop() is True


def test_asynchronous_calls_run_side_by_side(load: Load) -> None:
    env = load(ENV)
    env.setup()

    async def many() -> list[float]:
        return list(await asyncio.gather(*(env.aio.pause(3) for _ in range(20))))

    start = time.monotonic()
    assert asyncio.run(many()) == [3] * 20
    assert time.monotonic() - start < LOADED


def test_a_cancelled_coroutine_cancels_its_call(load: Load) -> None:
    env = load(ENV)
    env.setup()

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(env.aio.sleep(60), 0.3)

    asyncio.run(cancelled())
    start = time.monotonic()
    assert env.echo(1) == 1
    assert time.monotonic() - start < LOADED


def test_variables_arrive_at_setup_in_a_fresh_interpreter(load: Load) -> None:
    env = load(ENV)
    env.setup(API_KEY="one", NUMBER=3)
    env.add(5)
    assert (env.variable("API_KEY"), env.variable("NUMBER")) == ("one", "3")
    env.setup(OTHER="two")
    assert (env.variable("API_KEY"), env.variable("OTHER")) == (None, "two")
    assert env.add() == 1
    env.setup(PYTHONHASHSEED="7")
    assert env.variable("PYTHONHASHSEED") == "7"
    with pytest.raises(SetupError, match="X is list"):
        env.setup(X=[1])


def test_a_remote_error_is_typed_and_has_the_remote_traceback(load: Load) -> None:
    env = load(ENV)
    env.setup(API_KEY="canary-4711")
    with pytest.raises(ValueError, match="no: ") as caught:
        env.fail()
    error = caught.value
    assert isinstance(error, RemoteError)
    assert error.type_name == "ValueError"
    assert "in fail" in error.traceback
    assert "rayfine_agent" not in error.traceback
    assert error.where.startswith("/app/env.py:")
    assert "canary" not in str(error)
    with pytest.raises(RemoteError, match="SystemExit: 3"):
        env.leave(3)
    for kind in ("KeyError", "UnicodeError", "StopIteration", "OSError"):
        with pytest.raises(RemoteError, match=kind):
            env.fail(kind)
    assert env.echo(1) == 1


def test_what_cannot_be_sent(load: Load) -> None:
    env = load(ENV)
    env.setup()
    with pytest.raises(TransferError, match=r"type builtins\.object cannot be sent"):
        env.unsendable()
    with pytest.raises(TransferError, match="cannot be sent"):
        env.echo(object())
    with pytest.raises(TransferError, match=r"too large: 257\.0 MiB"):
        env.big(257 << 20)
    with pytest.raises(TransferError, match="nested"):
        env.nested(100_000)
    assert len(env.big(100 << 20)) == 100 << 20


def test_a_time_limit_ends_the_call_and_keeps_the_state(load: Load) -> None:
    env = load(ENV)
    env.setup()
    env.add()
    for name, args in (("sleep", [60]), ("pause", [60]), ("loop", [])):
        start = time.monotonic()
        with pytest.raises(CallTimeoutError):
            env.call(name, *args, _timeout=0.3)
        assert time.monotonic() - start < LOADED
    assert env.add() == 2


def test_what_does_not_end_is_ended_by_force(load: Load) -> None:
    env = load(ENV)
    env.setup()
    with pytest.raises(CallTimeoutError, match="ended by force"):
        env.call("stubborn", _timeout=0.3)
    assert not env.is_ready()
    with pytest.raises(EnvironmentEndedError, match="ended by force"):
        env.echo(1)
    env.setup()
    assert env.echo(1) == 1


def test_an_exit_in_the_middle(load: Load) -> None:
    env = load(ENV)
    env.setup()
    with pytest.raises(EnvironmentEndedError, match=r"ended with exit code 3\n  call setup again"):
        env.end(3)
    env.setup()
    assert env.echo(1) == 1


def test_out_of_memory(load: Load) -> None:
    env = load(ENV, memory="128m")
    env.setup()
    with pytest.raises(EnvironmentEndedError, match="ran out of memory"):
        env.eat()
    env.setup()
    assert env.echo(1) == 1


def test_a_fork_bomb(load: Load) -> None:
    env = load(ENV, pids=64)
    env.setup()
    start = time.monotonic()
    with pytest.raises((CallTimeoutError, EnvironmentEndedError)):
        env.call("bomb", _timeout=1)
    assert time.monotonic() - start < 120  # the limit of a call is an hour, if nothing ends it
    env.setup()
    assert env.echo(1) == 1


def test_output_that_looks_like_protocol(load: Load) -> None:
    env = load(ENV)
    env.setup()
    head = 'HTTP/1.1 200 .\r\nContent-Length: 0\r\n\r\n{"status": 200, "length": 0}\n'
    assert env.speak(head) == "spoken"
    assert "HTTP/1.1 200" in docker("logs", env.id)
    assert env.speak("x" * 65_000, times=1000) == "spoken"
    assert env.echo(2) == 2


def test_endless_output_fills_neither_the_caller_nor_the_disk(load: Load) -> None:
    env = load(ENV)
    env.setup()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CallTimeoutError):
        env.call("flood", _timeout=4)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB
    assert len(docker("logs", env.id)) < 20 << 20  # 8 MiB at most, and less just after a rotation
    assert env.echo(1) == 1


def test_gigabytes_as_a_result(load: Load) -> None:
    env = load(ENV, memory="3g")
    env.setup()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TransferError, match=r"too large: 1024\.0 MiB"):
        env.big(1 << 30)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert env.echo(1) == 1


def test_a_result_whose_unpickling_would_run_code(load: Load) -> None:
    env = load(ENV)
    env.setup()
    with pytest.raises(TransferError, match="Evil cannot be sent"):
        env.evil()
    assert "executed" not in docker("exec", env.id, "ls", "/tmp")


BROKEN = {
    "x = 1\nimport nothing_like_it\n": r"env\.py:2: .*ModuleNotFoundError: No module named",
    "class Actor:\n    def __init__(self):\n        1 / 0\n": r"env\.py:3: .*ZeroDivisionError",
    "import sys\nsys.exit('bye')\n": r"env\.py:2: .*SystemExit: bye",
}


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_file_is_named_with_its_line(load: Load, source: str) -> None:
    env = load(source)
    with pytest.raises(SetupError, match=BROKEN[source]):
        env.setup()
    assert not env.is_ready()


def test_a_killed_container_is_diagnosed_at_once(load: Load) -> None:
    env = load(ENV)
    env.setup(API_KEY="canary-4711")
    env.speak("famous last words canary-4711")
    threading.Timer(0.5, docker, ["kill", env.id]).start()
    start = time.monotonic()
    with pytest.raises(EnvironmentEndedError) as caught:
        env.sleep(60)
    assert time.monotonic() - start < LOADED
    assert "killed (exit code 137)" in str(caught.value)
    assert "famous last words (sensitive value)" in str(caught.value)
    assert not env.is_ready()
    assert hasattr(env, "echo")
    with pytest.raises(EnvironmentEndedError):
        env.echo(1)


def test_the_agent_survives_being_asked_nonsense(load: Load) -> None:
    import socket  # noqa: PLC0415

    env = load(ENV)
    env.setup()
    address = docker("port", env.id, "8466").rpartition(":")
    for said in (
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /call/end HTTP/1.1\r\nAuthorization: Bearer wrong\r\nContent-Length: 0\r\n\r\n",
        b"x" * 100_000,
    ):
        with socket.create_connection((address[0], int(address[2])), 5) as connection:
            connection.sendall(said)
            connection.settimeout(5)
            answer = connection.recv(1000) if said.startswith((b"GET", b"POST")) else b"401"
            assert b"401" in answer
    assert env.echo(1) == 1
