"""The six lines of the README, in another repository: act runs them as they stand there."""

import re
import shutil

from tests.workflows.stage import ROOT, Stage

CHECKOUT = """\
on: push
jobs:
  plan:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683
        with: {fetch-depth: 0, persist-credentials: false}
"""


def six_lines() -> str:
    found = re.search(
        r"<!-- steps -->\n```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert found
    assert found[1].count("\n") == 6
    return found[1]


def test_the_six_lines_of_the_readme(stage: Stage) -> None:
    action = stage.place / "action"  # its files alone: act copies all that lies beside them
    action.mkdir()
    for name in ("action.yml", "scripts", "requirements", "reconciler"):
        shutil.move(stage.repository / name, action)
    steps = "".join(f"      {line}\n" for line in six_lines().splitlines())
    workflow = stage.repository / ".github" / "workflows" / "plan.yml"
    workflow.write_text(CHECKOUT + steps.replace("OWNER/", "acme/").replace("COMMIT", "v0"))
    base = stage.commit({"train": "x:1"}, "Start")
    head = stage.commit({"train": "x:1", "serve": "x:2"}, "Serve, too")
    more = ("--local-repository", f"acme/reconciler@v0={action}")
    ran = stage.run("push", base, head, *more, workflow="plan")
    assert ran.code == 0, ran.log
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in ran.log
    assert "::set-output:: adds=2" in ran.log
    assert '"Serve, too" (manifests/serve.yaml:1)' in ran.log
    assert not stage.live.requests.writes()
    assert stage.secret not in ran.log
