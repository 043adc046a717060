"""`reconcile run`: what is checked before anything starts, and real runs on a real engine."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.calls import read_arguments, read_inputs, sort_results
from reconciler.cli.main import run
from reconciler.errors import ConfigError
from reconciler.rayfine import build_image_from_env
from reconciler.rayfine.runtime.parallel_calls import MapResult

ENV = """\
import os
import time

class Actor:
    def __init__(self):
        self.key = os.getenv("MY_KEY")

    async def evaluate(self, task_type="sat", num_samples=1):
        return {"task": task_type, "samples": num_samples, "has_key": bool(self.key)}

def double(n, pause=0):
    if n == 3:
        raise ValueError("three is not allowed")
    time.sleep(pause)
    return n * 2

def wait():
    time.sleep(600)
"""


def test_arguments_are_json_or_text() -> None:
    given = ["a=1", "b=true", 'c={"x": [1]}', "d=sat", "e=", "f=a=b", 'g="1"']
    assert read_arguments(given) == {
        "a": 1, "b": True, "c": {"x": [1]}, "d": "sat", "e": "", "f": "a=b", "g": "1",
    }  # fmt: skip


def test_inputs_are_objects_or_the_only_argument(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"n": 1}\n\n{"k": 2, "n": 3}\r\n')
    assert read_inputs(str(path), {"k": 0}) == [{"k": 0, "n": 1}, {"k": 2, "n": 3}]
    path.write_text("1\n[2]\n")
    assert read_inputs(str(path), {}) == [1, [2]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"n": 1}\n{"n": \n', "in.jsonl:2: not JSON"),
        (b"\xff\n", "it is not UTF-8"),
        (b"{}\n7\n", "in.jsonl:2: an input that is no object"),
    ],
)
def test_a_bad_input_is_found_before_anything_starts(
    text: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_bytes(text)
    path = str(tmp_path / "in.jsonl")
    assert run(["run", "no/such:image", "f", "--arg", "a=1", "--input", path]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "Missing argument 'ENV'"),
        (["run", "x:y"], "Missing argument 'METHOD'"),
        (["run", "x:y", "f", "--arg", "a"], "write it as --arg KEY=VALUE"),
        (["run", "x:y", "f", "--setup", "=1"], "write it as --setup NAME=VALUE"),
        (["run", "x:y", "f", "--setup-env", "NO_SUCH_1"], "the variable NO_SUCH_1 is not set"),
        (["run", "x:y", "f", "--unordered"], "only for --input"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 1
    assert words in capsys.readouterr().err


def test_results_are_sorted_as_soon_as_their_turn_has_come() -> None:
    seen: list[int] = []

    def source() -> Iterator[MapResult]:
        for index in (1, 0, 2, 4, 3):
            seen.append(index)
            yield MapResult(index, None)

    found = sort_results(source())
    assert next(found).index == 0
    assert seen == [1, 0]
    assert [item.index for item in found] == [1, 2, 3, 4]


def test_a_resource_that_the_manifests_do_not_have(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-C", str(project), "run", "RayfineImage.hallo", "f"]) == 1
    assert "did you mean RayfineImage.hello?" in capsys.readouterr().err


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with the image `hello`, not built."""
    tag = f"rectest-{uuid.uuid4().hex[:8]}-run:v1"
    (tmp_path / "reconciler.yaml").write_text(
        "apiVersion: reconciler/v1\nstack: run\ndefault_target: here\n"
        "targets: {here: {docker: {base_image: reconciler/python-base:local}}}\n"
    )
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "image.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: RayfineImage\nmetadata: {name: hello}\n"
        f"spec: {{path: env, tag: '{tag}'}}\n"
    )
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "env.py").write_text(ENV)
    return tmp_path


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("env")
    (directory / "env.py").write_text(ENV)
    tag = f"rectest-{uuid.uuid4().hex[:8]}-run:v1"
    build_image_from_env(str(directory), tag, base_image="reconciler/python-base:local", quiet=True)
    yield tag
    remove_images(tag.partition(":")[0])


def remove_images(repository: str) -> None:
    found = docker("images", "--format", "{{.Repository}}:{{.Tag}}", repository).split()
    if found:
        docker("rmi", "-f", *found)


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, check=True, text=True).stdout


def left_over(image: str) -> str:
    return docker("ps", "-aq", "--filter", f"ancestor={image}")


