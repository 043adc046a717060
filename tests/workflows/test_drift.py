"""What a nightly plan calls drift, and what only waits to be applied."""

import json
import re
from typing import Any

import pytest

from tests.acceptance.live_side import edit_live
from tests.workflows.stage import Stage
from tests.workflows.test_steps import outputs, ran
from tests.workflows.test_successor import run

NIGHT = {"GITHUB_EVENT_NAME": "schedule", "GITHUB_RUN_ID": "1"}
EVENT = {"EVENT": json.dumps({"schedule": "17 4 * * *"})}


@pytest.fixture
def merged(bare_stage: Stage) -> tuple[Stage, str]:
    """One change is merged and not applied yet."""
    bare_stage.commit({"train": "x:1", "serve": "x:1"}, "Start")
    assert bare_stage.reconcile("apply", "--target", "production", "--apply").returncode == 0
    return bare_stage, bare_stage.commit({"train": "x:2", "serve": "x:1"}, "Take a newer image")


def look(stage: Stage, head: str) -> tuple[dict[str, str], str]:
    """The nightly plan, and what the step after it says."""
    code, log = ran(stage, "plan", head, **NIGHT, **EVENT)
    assert code == 0, log
    found = outputs(stage)
    more = {"RECONCILE_CHANGES": found["changes"], "RECONCILE_DRIFT": found["drift"]}
    more["RECONCILE_BODY"] = f"{found['directory']}/plan.md"
    code, log = ran(stage, "drift", head, **NIGHT, **EVENT, **more)
    assert code == 0, log
    return found, log


@pytest.mark.parametrize(
    ("waiting", "reported"),
    [
        ({"status": "waiting", "head_branch": "main"}, False),
        ({"status": "in_progress", "head_branch": "main"}, False),
        ({"status": "waiting", "head_branch": "other"}, True),
        ({"status": "completed", "conclusion": "failure", "head_branch": "main"}, True),
    ],
)
def test_what_waits_for_its_apply_is_no_drift(
    merged: tuple[Stage, str], waiting: dict[str, Any], reported: bool
) -> None:
    stage, head = merged
    known = stage.github.repository
    known.runs = [run(1, head, event="schedule"), run(2, head, **waiting)]
    found, log = look(stage, head)
    assert (found["changes"], found["drift"]) == ("true", "false")
    assert ("what was merged is still being applied" in log) is not reported
    assert [issue["state"] for issue in known.issues] == ["open"] * reported
    if reported:
        assert "Take a newer image" in known.issues[0]["body"]
        assert "not applied yet" in known.issues[0]["body"]


def test_drift_beside_what_waits_is_reported_with_who_and_when(merged: tuple[Stage, str]) -> None:
    stage, head = merged
    edit_live(stage, "RunaiEnvironment.serve", lambda asset: asset["spec"].update(image="x:9"))
    known = stage.github.repository
    known.runs = [
        run(1, head, event="schedule"),
        run(2, head, status="waiting", head_branch="main"),
    ]
    found, _ = look(stage, head)
    assert (found["changes"], found["drift"]) == ("true", "true")
    (issue,) = known.issues
    assert re.search(r"drift: changed by \S+ at 20\d\d-\S+, outside this branch", issue["body"])
    assert "not applied yet" in issue["body"]
