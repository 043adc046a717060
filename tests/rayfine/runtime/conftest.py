"""Environments built once per run on a real engine, and loaded for one test."""

import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from reconciler.rayfine import EnvironmentWrapper, build_image_from_env, load_env
from reconciler.rayfine.docker.engine import Engine
from tests.rayfine.runtime.agents import Agent, agent, environment

PYTHON_BASE = "reconciler/python-base:local"
RAY_BASE = "reconciler/ray-base:local"

LOADED = 28.0
"""Seconds for what takes one or two, on a machine that is busy; its alternative takes 30 or 60."""

Load: TypeAlias = Callable[..., EnvironmentWrapper]


def docker(*words: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, check=False, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def wait_for_file(container: str, path: str, seconds: float = 60.0) -> None:
    """Return once a file is in a container: a call that writes it is under way."""
    deadline = time.monotonic() + seconds
    while docker("exec", container, "ls", path, check=False) != path:
        assert time.monotonic() < deadline, f"no {path} in {container}"
        time.sleep(0.02)


class Images:
    """Images of this run, built when they are first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._prefix = f"rectest-{uuid.uuid4().hex[:8]}"
        self._tags: dict[tuple[str, ...], str] = {}

    def build(self, source: str, base: str = PYTHON_BASE, name: str = "env", **files: str) -> str:
        key = (source, base, name, *sorted(f"{file}={text}" for file, text in files.items()))
        if key not in self._tags:
            directory = self._directory / f"{name}-{len(self._tags)}"
            directory.mkdir()
            for file, text in {"env.py": source, **files}.items():
                (directory / file).write_text(text)
            tag = f"{self._prefix}-{name}-{len(self._tags)}:v1"
            build_image_from_env(str(directory), tag, base_image=base, quiet=True)
            self._tags[key] = tag
        return self._tags[key]

    def remove(self) -> None:
        lines = docker("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
        if tags := [line for line in lines if self._prefix in line]:
            docker("rmi", "-f", *tags)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    found = Images(tmp_path_factory.mktemp("environments"))
    yield found
    found.remove()


@pytest.fixture
def load(images: Images) -> Iterator[Load]:
    """Load an environment from the text of its env.py; `engine="process"` unless told otherwise."""
    with ExitStack() as stack:

        def start(source: str, *, base: str = PYTHON_BASE, **options: Any) -> EnvironmentWrapper:
            tag = images.build(source, base)
            env = load_env(tag, **{"engine": "process", **options})
            stack.callback(env.cleanup)
            return env

        yield start


@pytest.fixture
def replica(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Agent]:
    """An agent without a container, with the `ENV` of the test's module."""
    with agent(tmp_path, request.module.ENV) as found:
        yield found


@pytest.fixture(scope="module")
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Agent]:
    """The same, one for all tests of the module: its `replica` may be this one."""
    with agent(tmp_path_factory.mktemp("env"), request.module.ENV) as found:
        yield found


@pytest.fixture
def env(replica: Agent) -> EnvironmentWrapper:
    """The environment with that agent alone."""
    return environment(replica)


@pytest.fixture
def engine() -> Iterator[Engine]:
    found = Engine()
    yield found
    found.close()
