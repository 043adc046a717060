"""The digest of an image: what changes it, what does not, and what the spec then names."""

import os
import shutil
import string
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.diff import diff_specs
from reconciler.errors import BuildError
from reconciler.rayfine.image.build_input import BuildInput, ImageSource, Surroundings, prepare
from reconciler.rayfine.image.lockfile import LockFile

SHA = "sha256:" + "a" * 64
ENV = "def hello(name='World'):\n    return name\n"
OWN = "FROM team/base:v1\nCOPY . /app/\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"env.py": ENV, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def names(before: BuildInput, after: BuildInput) -> list[str]:
    return [item.name for item in diff_specs(before.spec, after.spec, frozenset())]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path / "env", {"src/a.py": "a", "requirements.txt": "numpy\n"})


@pytest.fixture
def source(root: Path) -> ImageSource:
    return ImageSource(root, "affine:latest", base_image="team/base:v1", labels={"team": "a"})


def test_the_spec_is_canonical(source: ImageSource) -> None:
    made = prepare(source, Surroundings())
    assert set(made.spec) == {"tag", "base", "dockerfile", "context", "labels"}
    assert made.spec["base"] == "team/base:v1"
    assert made.spec["dockerfile"].startswith("generated:")
    assert made.spec["context"]["env.py"].startswith("644:")
    assert made.source_tag == "affine:src-" + made.digest[7:31]
    assert made.build_args == {"BASE_IMAGE": "team/base:v1"}
    assert any("unpinned" in text for text in made.warnings)


def test_another_path_machine_order_and_time_give_the_same(
    source: ImageSource, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "deep"
    other.mkdir(parents=True)
    for path in sorted((p for p in root.rglob("*") if p.is_file()), reverse=True):
        target = other / path.relative_to(root)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o600)
        os.utime(target, (1, 1))
    (other / "empty").mkdir()
    first = prepare(source, Surroundings())
    second = prepare(replace(source, path=other), Surroundings(cache_directory=tmp_path / "c"))
    assert (first.digest, first.spec) == (second.digest, second.spec)


Edit: TypeAlias = tuple[Callable[[Path], object], dict[str, Any], list[str]]
"""What is done to the directory, what else is stated, and the names of what changes."""

