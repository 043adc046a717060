"""The six lines of the README, in another repository: act runs them as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.workflows.act import PIN, add_action, run_workflow
from tests.workflows.stage import ROOT, Stage

CHECKOUT = """\
on: push
jobs:
  plan:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1
        with: {fetch-depth: 0, persist-credentials: false}
"""


def six_lines() -> str:
    found = re.search(
        r"<!-- steps -->\n```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert found
    assert found[1].count("\n") == 6
    return found[1]


def test_the_six_lines_of_the_readme(bare_stage: Stage) -> None:
    stage = bare_stage
    steps = "".join(f"      {line}\n" for line in six_lines().splitlines())
    steps = steps.replace("OWNER/", "acme/").replace("COMMIT", PIN)
    add_action(stage, "plan.yml", CHECKOUT + steps)
    base = stage.commit({"train": "x:1"}, "Start")
    head = stage.commit({"train": "x:1", "serve": "x:2"}, "Serve, too")
    payload = {"ref": "refs/heads/main", "before": base, "after": head}
    ran = run_workflow(stage, "push", payload, workflow="plan")
    assert ran.jobs == {"plan": 0}, ran.log
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in ran.log
    assert ran.outputs["plan"]["adds"] == "2"
    assert '"Serve, too" (manifests/serve.yaml:1)' in ran.log
    assert not stage.live.requests.writes()
    assert stage.secret not in ran.log


def test_nothing_of_the_checkout_is_imported_by_the_set_up(tmp_path: Path) -> None:
    """`python -m venv` alone would take a directory `venv` of a pull request for the module."""
    checkout, ran = tmp_path / "checkout", tmp_path / "ran"
    for name in ("venv", "pip", "ensurepip", "sitecustomize", "click", "yaml", "reconciler"):
        (checkout / name).mkdir(parents=True)
        for file in ("__init__.py", "__main__.py"):
            (checkout / name / file).write_text(f"open({str(ran)!r}, 'a').write({name!r})\n")
    done = subprocess.run(
        [ROOT / "scripts" / "action"],
        cwd=checkout,
        env={
            "PATH": os.defpath,
            "PYTHON": sys.executable,
            "RUNNER_TEMP": str(tmp_path),
            "RECONCILE_COMMAND": "validate",
            "PIP_NO_INDEX": "1",  # as far as to pip's own words
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ran.exists()
    assert "No matching distribution found" in done.stderr
