"""Files that commands are given: none is waited for, and none is read without end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.errors import ReconcileError
from reconciler.support.plain_file import os_errors_as, read_plain

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


def test_an_error_of_the_system_becomes_one_of_ours(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    with (
        pytest.raises(ReconcileError) as raised,
        os_errors_as(ReconcileError, "cannot read it", missing, "make one"),
    ):
        read_plain(missing, 10)
    assert raised.value.what == "cannot read it: No such file or directory"
    assert (raised.value.where, raised.value.fix) == (str(missing), "make one")


def test_a_link_is_followed_only_if_asked(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_plain(tmp_path / "link", 10) == b"x"
    with pytest.raises(OSError, match="symbolic links"):
        read_plain(tmp_path / "link", 10, follow=False)
