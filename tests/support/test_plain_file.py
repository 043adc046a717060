"""Files that commands are given: none is waited for, and none is read without end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.support.plain_file import read_plain

CONFIG = """\
apiVersion: reconciler/v1
stack: one
targets: {t: {runai: {sandbox: x.db, seed: seed.yaml}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "reconciler.yaml").write_text(CONFIG)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "seed.yaml").write_text("clusters: []\n")
    return tmp_path


def fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def too_large(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(2 << 30)  # sparse: nothing of it is on the disk


@pytest.mark.parametrize("make", [fifo, too_large])
@pytest.mark.parametrize(
    ("file", "arguments"),
    [
        ("plan.json", ["show", "plan.json"]),
        ("plan.json", ["apply", "plan.json"]),
        ("plan.json", ["graph", "plan.json"]),
        ("plan.json", ["plan", "--target", "t", "--reviewed", "plan.json"]),
        ("reconciler.yaml", ["validate"]),
        ("manifests/a.yaml", ["validate"]),
        ("seed.yaml", ["plan", "--target", "t"]),
    ],
)
def test_what_is_no_plain_file_is_refused_at_once(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], None],
    file: str,
    arguments: list[str],
) -> None:
    make(project / file)
    if file == "plan.json":
        arguments = [str(project / word) if word == file else word for word in arguments]
    assert run(["-C", str(project), *arguments]) == 1
    said = capsys.readouterr().err
    assert file in said
    assert len(said) < 1000


def test_the_words_say_what_it_is(tmp_path: Path) -> None:
    fifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"four")
    assert read_plain(tmp_path / "file", 4) == b"four"
    for name, words in (("pipe", "a pipe or a device"), (".", "a directory")):
        with pytest.raises(OSError, match=words):
            read_plain(tmp_path / name, 4)
    with pytest.raises(OSError, match="more than 3 bytes"):
        read_plain(tmp_path / "file", 3)
    with pytest.raises(OSError, match="a pipe or a device"):
        read_plain(Path(os.devnull), 3)
