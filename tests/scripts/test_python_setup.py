"""Finding a Python, and the locked requirements that .venv is made of."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.scripts.conftest import Scripts

CANDIDATES = ("python3.11", "python3", "python3.12", "python3.13", "python3.14")
LOCKS = ("runtime", "dev", "ray-base", "toolkit", "policy", "release")


@pytest.fixture
def no_python(scripts: Scripts) -> Scripts:
    """Every candidate is a shim of a version that is not installed."""
    for name in CANDIDATES:
        scripts.stub(name, "exit 127")
    return scripts


def test_shims_without_a_version_behind_them_are_passed_over(no_python: Scripts) -> None:
    no_python.stub("python3.13", f'exec "{sys.executable}" "$@"')
    done = no_python.run("find-python")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).exists()


def test_the_answer_is_never_inside_a_virtual_environment(no_python: Scripts) -> None:
    no_python.stub("python3", f'exec "{sys.executable}" "$@"')
    found = Path(no_python.run("find-python").stdout.strip())
    assert not found.is_relative_to(sys.prefix) or sys.prefix == sys.base_prefix


def test_no_python_is_said_clearly(no_python: Scripts) -> None:
    done = no_python.run("find-python")
    assert done.returncode == 3
    assert "no Python 3.11 or later" in done.stderr


def test_an_old_python_does_not_count(no_python: Scripts) -> None:
    no_python.stub("oldpython", "exit 1")
    assert no_python.run("find-python", PYTHON="oldpython").returncode == 3


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes_and_no_file_names_an_address(root: Path, name: str) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"(?m)^\s*--(?!hash=)", text)
    pins = re.split(r"(?m)^(?=[A-Za-z0-9])", text)[1:]
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)


def test_the_lock_covers_what_pyproject_asks_for(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    locked = {
        name: set(
            re.findall(
                r"(?m)^([a-z0-9._-]+)(?:\[.*\])?==",
                (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8"),
            )
        )
        for name in LOCKS
    }

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9._-]", entry)[0].lower() for entry in requirements}

    runtime = names(project["project"]["dependencies"])
    dev = names(project["dependency-groups"]["dev"]) | names(project["build-system"]["requires"])
    assert runtime <= locked["runtime"], "run: make lock"
    assert runtime | dev <= locked["dev"], "run: make lock"
    toolkit = names(project["project"]["optional-dependencies"]["nat"])
    assert runtime | toolkit <= locked["toolkit"], "run: make lock"
