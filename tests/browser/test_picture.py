"""The pictures of the documentation."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/pictures.py"
PICTURES = ROOT / "docs/pictures"
MOST = 150_000
"""Bytes: what a page of the documentation may cost its reader."""


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *words]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_each_shows_what_is_printed_today() -> None:
    """Renew them with `.venv/bin/python scripts/pictures.py`."""
    done = run("--check")
    assert done.returncode == 0, done.stderr
    assert all(file.stat().st_size < MOST for file in PICTURES.iterdir())


def test_a_picture_of_another_text_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(PICTURES, tmp_path, dirs_exist_ok=True)
    drawn = (tmp_path / "plan.svg").read_text(encoding="utf-8")
    assert drawn.count("24.05-py3") == 2
    (tmp_path / "plan.svg").write_text(drawn.replace("24.05-py3", "24.06-py3"), encoding="utf-8")
    done = run("--check", "--to", tmp_path, "plan")
    assert (done.returncode, done.stderr) == (1, "of another text: plan\n")


def test_the_terminal_fetches_nothing() -> None:
    drawn = (PICTURES / "plan.svg").read_text(encoding="utf-8")
    assert "@font-face" not in drawn
    assert drawn.count("url(") == drawn.count("url(#plan-")


@pytest.mark.browser
@pytest.mark.parametrize(("name", "width"), [("comment", 860), ("page", 1000)])
def test_it_can_be_painted(name: str, width: int, tmp_path: Path) -> None:
    done = run("--to", tmp_path, name)
    assert done.returncode == 0, done.stderr
    data = (tmp_path / f"{name}.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(data[16:20], "big") == width
    assert int.from_bytes(data[20:24], "big") > 600, "as high as its text is long"
    assert len(data) < MOST
