"""Rayfine environments against the README's own design: its Dockerfile, and Ray Client.

Both sides take turns in the same run, and the best round of each counts: it is the one least
disturbed by the rest of the machine.
"""

import json
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, limit_row
from reconciler.rayfine import EnvironmentWrapper, build_image_from_env, load_env, warm_up
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.image.build_input import DEFAULT_BASE

RAY_BASE = "reconciler/ray-base:local"
PYTHON_BASE = "reconciler/python-base:local"
ROUNDS = 5
TRIES = 6
"""On a busy machine, Ray Client's server gives up now and then, half a minute after its start."""

_ENV = (
    "import time\n\nclass Actor:\n"
    "    def echo(self, value): return value\n"
    "    def nap(self, seconds): time.sleep(seconds)\n"
)
_DOCKERFILE = f"""FROM {RAY_BASE}
WORKDIR /app
COPY . /app/
RUN pip install --no-cache-dir -r requirements.txt
EXPOSE 10001
CMD ["ray", "start", "--head", "--port=6379", "--dashboard-host=0.0.0.0", "--block"]
"""


class Images:
    """The three images: the README's own Dockerfile, generated with Ray, generated without."""

    def __init__(self, work: Path) -> None:
        self.readme = _build(work / "readme", "", Dockerfile=_DOCKERFILE, requirements="")
        self.ray = _build(work / "ray", RAY_BASE)
        self.process = _build(work / "process", PYTHON_BASE)

    def remove(self) -> None:
        """Remove them and their content tags."""
        lines = _docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        _docker("rmi", *[line for line in lines if line.startswith("reconciler-bench-rayfine-")])


class PeerFailedError(Exception):
    """Ray Client did not get that far; its own words are on standard error."""


