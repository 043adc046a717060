"""Which files of a directory are manifests, and which are refused."""

import os
import socket
from pathlib import Path

import pytest

from reconciler.errors import ManifestError
from reconciler.manifest import read_directory
from reconciler.manifest.files import _Walk
from reconciler.strict_yaml import MAX_BYTES


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "manifests"
    directory.mkdir()
    return directory


def read(directory: Path) -> dict[str, bytes]:
    files, problems = read_directory(directory, directory.parent)
    assert problems == []
    assert [file.name for file in files] == sorted(file.name for file in files)
    return dict(files)


def problem_of(directory: Path) -> tuple[str, str]:
    files, (problem,) = read_directory(directory, directory.parent)
    assert files == []
    assert problem.fix
    return problem.file, problem.message


def test_yaml_files_at_any_depth_sorted_by_path(manifests: Path) -> None:
    for name in ("b.yaml", "a.yml", "z/y/x.yaml", "z/a.yaml", "z.yaml"):
        path = manifests / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert read(manifests) == {
        "manifests/a.yml": b"a.yml",
        "manifests/b.yaml": b"b.yaml",
        "manifests/z.yaml": b"z.yaml",
        "manifests/z/a.yaml": b"z/a.yaml",
        "manifests/z/y/x.yaml": b"z/y/x.yaml",
    }


def test_other_and_hidden_files_are_left_out(manifests: Path) -> None:
    for name in ("README.md", ".hidden.yaml", ".git/a.yaml", "a.yaml.bak", "yaml", "A.YAML"):
        path = manifests / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert read(manifests) == {}


def test_the_root_itself_and_a_directory_elsewhere(manifests: Path, tmp_path: Path) -> None:
    (manifests / "a.yaml").write_text("x")
    files, _ = read_directory(manifests, manifests)
    assert [file.name for file in files] == ["a.yaml"]
    files, _ = read_directory(manifests, tmp_path / "elsewhere")
    assert [file.name for file in files] == [f"{manifests.as_posix()}/a.yaml"]


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as caught:
        read_directory(tmp_path / "manifests", tmp_path)
    assert str(caught.value) == (
        "manifests: there is no such directory\n"
        "  create it, or correct `manifests` in reconciler.yaml"
    )


def test_links_within_the_directory_are_read_once(manifests: Path) -> None:
    (manifests / "..data").mkdir()
    (manifests / "..data" / "real.yaml").write_text("x")
    (manifests / "shown.yaml").symlink_to("..data/real.yaml")
    (manifests / "again.yaml").symlink_to("shown.yaml")
    (manifests / "sub").mkdir()
    (manifests / "sub" / "b.yaml").write_text("y")
    (manifests / "link-to-sub").symlink_to("sub")
    (manifests / "sub" / "up").symlink_to("..")
    (manifests / "aaa.yaml").symlink_to("sub/b.yaml")
    found = read(manifests)
    assert sorted(found.values()) == [b"x", b"y"]
    assert found["manifests/sub/b.yaml"] == b"y"


def test_a_linked_directory_that_is_seen_nowhere_else(manifests: Path) -> None:
    (manifests / ".store").mkdir()
    (manifests / ".store" / "a.yaml").write_text("x")
    (manifests / "current").symlink_to(".store")
    assert read(manifests) == {"manifests/current/a.yaml": b"x"}


@pytest.mark.parametrize("name", ["a.yaml", "directory"])
def test_links_that_leave_the_directory(manifests: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside" / name
    if name == "directory":
        outside.mkdir(parents=True)
    else:
        outside.parent.mkdir()
        outside.write_text("secret: x")
    (manifests / name).symlink_to(outside)
    expected = (f"manifests/{name}", "this link leads out of the manifests directory")
    assert problem_of(manifests) == expected


def test_a_sibling_with_the_same_beginning_is_outside(manifests: Path, tmp_path: Path) -> None:
    (tmp_path / "manifests-2").mkdir()
    (tmp_path / "manifests-2" / "a.yaml").write_text("x")
    (manifests / "a.yaml").symlink_to(tmp_path / "manifests-2" / "a.yaml")
    assert problem_of(manifests)[1] == "this link leads out of the manifests directory"


def test_links_that_lead_nowhere(manifests: Path) -> None:
    (manifests / "README.md").symlink_to("nowhere")
    (manifests / "a.yaml").symlink_to("nowhere")
    assert problem_of(manifests) == ("manifests/a.yaml", "this link leads nowhere")
    (manifests / "a.yaml").unlink()
    (manifests / "b.yaml").symlink_to("b.yaml")
    assert problem_of(manifests) == ("manifests/b.yaml", "this link leads nowhere")


def test_a_pipe_does_not_block(manifests: Path) -> None:
    os.mkfifo(manifests / "a.yaml")
    what = "it cannot be read: it is a pipe or a device, and no file"
    assert problem_of(manifests) == ("manifests/a.yaml", what)


def test_a_device_behind_a_link(manifests: Path) -> None:
    (manifests / "a.yaml").symlink_to("/dev/zero")
    assert problem_of(manifests)[1] == "this link leads out of the manifests directory"


def test_a_manifest_name_on_a_directory(manifests: Path) -> None:
    (manifests / "a.yaml").mkdir()
    (manifests / "a.yaml" / "b.yaml").write_text("x")
    assert read(manifests) == {"manifests/a.yaml/b.yaml": b"x"}


def test_a_socket_is_no_file(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(manifests)  # a socket's path has at most 108 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.yaml")
        name, message = problem_of(manifests)
    assert name == "manifests/a.yaml"
    assert message.startswith("it cannot be read: ")


def test_names_that_are_no_text(manifests: Path) -> None:
    (manifests / os.fsdecode(b"\xff.yaml")).touch()
    assert read(manifests) == {"manifests/\\xff.yaml": b""}


def test_a_file_may_have_a_mebibyte_and_no_more(manifests: Path) -> None:
    path = manifests / "a.yaml"
    path.write_bytes(b"#" * MAX_BYTES)
    assert len(read(manifests)["manifests/a.yaml"]) == MAX_BYTES
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    what = "it cannot be read: it has more than 1,048,576 bytes"
    assert problem_of(manifests) == ("manifests/a.yaml", what)


def test_a_directory_that_may_not_be_read(manifests: Path) -> None:
    """As root nothing is forbidden, so this asks the walk about a directory that is gone."""
    walk = _Walk(str(manifests))
    walk.visit(str(manifests / "gone"), "manifests/gone/")
    (problem,) = walk.problems
    assert problem.message == "it cannot be read: No such file or directory"
