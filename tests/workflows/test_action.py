"""The six lines of the README, in another repository: act runs them as they stand there."""

import re
import subprocess

from tests.workflows.conftest import ROOT, SECRET, Stage

CHECKOUT = """\
on: push
jobs:
  plan:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
        with: {fetch-depth: 0, persist-credentials: false}
"""
CONFIG = """\
apiVersion: reconciler/v1
stack: acme
targets:
  production:
    runai:
      base_url: {env: RUNAI_BASE_URL}
      client_id: {env: RUNAI_CLIENT_ID}
      client_secret: {env: RUNAI_CLIENT_SECRET}
"""


def six_lines() -> str:
    found = re.search(
        r"<!-- steps -->\n```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert found
    assert found[1].count("\n") == 6
    return found[1]


def test_the_six_lines_of_the_readme(stage: Stage) -> None:
    for name in ("action.yml", "scripts", "requirements", "reconciler"):
        stage.git("rm", "-rq", "--cached", "--ignore-unmatch", name)
        subprocess.run(["rm", "-rf", str(stage.repository / name)], check=True)
    (stage.repository / "reconciler.yaml").write_text(CONFIG)
    steps = "".join(f"      {line}\n" for line in six_lines().splitlines())
    workflow = stage.repository / ".github" / "workflows" / "plan.yml"
    workflow.write_text(CHECKOUT + steps.replace("OWNER/", "acme/").replace("COMMIT", "v0"))
    base = stage.commit({"train": "x:1"}, "Start")
    head = stage.commit({"train": "x:2"}, "Take a newer image")
    more = ["--local-repository", f"acme/reconciler@v0={ROOT}"]
    more += ["--var", "RUNAI_BASE_URL=http://127.0.0.1:9", "-s", "RUNAI_CLIENT_ID=reader"]
    ran = stage.run("push", base, head, *more, workflow="plan")
    assert ran.code != 0  # nothing answers there: the plan says so, and the job is red
    assert "http://127.0.0.1:9" in ran.log
    assert "This plan is incomplete and cannot be applied." in ran.log
    assert SECRET not in ran.log
