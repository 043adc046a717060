"""The picture of the comment in docs/gitops.md."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/comment_picture.py"
MOST = 150_000
"""Bytes: what a page of the documentation may cost its reader."""


def test_it_shows_what_the_action_writes_now() -> None:
    """Renew it with `.venv/bin/python scripts/comment_picture.py`."""
    assert subprocess.run([sys.executable, SCRIPT, "--check"], check=False).returncode == 0
    assert (ROOT / "docs/pictures/comment.png").stat().st_size < MOST


@pytest.mark.browser
def test_it_can_be_painted(tmp_path: Path) -> None:
    made = tmp_path / "comment.png"
    subprocess.run([sys.executable, SCRIPT, made], check=True, capture_output=True)
    data = made.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(data[16:20], "big") == 860
    assert int.from_bytes(data[20:24], "big") > 600, "as high as the comment is long"
    assert len(data) < MOST