EDITS: dict[str, Edit] = {
    "byte": (lambda root: (root / "src/a.py").write_text("b"), {}, ['context["src/a.py"]']),
    "added": (lambda root: (root / "src/b.py").write_text("b"), {}, ['context["src/b.py"]']),
    "removed": (lambda root: (root / "src/a.py").unlink(), {}, ['context["src/a.py"]']),
    "mode": (lambda root: (root / "env.py").chmod(0o755), {}, ['context["env.py"]']),
    "argument": (lambda root: None, {"build_args": {"X": "1"}}, ["build_args.X"]),
    "base": (lambda root: None, {"base_image": "team/base:v2"}, ["base"]),
    "platform": (lambda root: None, {"platform": "linux/arm64"}, ["platform"]),
    "label": (lambda root: None, {"labels": {"team": "b"}}, ["labels.team"]),
    "tag": (lambda root: None, {"tag": "affine:v2"}, ["tag"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_each_input_changes_the_digest_and_is_named_alone(
    source: ImageSource, root: Path, name: str
) -> None:
    edit, stated, expected = EDITS[name]
    before = prepare(source, Surroundings())
    edit(root)
    after = prepare(replace(source, **stated), Surroundings())
    assert before.digest != after.digest
    assert names(before, after) == expected


def test_locking_the_base_names_the_base_alone(source: ImageSource) -> None:
    before = prepare(source, Surroundings())
    after = prepare(source, Surroundings(lock=LockFile({"team/base:v1": SHA})))
    assert before.digest != after.digest
    assert names(before, after) == ["base"]
    assert after.build_args["BASE_IMAGE"] == f"team/base@{SHA}"
    assert not any("unpinned" in text for text in after.warnings)


def test_a_base_stated_as_local_is_no_matter_of_warning(source: ImageSource) -> None:
    before = prepare(source, Surroundings())
    after = prepare(source, Surroundings(lock=LockFile({"team/base:v1": "local"})))
    assert before.digest == after.digest
    assert not any("unpinned" in text for text in after.warnings)


def test_requirements_are_installed_before_the_sources(source: ImageSource) -> None:
    text = prepare(source, Surroundings()).dockerfile.decode()
    assert text.index("pip install") < text.index("COPY . /app/")


def test_no_requirements_no_installation(source: ImageSource, root: Path) -> None:
    (root / "requirements.txt").unlink()
    assert "pip" not in prepare(source, Surroundings()).dockerfile.decode()
    (root / "requirements.txt").write_text("x")
    (root / ".dockerignore").write_text("requirements.txt")
    assert "pip" not in prepare(source, Surroundings()).dockerfile.decode()


@pytest.mark.parametrize("line", ["-r base.txt", "-e .", "./wheels/x.whl", "x @ file:x.whl"])
def test_requirements_that_name_files_are_installed_after_the_sources(
    source: ImageSource, root: Path, line: str
) -> None:
    (root / "requirements.txt").write_text(f"numpy\n{line}\n")
    text = prepare(source, Surroundings()).dockerfile.decode()
    assert text.index("COPY . /app/") < text.index("pip install")


def test_a_given_dockerfile_is_named_once(source: ImageSource, root: Path) -> None:
    (root / "Dockerfile").write_text(OWN)
    before = prepare(source, Surroundings())
    (root / "Dockerfile").write_text(OWN + "# more\n")
    after = prepare(source, Surroundings())
    assert before.digest != after.digest
    assert names(before, after) == ["dockerfile"]
    assert any("base_image has no effect" in text for text in after.warnings)


def test_a_locked_base_is_put_into_a_given_dockerfile(source: ImageSource, root: Path) -> None:
    (root / "Dockerfile").write_text(
        "# mine\nFROM team/base:v1 AS one\nCOPY --from=team/x:v2 a b\n"
    )
    lock = LockFile({"team/base:v1": SHA, "team/x:v2": SHA})
    made = prepare(replace(source, base_image=""), Surroundings(lock=lock))
    assert made.dockerfile.decode() == (
        f"# mine\nFROM team/base@{SHA} AS one\nCOPY --from=team/x@{SHA} a b\n"
    )
    assert made.spec["base"] == f"team/base:v1@{SHA}, team/x:v2@{SHA}"


def test_a_given_dockerfile_may_take_the_base_as_an_argument(
    source: ImageSource, root: Path
) -> None:
    (root / "Dockerfile").write_text("ARG BASE_IMAGE=own/default:v1\nFROM ${BASE_IMAGE}\n")
    around = Surroundings(default_base="target/base:v1")
    assert prepare(source, around).spec["base"] == "team/base:v1"
    unset = replace(source, base_image="")
    assert prepare(unset, around).spec["base"] == "target/base:v1"
    assert prepare(unset, Surroundings()).spec["base"] == "own/default:v1"
    given_args = replace(unset, build_args={"BASE_IMAGE": "arg/base:v1"})
    assert prepare(given_args, around).spec["base"] == "arg/base:v1"


def test_build_arguments_are_declared_in_a_generated_dockerfile(source: ImageSource) -> None:
    made = prepare(replace(source, build_args={"PIP_INDEX_URL": "x"}), Surroundings())
    assert "\nARG PIP_INDEX_URL\nCOPY" in made.dockerfile.decode()


def test_hiding_the_dockerfile_changes_what_is_copied(source: ImageSource, root: Path) -> None:
    (root / ".dockerignore").write_text(".dockerignore\n")
    (root / "Dockerfile").write_text(OWN)
    before = prepare(source, Surroundings())
    (root / ".dockerignore").write_text(".dockerignore\nDockerfile\n")
    after = prepare(source, Surroundings())
    assert before.digest != after.digest
    assert names(before, after) == ["dockerfile"]


@pytest.mark.parametrize(
    "path", ["../Dockerfile", "/etc/passwd", "..", "a/../../Dockerfile", "link/Dockerfile", "out"]
)
def test_a_dockerfile_outside_of_the_context_is_refused(
    source: ImageSource, root: Path, path: str
) -> None:
    (root.parent / "Dockerfile").write_text(OWN)
    (root / "a").mkdir()
    (root / "link").symlink_to("..")
    (root / "out").symlink_to("../Dockerfile")
    (root / ".dockerignore").write_text("link\nout\n")
    with pytest.raises(BuildError, match=r"outside|no such file|cannot be read"):
        prepare(replace(source, dockerfile=path), Surroundings())


def test_an_environment_needs_env_py(source: ImageSource, root: Path) -> None:
    (root / "env.py").unlink()
    with pytest.raises(BuildError, match=r"no env\.py"):
        prepare(source, Surroundings())


def test_a_dockerfile_that_is_a_link_is_followed_within_the_context(
    source: ImageSource, root: Path
) -> None:
    write(root, {"docker/Dockerfile.gpu": OWN})
    direct = prepare(replace(source, dockerfile="docker/Dockerfile.gpu"), Surroundings())
    for name, target in (("Dockerfile", "hop"), ("hop", "docker/Dockerfile.gpu"), ("d", "docker")):
        (root / name).symlink_to(target)
    for dockerfile in ("", "Dockerfile", "./docker/../hop", "d/Dockerfile.gpu"):
        made = prepare(replace(source, dockerfile=dockerfile), Surroundings())
        assert (made.dockerfile_path, made.dockerfile) == ("docker/Dockerfile.gpu", OWN.encode())
        assert made.spec["dockerfile"] == direct.spec["dockerfile"]
        assert made.spec["context"]["Dockerfile"].startswith("link:")


@pytest.mark.parametrize("name", ["Dockerfile", "dockerfile", "env.py", "requirements.txt"])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("{name}", "leads to itself"),
        ("nothing", "leads nowhere"),
        ("../elsewhere", "leads out of|outside"),
        ("{root}/src/a.py", "absolute"),
        ("/etc/passwd", "leads out of|outside"),
        ("src", "it is a directory"),
    ],
)
def test_a_link_that_leads_to_no_file_of_the_context_is_refused(
    source: ImageSource, root: Path, name: str, target: str, message: str
) -> None:
    (root.parent / "elsewhere").write_text(OWN)
    (root / name).unlink(missing_ok=True)
    (root / name).symlink_to(target.format(name=name, root=root))
    with pytest.raises(BuildError, match=message) as raised:
        prepare(source, Surroundings())
    assert raised.value.where.startswith(str(root))


def test_a_base_that_is_no_reference_is_named_with_the_line_of_the_dockerfile(
    source: ImageSource, root: Path
) -> None:
    (root / "Dockerfile").write_text("ARG A=Python:3.11\n\nFROM $A\n")
    with pytest.raises(BuildError, match=r"'Python:3\.11'") as raised:
        prepare(source, Surroundings())
    assert raised.value.where == f"{root}/Dockerfile:3"


def test_broken_python_is_an_error_with_its_line(source: ImageSource, root: Path) -> None:
    (root / "env.py").write_text("\ndef hello(:\n")
    with pytest.raises(BuildError, match="not valid Python") as raised:
        prepare(source, Surroundings())
    assert raised.value.where == f"{root}/env.py:2"


def test_without_methods_there_is_a_warning(source: ImageSource, root: Path) -> None:
    (root / "env.py").write_text("from elsewhere import Actor\n")
    assert any("no public function" in text for text in prepare(source, Surroundings()).warnings)


def test_what_differs_on_every_machine_is_warned_of(source: ImageSource, root: Path) -> None:
    write(root, {"__pycache__/env.pyc": "x", ".git/config": "x"})
    text = " ".join(prepare(source, Surroundings()).warnings)
    assert "__pycache__" in text
    assert ".git" in text


NAMES = st.text(string.ascii_letters + "é日 -_.", min_size=1, max_size=8).filter(
    lambda name: name.strip(".") and name.lower() not in ("dockerfile", "env.py", ".dockerignore")
)
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.tuples(st.binary(max_size=20), st.booleans()),
    max_size=8,
).filter(lambda tree: not any(f"{a}/" in f"{b}/" for a in tree for b in tree if a != b))


Tree: TypeAlias = dict[str, tuple[bytes, bool]]


def plant(root: Path, tree: Tree, order: bool) -> Path:
    write(root, {})
    for path in sorted(tree, reverse=order):
        data, executable = tree[path]
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o777 if executable else 0o606)
    return root


@settings(max_examples=60)
@given(first=TREES, second=TREES)
def test_equal_trees_and_only_they_have_equal_digests(
    tmp_path_factory: pytest.TempPathFactory, first: Tree, second: Tree
) -> None:
    one = plant(tmp_path_factory.mktemp("a"), first, order=False)
    same = plant(tmp_path_factory.mktemp("b"), first, order=True)
    other = plant(tmp_path_factory.mktemp("c"), second, order=False)
    made = [prepare(ImageSource(root, "x:y"), Surroundings()) for root in (one, same, other)]
    assert made[0].digest == made[1].digest
    assert (made[0].digest == made[2].digest) == (first == second)
    assert (made[0].spec == made[2].spec) == (first == second)