class Peer:
    """A process with Ray Client, connected. `first` is in seconds, from `docker run` on."""

    def __init__(self, python: Path, *words: str) -> None:
        """Raises `PeerFailedError`, and then leaves nothing behind."""
        script = Path(__file__).with_name("ray_client.py")
        self._process = subprocess.Popen(
            [python, "-W", "ignore", script, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.container = ""
        try:
            self.container = str(self._answer())
            self.first = float(self._answer())
        except BaseException:
            self.close()
            raise

    def median(self, what: str, count: int) -> float:
        """Of so many calls; `what` is `call`, or `echo` with 1 MB."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what} {count}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """End it, and its container."""
        self._process.communicate(timeout=60)
        if self.container:
            _docker("rm", "--force", "--volumes", self.container)

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailedError
        return json.loads(line)


def _started_peer(python: Path, *words: str) -> Peer:
    """The first that works: Ray Client's server for a new client does not start every time."""
    for _ in range(TRIES):
        with suppress(PeerFailedError):
            return Peer(python, *words)
    raise SystemExit("Ray Client cannot be started here; its own words are above")


def rayfine_rows(work: Path, cache: Path) -> Iterator[Row]:
    """All rows; says so and yields none where the base images or a fitting Python are missing."""
    version = _ray_version()
    if version is None:
        return
    python = _python_with_ray(cache / f"ray-{version}", version)
    images = Images(work)
    try:
        yield from _call_rows(python, images)
        yield from _cold_rows(python, images)
        yield from _warm_rows(images)
        yield _spread_row(images)
    finally:
        images.remove()


def _call_rows(python: Path, images: Images) -> Iterator[Row]:
    with _loaded(images.readme) as env, _loaded(images.process, engine="process") as light:
        form = "{{.NetworkSettings.Networks.rayfine.IPAddress}}"
        peer = _started_peer(python, "join", _docker("inspect", "--format", form, env.id).strip())
        try:
            best = _rounds(
                {
                    "peer": lambda: peer.median("call", 100),
                    "ray": lambda: _median(lambda: env.echo(1), 100),
                    "process": lambda: _median(lambda: light.echo(1), 300),
                }
            )
            large = bytes(1 << 20)
            echo = _rounds(
                {
                    "peer": lambda: peer.median("echo", 20),
                    "ray": lambda: _median(lambda: env.echo(large), 20),
                }
            )
        finally:
            peer.close()
    name = "Ray Client, same container"
    yield _ms_row("call, engine ray, p50", best["ray"], (name, best["peer"]), 0.5)
    yield _ms_row("call, engine process, p50", best["process"], ("Ray Client", best["peer"]), 0.15)
    yield _ms_row("echo of 1 MB, engine ray, p50", echo["ray"], (name, echo["peer"]), 0.7)


def _cold_rows(python: Path, images: Images) -> Iterator[Row]:
    ours, theirs, ends = [], [], {"ray": [0.0], "process": [0.0]}
    memory = {}
    for _ in range(3):
        peer = _started_peer(python, "start", images.readme)
        theirs.append(peer.first)
        time.sleep(2)
        memory["peer"] = _megabytes(peer.container)
        peer.close()
        for kind, image in (("ray", images.ray), ("process", images.process)):
            begin = time.perf_counter()
            with _loaded(image, engine=kind) as env:
                env.echo(1)
                if kind == "ray":
                    ours.append(time.perf_counter() - begin)
                time.sleep(2)
                memory[kind] = _megabytes(env.id)
                begin = time.perf_counter()
            ends[kind].append(time.perf_counter() - begin)
    readme = "README's Dockerfile, Ray Client"
    yield _ms_row("load_env to first answer, cold, ray", min(ours), (readme, min(theirs)), 0.8)
    for kind, found in ends.items():
        yield limit_row(f"cleanup, engine {kind}", statistics.median(found[1:]), 0.5, "s")
    ratio = memory["ray"] / memory["peer"]
    yield Row(
        "idle memory, engine ray",
        f"{memory['ray']:.0f} MB",
        f"README's Dockerfile {memory['peer']:.0f} MB",
        ratio,
        "<= 0.65 x",
        ratio <= 0.65,
    )
    yield limit_row("idle memory, engine process", memory["process"], 60, "MB")


def _warm_rows(images: Images) -> Iterator[Row]:
    for kind, image in (("ray", images.ray), ("process", images.process)):
        found = []
        warm_up(image, ROUNDS, engine=kind)
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            with _loaded(image, engine=kind) as env:
                env.echo(1)
                found.append(time.perf_counter() - begin)
        words = f"load_env to first answer, warm, {kind}"
        yield limit_row(words, min(found) * 1000, 60, "ms")


def _spread_row(images: Images) -> Row:
    took = {}
    for replicas in (1, 4):
        with _loaded(images.process, engine="process", replicas=replicas) as env:
            begin = time.perf_counter()
            errors = [item.error for item in env.map("nap", [0.05] * 1000) if item.error]
            took[replicas] = time.perf_counter() - begin
            if errors:
                raise errors[0]
    gain = took[1] / took[4]
    words = "1,000 calls of 50 ms on 4 replicas"
    return Row(
        words, f"{took[4]:.1f} s", f"1 replica {took[1]:.1f} s", gain, ">= 3.6 x", gain >= 3.6
    )


@contextmanager
def _loaded(image: str, **options: Any) -> Iterator[EnvironmentWrapper]:
    with load_env(image, **options) as env:
        env.setup(API_KEY="x")
        yield env


def _rounds(sides: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The best round of each side."""
    found = [{name: measure() for name, measure in sides.items()} for _ in range(ROUNDS)]
    return {name: min(item[name] for item in found) for name in sides}


def _median(call: Callable[[], object], count: int) -> float:
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        found.append(time.perf_counter() - begin)
    return statistics.median(found)


def _ms_row(name: str, ours: float, peer: tuple[str, float], most: float) -> Row:
    words, theirs = peer
    ratio = ours / theirs
    return Row(
        name,
        f"{ours * 1000:.2f} ms",
        f"{words} {theirs * 1000:.2f} ms",
        ratio,
        f"<= {most:g} x",
        ratio <= most,
    )


def _megabytes(container: str) -> float:
    """Memory of a container without the page cache that can be given up, as `docker stats`."""
    with Engine().session() as client:
        stats: Any = client
        found = stats.stats(container, stream=False)["memory_stats"]
    detail = found["stats"]
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    return float(found["usage"] - cache) / 1e6


def _build(directory: Path, base: str, **files: str) -> str:
    directory.mkdir()
    names = {"requirements": "requirements.txt"}
    for name, text in {"env.py": _ENV, **files}.items():
        (directory / names.get(name, name)).write_text(text)
    tag = f"reconciler-bench-rayfine-{directory.name}:1"
    build_image_from_env(str(directory), tag, base_image=base or DEFAULT_BASE, quiet=True)
    return tag


def _ray_version() -> str | None:
    """Ray's in the base image; None, and why, where nothing can be compared."""
    code = "import ray, sys; print(ray.__version__, '%d.%d' % sys.version_info[:2])"
    done = subprocess.run(
        ["docker", "run", "--rm", RAY_BASE, "python3", "-c", code],
        capture_output=True,
        check=False,
        text=True,
    )
    if done.returncode:
        print(f"{RAY_BASE} is not to be run here: the rayfine rows are left out")
        return None
    version, minor = done.stdout.split()
    if minor != f"{sys.version_info[0]}.{sys.version_info[1]}":
        print(f"Ray Client needs Python {minor} here as well: the rayfine rows are left out")
        return None
    return version


def _python_with_ray(directory: Path, version: str) -> Path:
    """A virtual environment with the same Ray; made once and kept."""
    python = directory.absolute() / "bin" / "python"
    if not (directory / "complete").exists():
        venv.create(directory, with_pip=True)
        words = ["-m", "pip", "install", "--quiet", f"ray[client]=={version}"]
        subprocess.run([python, *words], check=True, stdout=subprocess.DEVNULL)
        (directory / "complete").touch()
    return python


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout
