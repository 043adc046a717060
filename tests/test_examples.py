"""The programs in examples/ run as they are, on a real engine, and print what they should."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RAYFINE = ROOT / "examples/rayfine"
TAGS = ("affine", "hello")

pytestmark = pytest.mark.docker


def run(*words: str | Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=RAYFINE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def tags() -> dict[str, str]:
    lines = subprocess.run(
        ["docker", "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"],
        capture_output=True, check=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    found = dict(line.split() for line in lines)
    return {tag: image for tag, image in found.items() if tag.partition(":")[0] in TAGS}


@pytest.fixture(scope="module")
def built() -> Iterator[list[str]]:
    """What example.py printed; the names that it uses are given back."""
    before = tags()
    yield run("example.py", "reconciler/ray-base:local")
    for tag, image in before.items():
        subprocess.run(["docker", "tag", image, tag], check=True)
    if made := sorted(tags().keys() - before.keys()):
        subprocess.run(["docker", "rmi", *made], check=True, capture_output=True)


def test_the_build_example(built: list[str]) -> None:
    now = tags()
    assert built == [f"{name}:latest is {now[f'{name}:latest']}" for name in TAGS]


def test_the_runtime_example(built: list[str]) -> None:
    assert run("test/example.py") == [
        "methods: evaluate, list_tasks, status",
        "ready: True",
        "sat: {'task_name': 'sat', 'total_score': 1.0, 'samples': 5}",
        "status: {'evaluations': 1, 'has_api_key': True}",
        "sum: {'task_name': 'sum', 'total_score': 1.0, 'samples': 3}",
        "tasks: ['sat', 'sum']",
        "Good morning, Ada!",
        "active: 2",
        "active: 0",
    ]


def test_many_samples_in_parallel(built: list[str]) -> None:
    assert run("evaluate_many.py", "60") == ["60 samples, mean score 1.00, 0 failed"]
