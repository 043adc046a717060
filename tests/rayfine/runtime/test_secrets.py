"""A canary given to setup is nowhere but in the process of env.py."""

import contextlib
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import RayfineError
from tests.rayfine.runtime.conftest import PYTHON_BASE, RAY_BASE, Load, docker

pytestmark = pytest.mark.docker

ENV = """
import os, time
class Actor:
    def __init__(self):
        self.key = os.environ["API_KEY"]
    def known(self): return len(self.key)
    def fail(self): raise RuntimeError("with " + self.key)
    def sleep(self): time.sleep(60)
    def end(self): os._exit(3)
"""


@pytest.mark.parametrize(("kind", "base"), [("process", PYTHON_BASE), ("ray", RAY_BASE)])
def test_a_canary_is_nowhere(load: Load, kind: str, base: str, tmp_path: Path) -> None:
    canary = f"canary-{uuid.uuid4().hex}"
    env = load(ENV, base=base, engine=kind)
    env.setup(API_KEY=canary)
    assert env.known() == len(canary)
    said = []
    for name, args, limit in (
        ("fail", [], None),
        ("sleep", [], 0.2),
        ("known", [canary], None),
        ("end", [], None),
        ("known", [], None),
    ):
        with pytest.raises(RayfineError) as caught:
            env.call(name, *args, _timeout=limit)
        said.append(f"{caught.value} {caught.value!r} {caught.value.__cause__!r}")
    env.setup(API_KEY=canary)
    image = docker("inspect", "-f", "{{.Image}}", env.id)
    commands = [
        ["docker", "inspect", env.id],
        ["docker", "inspect", image],
        ["docker", "history", "--no-trunc", image],
        ["docker", "logs", env.id],
        ["docker", "top", env.id, "-eo", "args"],
        ["docker", "diff", env.id],
        ["docker", "exec", env.id, "grep", "-rl", canary, "/tmp", "/app", "/home", "/.rayfine"],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        said.append(done.stdout + done.stderr)
    time.sleep(0.1)  # what the last call started has its command line by then
    said += processes()
    docker("kill", env.id)
    with pytest.raises(RayfineError) as caught:
        env.known()
    said.append(str(caught.value))
    assert [text for text in said if canary in text] == []


def processes() -> Iterator[str]:
    """The command lines of all that runs on this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