@pytest.mark.docker
def test_one_call(
    image: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "canary-123456")
    words = ["run", image, "evaluate", "--engine", "process", "--setup-env", "MY_KEY"]
    assert run([*words, "--arg", "task_type=abd", "--arg", "num_samples=5"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"task": "abd", "samples": 5, "has_key": True}
    assert said.out.count("\n") == 1
    assert f"Starting {image} (engine process)..." in said.err
    assert "canary" not in said.err
    assert not left_over(image)


@pytest.mark.docker
def test_what_env_py_raises_is_told_with_its_traceback(
    image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", image, "double", "--arg", "n=3", "--engine", "process", "-q"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Error: /app/env.py:13: ValueError: three is not allowed")
    assert 'raise ValueError("three is not allowed")' in said.err
    assert run(["run", image, "doubl", "--engine", "process"]) == 1
    assert "did you mean double?" in capsys.readouterr().err
    assert not left_over(image)


@pytest.mark.docker
@pytest.mark.parametrize("order", [[], ["--unordered"]])
def test_many_inputs(
    order: list[str], image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs: list[dict[str, float]] = [{"n": n} for n in range(20)]
    inputs[0]["pause"] = 2 if order else 0.3  # what comes in its turn waits for it, however long
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(each) + "\n" for each in inputs))
    words = ["--input", str(tmp_path / "in.jsonl"), "--engine", "process", "--replicas", "2"]
    assert run(["run", image, "double", *words, *order]) == 1
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert (lines[0]["index"] == 0) is not bool(order)
    lines.sort(key=lambda line: line["index"])
    assert [line.get("result") for line in lines] == [None if n == 3 else 2 * n for n in range(20)]
    error = lines[3]["error"]
    assert (error["type"], error["message"]) == ("ValueError", "ValueError: three is not allowed")
    assert error["where"] == "/app/env.py:13"
    assert "Traceback" in error["traceback"]
    assert "20 of 20 done, 1 failed" in said.err
    assert not left_over(image)


@pytest.mark.docker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_cleans_up(number: signal.Signals, image: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "run", image, "wait", "--engine", "process"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Ready"):
            break
    time.sleep(0.5)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Interrupted: the environment was cleaned up." in said
    assert "Traceback" not in said
    assert not left_over(image)


@pytest.mark.docker
def test_an_image_of_the_manifests(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["double", "--arg", "n=4", "--engine", "process"]
    assert run(["-C", str(project), "run", "RayfineImage.hello", *words]) == 1
    said = capsys.readouterr().err
    assert "the image of its present content is not on this engine" in said
    assert "reconcile apply --only RayfineImage.hello --apply" in said
    try:
        assert run(["-C", str(project), "apply", "--apply"]) == 0
        for name in ("RayfineImage.hello", "hello"):
            capsys.readouterr()
            assert run(["-C", str(project), "run", name, *words]) == 0
            said = capsys.readouterr().err
            assert "Starting RayfineImage.hello (rectest-" in said
            assert ":src-" in said
        (project / "env" / "env.py").write_text(ENV + "\n# changed\n")
        assert run(["-C", str(project), "run", "hello", *words]) == 1
    finally:
        with contextlib.chdir(project):
            spec = (project / "manifests" / "image.yaml").read_text()
        remove_images(spec.partition("tag: '")[2].partition(":")[0])


@pytest.mark.docker
def test_a_sweep_says_what_it_removed(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"rectest-orphan-{os.getpid()}"
    code = (
        "import os, sys\n"
        "from reconciler.rayfine.docker.engine import Engine\n"
        "from reconciler.rayfine.runtime.local_containers import find_image\n"
        "from reconciler.rayfine.runtime.local_containers import launch_of, start_ready\n"
        "from reconciler.rayfine.runtime.load_options import LoadOptions\n"
        "options = LoadOptions(sys.argv[1], engine='process', container_name=sys.argv[2])\n"
        "engine = Engine()\n"
        "image = find_image(engine, sys.argv[1])\n"
        "start_ready(engine, launch_of(engine, options, image, sys.argv[2]))\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, image, name], check=True)
    assert left_over(image)
    assert run(["run", "--sweep"]) == 0
    assert f"Removed container {name}." in capsys.readouterr().out
    assert not left_over(image)


def test_read_arguments_names_the_option() -> None:
    with pytest.raises(ConfigError, match="no name and value"):
        read_arguments(["=1"])
