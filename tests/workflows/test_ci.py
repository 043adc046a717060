"""The workflow that tests this repository: the versions of Python come from the classifiers."""

import json
import os
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PREFIX = "Programming Language :: Python :: 3."


def test_every_python_that_we_promise_is_tested(tmp_path: Path) -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    (step,) = [item for item in workflow["jobs"]["versions"]["steps"] if "run" in item]
    output = tmp_path / "output"
    subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=ROOT,
        env={**os.environ, "GITHUB_OUTPUT": str(output)},
        check=True,
    )
    name, _, value = output.read_text(encoding="utf-8").strip().partition("=")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    minors = [int(n.removeprefix(PREFIX)) for n in project["classifiers"] if n.startswith(PREFIX)]
    assert (name, json.loads(value)) == ("versions", [f"3.{minor}" for minor in minors])
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert project["requires-python"] == f">=3.{minors[0]}"
    finder = (ROOT / "scripts/find-python").read_text(encoding="utf-8")
    assert all(f"python3.{minor}" in finder for minor in minors)
