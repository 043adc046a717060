"""What `build_image_from_env` shows of a build: on a terminal, elsewhere, and when quiet."""

import os
import pty
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.rayfine.docker.build_progress import BuildDisplay, displayed
from reconciler.support.terminal import Screen

ROOT = Path(__file__).parents[3]
BUILD = """
import sys
from rayfine_env import build_image_from_env
build_image_from_env(sys.argv[1], sys.argv[2], "reconciler/python-base:local",
                     nocache=True, quiet=len(sys.argv) > 3)
"""


class Recorded(Screen):
    """A screen that keeps what it is told."""

    def __init__(self, *, repaints: bool) -> None:
        self.repaints = repaints
        self.lines: list[str] = []
        self.now: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def running(self, texts: list[str]) -> None:
        self.now = texts


def test_a_screen_that_repaints_keeps_the_steps_and_shows_the_rest_in_passing() -> None:
    screen, time = Recorded(repaints=True), [0.0]
    display = BuildDisplay(screen, "a:v1", lambda: time[0])
    display.news("Step 1/2 : FROM x")
    time[0] = 3.2
    display.news("Collecting \x1b[31mnumpy")
    assert screen.now == ["a:v1: building 3s Collecting \\x1b[31mnumpy"]
    time[0] = 60
    display.tick()
    assert screen.now == ["a:v1: building 60s Collecting \\x1b[31mnumpy"]
    display.end(good=True)
    assert screen.lines == [
        "a:v1: Building...",
        "a:v1: Step 1/2 : FROM x",
        "a:v1: Build complete after 60s",
    ]
    assert screen.now == []


def test_plain_lines_say_everything_and_that_it_goes_on() -> None:
    screen, time = Recorded(repaints=False), [0.0]
    display = BuildDisplay(screen, "a:v1", lambda: time[0])
    display.news("Collecting numpy")
    for second in range(25):
        time[0] = second
        display.tick()
    assert screen.lines == [
        "a:v1: Building...",
        "a:v1: Collecting numpy",
        "a:v1: Still building... [10s elapsed]",
        "a:v1: Still building... [20s elapsed]",
    ]


def test_a_failure_ends_the_display() -> None:
    screen = Recorded(repaints=False)
    with pytest.raises(ValueError, match="no"), displayed(BuildDisplay(screen, "a:v1")):
        raise ValueError("no")
    assert screen.lines[-1] == "a:v1: Build failed after 0s"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    directory = tmp_path_factory.mktemp("displayed")
    (directory / "env.py").write_text("def f(): return 1\n")
    tag = f"rectest-{uuid.uuid4().hex[:8]}-displayed:v1"
    yield str(directory), tag
    found = subprocess.run(
        ["docker", "images", "-q", tag.partition(":")[0]],
        capture_output=True, check=True, text=True,
    ).stdout.split()  # fmt: skip
    subprocess.run(["docker", "rmi", "-f", *set(found)], check=True, capture_output=True)


def variables(**extra: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in ("CI", "NO_COLOR")}
    return {**kept, "PYTHONPATH": str(ROOT), **extra}


@pytest.mark.docker
def test_on_a_terminal_it_is_live(environment: tuple[str, str]) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, *environment],
        stderr=theirs, stdout=subprocess.PIPE, env=variables(TERM="xterm", COLUMNS="100"),
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        said += chunk
    os.close(ours)
    out, _ = process.communicate()
    text = said.decode()
    assert process.returncode == 0, text
    assert out == b""
    assert "Step 1/" in text
    assert re.search(r"building \d+s", text)
    assert "\x1b[2K" in text  # a line is repainted
    assert "Build complete after" in text


@pytest.mark.docker
@pytest.mark.parametrize("quiet", [False, True])
def test_elsewhere_it_is_lines_or_nothing(environment: tuple[str, str], quiet: bool) -> None:
    words = [sys.executable, "-c", BUILD, *environment, *(["quiet"] if quiet else [])]
    done = subprocess.run(words, capture_output=True, check=False, text=True, env=variables())
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    if quiet:
        assert done.stderr == ""
    else:
        lines = done.stderr.splitlines()
        assert lines[0] == f"{environment[1]}: Building..."
        assert any("Step 1/" in line for line in lines)
        assert "Build complete after" in lines[-1]
        assert "\x1b" not in done.stderr
