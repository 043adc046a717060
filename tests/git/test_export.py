"""Files of a commit are written as a checkout writes them, whatever the attributes say."""

import os
import stat
from pathlib import Path

import pytest

from reconciler.errors import ConfigError
from reconciler.git.repository import open_repository
from tests.acceptance.git_project import git

ATTRIBUTES = """\
*.bat text eol=crlf
*.sh text eol=lf
*.auto text=auto
*.id ident
*.u16 text working-tree-encoding=UTF-16LE-BOM
*.bin -text
*.hidden export-ignore
*.subst export-subst
*.up filter=upper
"""
FILES = {
    ".gitattributes": ATTRIBUTES.encode(),
    "context/run.bat": b"one\ntwo\n",
    "context/run.sh": b"one\ntwo\n",
    "context/some.auto": b"one\ntwo\n",
    "context/plain.txt": b"one\ntwo\n",
    "context/name.id": b"$Id$\n",
    "context/wide.u16": "grün\n".encode("utf-16"),
    "context/raw.bin": b"one\r\ntwo\n\0",
    "context/not.hidden": b"part of a context all the same\n",
    "context/not.subst": b"$Format:%H$\n",
    "context/loud.up": b"text\n",
    "context/deep/.gitattributes": b"*.txt text eol=crlf\n",
    "context/deep/here.txt": b"one\ntwo\n",
    "context/caf\xe9".encode("latin-1").decode("utf-8", "surrogateescape"): b"odd name\n",
    "beside/other.bat": b"not asked for\n",
}


def tree(place: Path) -> dict[str, tuple[str, bytes]]:
    """What is on a disk: path -> sort and content."""
    found = {}
    for directory, _, names in os.walk(place):
        for name in names:
            path = Path(directory) / name
            if ".git" in path.parts:
                continue
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                found[str(path.relative_to(place))] = ("link", os.fsencode(path.readlink()))
            else:
                sort = "755" if mode & stat.S_IXUSR else "644"
                found[str(path.relative_to(place))] = (sort, path.read_bytes())
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "project")
    place = tmp_path / "project"
    for name, data in FILES.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (place / "context/run.sh").chmod(0o755)
    (place / "context/link").symlink_to("run.bat")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "-m", "Begin")
    return place


@pytest.mark.parametrize("autocrlf", ["false", "true", "input"])
@pytest.mark.parametrize("eol", ["lf", "crlf", "native"])
def test_an_export_is_what_a_checkout_is(
    project: Path, tmp_path: Path, autocrlf: str, eol: str
) -> None:
    settings = ("-c", f"core.autocrlf={autocrlf}", "-c", f"core.eol={eol}")
    upper = ("-c", "filter.upper.smudge=tr a-z A-Z", "-c", "filter.upper.clean=tr A-Z a-z")
    git(tmp_path, "clone", "--quiet", *settings, *upper, str(project), "cloned")
    clone = tmp_path / "cloned"
    wanted = {name: item for name, item in tree(clone).items() if name.startswith("context/")}
    assert wanted["context/run.bat"][1] == b"one\r\ntwo\r\n"
    assert wanted["context/loud.up"][1].upper() == wanted["context/loud.up"][1]
    assert wanted["context/name.id"][1].startswith(b"$Id: ")
    # what is on the disk and in the index of today says nothing of the commit
    (clone / ".gitattributes").write_text("*.bat -text\n")
    git(clone, "rm", "--quiet", "-r", "--cached", "context")
    before = git(clone, "ls-files", "--stage")
    repository = open_repository(clone)
    repository.export("HEAD", ["context"], tmp_path / "out")
    assert tree(tmp_path / "out") == wanted
    assert git(clone, "ls-files", "--stage") == before


def test_nothing_to_export(project: Path, tmp_path: Path) -> None:
    repository = open_repository(project)
    repository.export("HEAD", ["missing"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_sparse_checkout_exports_all_of_a_commit(project: Path, tmp_path: Path) -> None:
    git(project, "sparse-checkout", "set", "--cone", "beside")
    repository = open_repository(project)
    repository.export("HEAD", ["context"], tmp_path / "out")
    assert "context/run.bat" in tree(tmp_path / "out")
    assert not (project / "context").exists()


def test_a_partial_clone_fetches_what_is_read(project: Path, tmp_path: Path) -> None:
    git(project, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", project.as_uri(), "in")
    repository = open_repository(tmp_path / "in")
    (item,) = repository.files("HEAD", ["context/run.sh"])
    with repository.reader() as read:
        assert read(item.blob) == read(item.blob) == b"one\ntwo\n"
    (item,) = repository.files("HEAD", ["context/raw.bin"])
    (tmp_path / "project").rename(tmp_path / "away")
    with repository.reader() as read, pytest.raises(ConfigError, match="cat-file failed"):
        read(item.blob)


@pytest.mark.parametrize("sort", ["sha1", "sha256"])
def test_a_blob_is_read_or_named(tmp_path: Path, sort: str) -> None:
    git(tmp_path, "init", "-q", f"--object-format={sort}", ".")
    (tmp_path / "a").write_bytes(b"one\n")
    git(tmp_path, "add", "a")
    git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "-m", "one")
    repository = open_repository(tmp_path)
    commit = repository.commit("HEAD")
    assert repository.read_at(commit, "a") == b"one\n"
    assert repository.read_at(commit, "b") is None
    (item,) = repository.files(commit, ["a"])
    with repository.reader() as read:
        assert read(item.blob) == read(item.blob) == b"one\n"
    (tmp_path / ".git/objects" / item.blob[:2] / item.blob[2:]).unlink()
    with repository.reader() as read, pytest.raises(ConfigError, match="cat-file failed"):
        read(item.blob)
