"""Cutting files into documents, and what a commit may contain to confuse that."""

import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.git.history import Wanted, find_edits, input_paths, read_steps, split_documents
from reconciler.git.repository import is_plain_ref, open_repository
from tests.acceptance.git_project import git

DOCUMENT = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {{name: {name}}}
spec:
  scope: tenant
  image: {image}
"""
WANTED = Wanted(frozenset({"RunaiEnvironment.a"}), manifests=("manifests/",))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    (tmp_path / "manifests").mkdir()
    save(tmp_path, "manifests/a.yaml", DOCUMENT.format(name="a", image="one"), "Begin")
    git(tmp_path, "branch", "base")
    return tmp_path


def save(directory: Path, name: str, text: str, subject: str, *words: str) -> str:
    (directory / name).write_text(text)
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--cleanup=verbatim", "-m", subject, *words)
    return git(directory, "rev-parse", "HEAD")


def edit_of(directory: Path, wanted: Wanted = WANTED) -> tuple[str, str, int] | None:
    found = open_repository(directory)
    edits = find_edits(found, read_steps(found, "base", ["manifests"]), wanted)
    item = edits.by_address.get("RunaiEnvironment.a")
    return (item.edit.commit, item.edit.file, item.edit.line) if item else None


@given(
    st.lists(st.sampled_from(["a: 1", "---", "--- b", "...", " ---", "x---", "t: |\n  ---", ""]))
)
def test_documents_are_those_of_a_yaml_parser(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        expected = [item for item in yaml.safe_load_all(text) if item is not None]
    except yaml.YAMLError:
        return
    found = []
    for part in split_documents(text.encode()):
        found += [item for item in yaml.safe_load_all(part.data.decode()) if item is not None]
        assert text.splitlines()[part.line] == part.data.decode().splitlines()[0]
    assert found == expected


def test_a_subject_that_looks_like_the_next_commit(repository: Path) -> None:
    """Fields are told apart by NUL alone, which no message can hold."""
    subject = f"Mean\x01{'0' * 40}\x02x\x1e:100644 100644 \x1b[31m"
    made = save(repository, "manifests/a.yaml", DOCUMENT.format(name="a", image="two"), subject)
    assert edit_of(repository) == (made, "manifests/a.yaml", 6)


@pytest.mark.parametrize(
    "name", ["with blank.yaml", 'quo"te.yaml', "new\nline.yaml", "ümlaut.yaml", ":(glob)*.yaml"]
)
def test_odd_file_names(repository: Path, name: str) -> None:
    git(repository, "--literal-pathspecs", "mv", "manifests/a.yaml", f"manifests/{name}")
    text = DOCUMENT.format(name="a", image="two")
    made = save(repository, f"manifests/{name}", text, "Rename and edit")
    assert edit_of(repository) == (made, f"manifests/{name}", 6)


def test_a_commit_with_a_broken_file_is_passed_over(repository: Path) -> None:
    made = save(repository, "manifests/a.yaml", DOCUMENT.format(name="a", image="two"), "Edit")
    save(repository, "manifests/b.yaml", "a: [\n", "Break another")
    (repository / "manifests" / "b.yaml").unlink()
    save(repository, "manifests/c.yaml", DOCUMENT.format(name="c", image="x"), "Mend")
    assert edit_of(repository) == (made, "manifests/a.yaml", 6)


def test_an_author_of_odd_bytes(repository: Path) -> None:
    text = DOCUMENT.format(name="a", image="two").encode()
    (repository / "manifests" / "a.yaml").write_bytes(text)
    tree = b"commit refs/heads/main\ncommitter \xff\xfe <x@y> 1767323045 +0000\ndata 3\n\xe9\n\n"
    tree += b"from refs/heads/main^0\nM 100644 inline manifests/a.yaml\n"
    tree += b"data %d\n%s\n" % (len(text), text)
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=repository, input=tree, check=True
    )
    found = open_repository(repository)
    edits = find_edits(found, read_steps(found, "base", ["manifests"]), WANTED)
    edit = edits.by_address["RunaiEnvironment.a"].edit
    assert edit.author.isprintable()


def test_images_and_their_paths() -> None:
    text = b"kind: RayfineImage\nmetadata: {name: a}\nspec: {path: environments/a}\n---\nkind: ["
    assert list(input_paths(text)) == [("RayfineImage.a", "environments/a")]
    assert list(input_paths(b"spec: {path: x}\n# RayfineImage\n")) == []


@pytest.mark.parametrize("ref", ["main", "origin/main", "v1.2", "HEAD~3", "HEAD^", "a" * 40, "x^2"])
def test_refs(ref: str) -> None:
    assert is_plain_ref(ref)


@pytest.mark.parametrize(
    "ref",
    ["", "-x", "--all", "a..b", "a b", "a:b", "a\nb", "@{u}~x y", "^main", "HEAD^{tree}", "*"],
)
def test_what_is_no_ref(ref: str) -> None:
    assert not is_plain_ref(ref)
