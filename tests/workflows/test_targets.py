"""`examples/workflows/targets.yml`: the flow for several targets, executed."""

import json
import re
import shutil

from tests.workflows.stage import CONFIG, ROOT, Stage

TARGETS = ("staging", "production")


def test_each_target_is_planned_and_applied_by_its_own_plan(stage: Stage) -> None:
    """The outputs of a matrix are those of its last leg; here each target has its own."""
    config = f"{CONFIG}  staging:\n    runai: {{sandbox: {stage.place / 'staging.db'}}}\n"
    (stage.repository / "reconciler.yaml").write_text(config)
    shutil.copy(ROOT / "examples/workflows/targets.yml", stage.repository / ".github/workflows")
    base = stage.commit({"train": "x:1"}, "Start")
    assert stage.reconcile("apply", "--target", "staging", "--apply").returncode == 0
    head = stage.commit({"train": "x:2"}, "Take a newer image")
    stage.github.repository.refs["heads/main"] = head
    ran = stage.run("push", base, head, workflow="targets")
    assert ran.code == 0, ran.log
    assert "Apply complete! Resources: 0 added, 1 changed, 0 destroyed." in ran.log  # staging
    assert "Apply complete! Resources: 1 added, 0 changed, 0 destroyed." in ran.log  # production
    plans = [stage.artifacts / f"reconcile-{target}-push" / "plan.json" for target in TARGETS]
    digests = {json.loads(plan.read_text())["reconciler"]["digest"] for plan in plans}
    assert len(digests) == 2


def test_every_group_is_of_one_target_and_directory() -> None:
    """GitHub keeps one waiting run of a group and drops the others; act knows no groups."""
    text = (ROOT / ".github/workflows/reconcile.yml").read_text()
    groups = re.findall(r"^ +group: (.*)$", text, re.MULTILINE)
    assert len(groups) == 2
    for group in groups:
        assert "${{ inputs.working-directory }}" in group
        assert "${{ inputs.target" in group
