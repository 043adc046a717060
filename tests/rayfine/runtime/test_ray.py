"""`engine: ray` on a real engine with real Ray."""

import time

import pytest

from reconciler.rayfine import load_env
from reconciler.rayfine.runtime.errors import (
    CallTimeoutError,
    EnvironmentEndedError,
    LoadError,
    RemoteError,
    TransferError,
)
from tests.rayfine.runtime.conftest import LOADED, RAY_BASE, Images, Load, docker

pytestmark = pytest.mark.docker

ENV = """
import asyncio, os, time
import numpy
import ray

class Actor:
    def __init__(self):
        self.count = 0
        self.loop = asyncio.get_event_loop()
    def add(self):
        self.count += 1
        return self.count
    async def same_loop(self): return asyncio.get_running_loop() is self.loop

def echo(value): return value
def where(): return type(ray.get_runtime_context().get_actor_id()).__name__
def task(x):
    return ray.get(ray.remote(num_cpus=0)(lambda y: y + 1).remote(x))
def address(): return ray.get_runtime_context().gcs_address
def nodes(): return len(ray.nodes())
def variable(name): return os.environ.get(name)
def fail(): raise ValueError("no: " + os.environ["API_KEY"])
def loop():
    while True: pass
async def pause(seconds): await asyncio.sleep(seconds)
def end(): os._exit(3)
def eat():
    kept = []
    while True: kept.append(bytearray(8 << 20))
class Evil:
    def __reduce__(self): return os.system, ("touch /tmp/executed",)
def evil(): return Evil()
def evil_error():
    error = ValueError("evil")
    error.args = (Evil(),)
    error.__cause__ = type("Odd", (Exception,), {"__reduce__": lambda self: Evil().__reduce__()})()
    raise error
def array():
    a = numpy.arange(6.0).reshape(2, 3)
    return {"sum": float(a.sum()), "kind": type(a).__name__}
"""

JOINED = """FROM reconciler/ray-base:local
WORKDIR /app
COPY . /app/
EXPOSE 10001
CMD ["ray", "start", "--head", "--port=6379", "--include-dashboard=false", "--num-cpus=3", \\
  "--block"]
"""


@pytest.mark.parametrize("mode", ["disabled", "token"])
def test_who_reaches_ray_without_its_token_is_refused(load: Load, mode: str) -> None:
    """Its ports are open to every user of the machine; a driver may run any code."""
    env = load(ENV, base=RAY_BASE, engine="ray")
    env.setup()
    code = f"import ray; ray.init(address={env.address()!r}, log_to_driver=False); print('in')"
    given = ("-e", f"RAY_AUTH_MODE={mode}", "-e", f"RAY_AUTH_TOKEN={'0' * 64}")
    said = docker("exec", *given, env.id, "sh", "-c", f'python3 -c "{code}" 2>&1', check=False)
    assert "Failed to connect" in said
    assert "in" not in said.splitlines()
    assert env.echo(1) == 1


def test_an_actor_of_ray_serves_the_methods(load: Load) -> None:
    env = load(ENV, base=RAY_BASE, engine="ray")
    env.setup(API_KEY="canary-4711")
    assert env.is_ready()
    assert (env.add(), env.add()) == (1, 2)
    assert env.same_loop() is True
    assert env.where() == "str"
    assert env.task(1) == 2
    assert env.array() == {"sum": 15.0, "kind": "ndarray"}
    large = bytes(range(256)) * 16_000
    assert env.echo(large) == large
    with pytest.raises(ValueError, match="no: ") as caught:
        env.fail()
    assert isinstance(caught.value, RemoteError)
    assert "canary" not in str(caught.value)
    assert "in fail" in caught.value.traceback
    for name, args in (("pause", [60]), ("loop", [])):
        with pytest.raises(CallTimeoutError):
            env.call(name, *args, _timeout=0.3)
    with pytest.raises(TransferError, match="Evil cannot be sent"):
        env.evil()
    with pytest.raises(ValueError, match="Evil object"):
        env.evil_error()
    assert "executed" not in docker("exec", env.id, "ls", "/tmp")
    assert env.add() == 3
    env.setup(OTHER="x")
    assert (env.variable("API_KEY"), env.add()) == (None, 1)
    with pytest.raises(EnvironmentEndedError, match="process of its Ray actor ended"):
        env.end()
    env.setup()
    assert env.add() == 1


def test_ray_in_an_image_without_it(load: Load) -> None:
    start = time.monotonic()
    with pytest.raises(LoadError, match=r"No module named 'ray'[\s\S]*engine='process'"):
        load("def f(): ...\n", engine="ray")
    assert time.monotonic() - start < LOADED


def test_out_of_memory(load: Load) -> None:
    env = load(ENV, base=RAY_BASE, engine="ray", memory="1500m")
    env.setup()
    with pytest.raises(EnvironmentEndedError, match="ran out of memory"):
        env.eat()


def test_the_ray_of_the_images_own_command_is_joined(images: Images) -> None:
    tag = images.build(ENV, RAY_BASE, "joined", Dockerfile=JOINED)
    with load_env(tag) as env:
        env.setup(API_KEY="x")
        assert env.add() == 1
        assert env.nodes() == 1
        assert "ray start" in docker("top", env.id)
        assert env.task(2) == 3
