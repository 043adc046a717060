"""Environments that `reconcile serve` serves, in a process of its own as elsewhere."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.rayfine import build_image_from_env
from tests.acceptance.project import Ran

ENV = """\
import asyncio
import os
import time

class Actor:
    def __init__(self):
        self.key = os.getenv("MY_KEY", "")

    async def evaluate(self, task_type="sat", num_samples=1, **kwargs):
        return {"task": task_type, "samples": num_samples, "key": len(self.key), **kwargs}

def echo(value):
    return value

def fail(text):
    raise ValueError(text + os.getenv("MY_KEY", ""))

def sleep(seconds, note=""):
    if note:
        open(note, "w").close()
    time.sleep(seconds)
    return seconds

def hold(note, go):
    open(note, "w").close()
    while not os.path.exists(go):
        time.sleep(0.01)

def notes():
    return sorted(os.listdir("/tmp"))

def die():
    os._exit(3)
"""
TOKEN = "a-token-of-the-tests"
Command = Callable[..., Ran]


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, check=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("env")
    (directory / "env.py").write_text(ENV)
    name = f"rectest-{uuid.uuid4().hex[:8]}-remote"
    build_image_from_env(
        str(directory), f"{name}:v1", base_image="reconciler/python-base:local", quiet=True
    )
    yield f"{name}:v1"
    docker("rmi", "-f", *docker("images", "--format", "{{.Repository}}:{{.Tag}}", name).split())


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line, with the token in the variable T."""
    monkeypatch.setenv("T", TOKEN)

    def ran(*words: str) -> Ran:
        code = run(list(words))
        said = capsys.readouterr()
        return Ran(int(code), said.out, said.err)

    return ran


class Server:
    """A running `reconcile serve`."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process = process
        self.url = url

    def stop(self, number: signal.Signals = signal.SIGINT) -> str:
        """End it; what it said on standard error."""
        self.process.send_signal(number)
        try:
            _, said = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            raise AssertionError(self.process.communicate()[1]) from None
        return said


@contextmanager
def serving(image: str, *words: str, **variables: str) -> Iterator[Server]:
    arguments = ["serve", image, "--json", "--token-env", "T", "--engine", "process", *words]
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "T": TOKEN, "PYTHONFAULTHANDLER": "1", **variables},
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield Server(process, json.loads(line)["url"])
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)
