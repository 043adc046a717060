"""What people hear of an apply: in the run, and in the pull requests that it was for."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.faults.proxy import FaultProxy, no_answer_after
from tests.workflows.stage import CONFIG, Stage
from tests.workflows.test_steps import outputs, ran

PULL = {"number": 7, "merged_at": "x", "base": {"ref": "main"}, "head": {"sha": "c" * 40}}
MARKER = "<!-- reconcile:apply:production -->"


def planned(stage: Stage, head: str, **more: str) -> dict[str, str]:
    """What the step that applies gets from the plan of its run."""
    code, log = ran(stage, "plan", head, **more)
    assert code == 0, log
    found = outputs(stage)
    plan = f"{found['directory']}/plan.json"
    return {"RECONCILE_EXPECT_DIGEST": found["digest"], "RECONCILE_PLAN": plan}


def tell(stage: Stage, head: str, body: str = "") -> tuple[int, str]:
    return ran(stage, "outcome", head, RECONCILE_BODY=body, GITHUB_RUN_ID="5")


@pytest.mark.parametrize("attempt", ["1", "2"])
def test_a_stale_plan_says_which_jobs_to_run_again(bare_stage: Stage, attempt: str) -> None:
    """`Re-run failed jobs` keeps the plan of the first attempt, which a part is done of."""
    head = bare_stage.commit({"train": "x:1", "serve": "x:1"}, "Start")
    approved = planned(bare_stage, head)
    done = bare_stage.reconcile(
        "apply", "--target", "production", "--only", "RunaiEnvironment.train", "--apply"
    )
    assert done.returncode == 0, done.stderr
    code, log = ran(bare_stage, "apply", head, **approved, GITHUB_RUN_ATTEMPT=attempt)
    assert code == 3
    page = (Path(outputs(bare_stage)["directory"]) / "applied.md").read_text()
    assert page.startswith("### reconcile apply: `production`: nothing was applied")
    (said,) = re.findall(r"^::error::(.*)$", log, re.MULTILINE)
    assert "nothing was applied. Choose `Re-run all jobs`: it plans what is left" in said
    assert ("`Re-run failed jobs` repeats the approved plan" in said) is (attempt == "2")


def test_what_became_of_each_change_is_told_in_the_pull_requests(bare_stage: Stage) -> None:
    head = bare_stage.commit({"train": "x:1", "serve": "x:1"}, "Start")
    known = bare_stage.github.repository
    known.pulls[head] = [PULL]
    code, log = ran(bare_stage, "apply", head, **planned(bare_stage, head))
    assert code == 0, log
    code, log = tell(bare_stage, head, outputs(bare_stage)["directory"])
    assert code == 0, log
    (comment,) = known.comments[7]
    assert comment["body"].startswith(f"{MARKER}\n")
    assert (
        f"Commit [`{head[:7]}`](https://github.com/acme/platform/commit/{head})" in comment["body"]
    )
    assert "Apply complete! Resources: 2 added, 0 changed, 0 destroyed." in comment["body"]
    code, log = tell(bare_stage, head)  # run again, and refused at the environment
    assert code == 0, log
    (comment,) = known.comments[7]
    assert "### reconcile apply: `production`: nothing was applied" in comment["body"]
    assert "https://github.com/acme/platform/actions/runs/5" in comment["body"]


@pytest.mark.parametrize("pulls", [[], [PULL, {**PULL, "number": 8}]])
def test_a_push_may_have_brought_none_or_several(bare_stage: Stage, pulls: list[Any]) -> None:
    base = bare_stage.commit({"train": "x:1"}, "Start")
    known = bare_stage.github.repository
    commits = [bare_stage.commit({"train": f"x:{n}"}, f"Change {n}") for n in (2, 3)]
    known.pulls = {sha: [pull] for sha, pull in zip(commits, pulls, strict=False)}
    event = json.dumps({"before": base})
    code, log = ran(bare_stage, "outcome", commits[-1], EVENT=event)
    assert code == 0, log
    assert sorted(known.comments) == [pull["number"] for pull in pulls]
    assert log.count("::notice::") == len(pulls)


def test_each_change_that_fails_is_annotated_and_told(bare_stage: Stage) -> None:
    """The connection is cut at the second of two writes: log, page and outputs name it."""
    config = bare_stage.repository / "reconciler.yaml"
    config.write_text(f"{CONFIG}    timeout: 0.2\n")
    head = bare_stage.commit({"train": "x:1", "serve": "x:1"}, "Start")
    with FaultProxy(bare_stage.endpoint.base_url) as proxy:
        more = {"RUNAI_BASE_URL": proxy.base_url}
        approved = planned(bare_stage, head, **more)
        proxy.rule = no_answer_after(1)
        code, log = ran(bare_stage, "apply", head, **more, **approved)
    assert code == 5, log
    found = outputs(bare_stage)
    assert found["failure-reason"].startswith("RunaiEnvironment.")
    assert found["summary"].startswith("Apply incomplete: ")
    assert re.search(
        r"^::error file=manifests/\w+\.yaml,line=1.*title=RunaiEnvironment", log, re.MULTILINE
    )
    assert "::error::a part was applied. Choose `Re-run all jobs`" in log
    page = (Path(found["directory"]) / "applied.md").read_text()
    assert "Unknown: sent, and the answer was lost" in page
    assert page in (bare_stage.place / "summary.md").read_text()
