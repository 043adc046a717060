"""The comment that docs/gitops.md shows is one that was written."""

import json
import re

from tests.workflows.stage import ROOT, Stage
from tests.workflows.test_decide import pull_request
from tests.workflows.test_steps import outputs, ran


def test_the_comment_of_the_page(bare_stage: Stage) -> None:
    base = bare_stage.commit({"train": "x:1"}, "Start")
    assert bare_stage.reconcile("apply", "--target", "production", "--apply").returncode == 0
    head = bare_stage.commit({"train": "x:2"}, "Take a newer image")
    event = json.dumps(pull_request(base, head))
    more = {"GITHUB_EVENT_NAME": "pull_request", "EVENT": event, "GITHUB_RUN_ID": "5"}
    code, log = ran(bare_stage, "plan", head, **more)
    assert code == 0, log
    artifact = "https://github.com/acme/platform/actions/runs/5/artifacts/"
    more |= {"RECONCILE_ARTIFACT_URL": f"{artifact}6", "RECONCILE_PAGE_URL": f"{artifact}7"}
    more |= {"RECONCILE_BODY": f"{outputs(bare_stage)['directory']}/plan.md"}
    bare_stage.github.repository.comments = {}
    code, log = ran(bare_stage, "comment", head, **more)
    assert code == 0, log
    (comment,) = bare_stage.github.repository.comments[7]
    text = (ROOT / "docs" / "gitops.md").read_text()
    shown = re.search(r"<!-- comment -->\n~~~markdown\n(.*?)^~~~$", text, re.DOTALL | re.MULTILINE)
    assert shown
    marker, touched, *lines = comment["body"].splitlines()
    assert (marker[:9], touched[:9]) == ("<!-- reco", "<!-- reco")  # what nobody sees
    assert [plain(line) for line in lines] == [plain(line) for line in shown[1].splitlines()]


def plain(line: str) -> str:
    """The line without what is another one each time."""
    line = re.sub(r"\b[0-9a-f]{7,64}\b", "COMMIT", line)
    return re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d|127\.0\.0\.1:\d+", "OTHER", line)
