"""Policy tools made for Terraform read our plan: they find what is wrong, and pass what is right.

A tool that cannot read a plan says "no findings" and succeeds, so each of them has to fail, too.
`scripts/bootstrap-python --policy` brings the tools.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run

HERE = Path(__file__).parent
BIN = HERE.parents[1] / ".cache" / "policy" / "bin"
CONFIG = """\
apiVersion: reconciler/v1
stack: ml-platform
default_target: sandbox
targets: {sandbox: {runai: {sandbox: .reconcile/sandbox.db}}}
"""
MANIFEST = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: notebook, protect: PROTECT, adopt: ADOPT}
spec:
  scope: tenant
  image: IMAGE
  description: "for all 🙂 \\u2028 \\U000e0041 of us"
  workload_types: [workspace, training]
  environment_variables: {A: "1"}
  compute: {gpu: 1}
"""
GOOD = {"PROTECT": "true", "ADOPT": "false", "IMAGE": "registry.example/notebook:1"}
BAD = {
    "image": {**GOOD, "IMAGE": "elsewhere.example/notebook:1"},
    "protect": {**GOOD, "PROTECT": "false"},
    "adopt": {**GOOD, "ADOPT": "true"},
}


@pytest.fixture
def plan(tmp_path: Path) -> Any:
    """Write the JSON plan of a manifest with these words."""
    (tmp_path / "reconciler.yaml").write_text(CONFIG)
    (tmp_path / "manifests").mkdir()

    def write(name: str, words: dict[str, str]) -> Path:
        text = MANIFEST
        for word, value in words.items():
            text = text.replace(word, value)
        (tmp_path / "manifests" / "m.yaml").write_text(text, encoding="utf-8")
        path = tmp_path / f"{name}.json"
        assert run(["-C", str(tmp_path), "plan", "-o", f"json={path}"]) == 0
        return path

    return write


def tool(place: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    assert BIN.exists(), "run scripts/bootstrap-python --policy"
    return subprocess.run(
        [BIN / str(words[0]), *map(str, words[1:])],
        cwd=place,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )


def checkov(*plans: Path) -> tuple[int, dict[str, Any]]:
    files = [word for path in plans for word in ("-f", path)]
    options = ("--framework", "terraform_plan", "--external-checks-dir", HERE / "checks")
    checks = ("--check", "CKV2_COMPANY_1,CKV2_COMPANY_2", "--skip-download", "-o", "json")
    done = tool(plans[0].parent, "checkov", *files, *options, *checks)
    found: dict[str, Any] = json.loads(done.stdout)
    assert not found["results"]["parsing_errors"], done.stderr
    return done.returncode, found


@pytest.mark.slow
def test_checkov(plan: Any) -> None:
    code, found = checkov(plan("image", BAD["image"]), plan("protect", BAD["protect"]))
    failed = [
        (item["file_path"], item["check_id"], item["resource"])
        for item in found["results"]["failed_checks"]
    ]
    assert sorted(failed) == [
        ("/image.json", "CKV2_COMPANY_1", "RunaiEnvironment.notebook"),
        ("/protect.json", "CKV2_COMPANY_2", "RunaiEnvironment.notebook"),
    ]
    assert code == 1
    code, found = checkov(plan("good", GOOD))
    assert (code, found["summary"]["passed"], found["summary"]["failed"]) == (0, 2, 0)
    assert found["summary"]["resource_count"] == 2, "the compute asset, too"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (BAD["image"], "image property in RunaiEnvironment.notebook"),
        (BAD["adopt"], "adopt property in RunaiEnvironment.notebook"),
        (GOOD, ""),
    ],
    ids=["image", "adopt", "good"],
)
def test_terraform_compliance(plan: Any, words: dict[str, str], said: str) -> None:
    path = plan("plan", words)
    features = path.parent / "features"
    features.mkdir()
    (features / "company.feature").write_text((HERE / "company.feature").read_text())
    done = tool(path.parent, "terraform-compliance", "-p", path, "-f", features, "--no-ansi")
    assert done.returncode == (1 if said else 0), done.stdout
    assert said in done.stdout
    assert ("2 scenarios (2 passed)" in done.stdout) is not bool(said)
