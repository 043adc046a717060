"""`.github/workflows/reconcile.yml`, executed: what runs, what is posted, what is refused."""

import json

import pytest

from tests.workflows.conftest import SECRET, TOKEN, Stage
from tests.workflows.fake_github import BOT

MARKER = "<!-- reconcile:production -->"


def digest_of(stage: Stage, artifact: str) -> str:
    plan = json.loads((stage.artifacts / artifact / "plan.json").read_text())
    return str(plan["reconciler"]["digest"])


def test_a_pull_request_is_planned_and_commented_and_applied_after_its_merge(stage: Stage) -> None:
    base = stage.commit({"train": "x:1"}, "Start")
    assert stage.reconcile("apply", "--target", "production", "--apply").returncode == 0
    head = stage.commit({"train": "x:2"}, "Take a newer image")
    others = [{"id": 1, "user": {"login": "ada"}, "body": f"{MARKER}\nmine"}]
    others += [{"id": 2 + n, "user": {"login": "bob"}, "body": "hello"} for n in range(3)]
    known = stage.github.repository
    known.comments[7] = list(others)

    ran = stage.run("pull_request", base, head)
    assert ran.code == 0, ran.log
    assert ran.jobs == {"plan", "comment"}
    *kept, written = known.comments[7]
    assert kept == others
    assert written["body"].startswith(f"{MARKER}\n")
    assert "RunaiEnvironment.train" in written["body"]
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in written["body"]
    assert digest_of(stage, "reconcile-production-7") in written["body"]

    assert stage.run("pull_request", base, head).code == 0
    assert [method for method, _ in known.writes] == ["POST", "PATCH"]
    assert len(known.comments[7]) == 5

    known.pulls[head] = [
        {"number": 7, "merged_at": "2026-01-01", "merge_commit_sha": head, "head": {"sha": head}}
    ]
    stage.record_artifact("reconcile-production-7", head)
    known.refs["heads/main"] = head
    known.requests.clear()
    ran = stage.run("push", base, head)
    assert ran.code == 0, ran.log
    assert ran.jobs == {"plan", "apply"}
    assert "found the plan that the pull request showed" in ran.log
    assert "Apply complete! Resources: 0 added, 1 changed, 0 destroyed." in ran.log
    assert known.writes == []
    assert known.tokens == {f"token {TOKEN}"}
    assert SECRET not in ran.log
    assert stage.reconcile("plan", "--target", "production", "--detailed-exitcode").returncode == 0


def test_the_comment_says_that_the_manifests_are_invalid(stage: Stage) -> None:
    """Or the plan of the commit before would go on standing there."""
    base = stage.commit({"train": "x:1"}, "Start")
    (stage.repository / "manifests" / "broken.yaml").write_text("apiVersion: nonsense\n")
    stage.git("add", "-A")
    stage.git("commit", "-q", "-m", "Break it")
    known = stage.github.repository
    known.comments[7] = [{"id": 1, "user": BOT, "body": f"{MARKER}\nPlan: 1 to add"}]
    ran = stage.run("pull_request", base, stage.git("rev-parse", "HEAD"))
    assert ran.code != 0
    assert ran.jobs == {"plan", "comment"}
    (comment,) = known.comments[7]
    assert "there is no plan" in comment["body"]
    assert "manifests/broken.yaml:1" in comment["body"]


def test_a_fork_gets_no_credentials_and_posts_nothing(stage: Stage) -> None:
    base = stage.commit({"train": "x:1"}, "Start")
    head = stage.commit({"train": "x:2"}, "Take a newer image")
    ran = stage.run("fork", base, head)
    assert ran.code == 0, ran.log
    assert ran.jobs == {"offline"}
    assert "Target: production (offline, compared with nothing)" in ran.log
    assert "Valid: 1 resources" in ran.log
    assert stage.github.repository.requests == []
    assert not (stage.place / "live.db").exists()


def test_a_push_that_was_overtaken_stops_itself(stage: Stage) -> None:
    base = stage.commit({"train": "x:1"}, "Start")
    head = stage.commit({"train": "x:2"}, "Take a newer image")
    stage.github.repository.refs["heads/main"] = "f" * 40
    ran = stage.run("push", base, head)
    assert ran.code == 0, ran.log
    assert "is superseded by fffffff: nothing is applied" in ran.log
    assert "is not the merge of a pull request" in ran.log
    assert "Apply complete" not in ran.log


def test_an_apply_is_refused_when_the_live_side_moves_after_the_plan(stage: Stage) -> None:
    base = stage.commit({"train": "x:1"}, "Start")
    assert stage.reconcile("apply", "--target", "production", "--apply").returncode == 0
    head = stage.commit({"train": "x:2"}, "Take a newer image")
    stage.github.repository.refs["heads/main"] = head
    workflow = stage.repository / ".github" / "workflows" / "reconcile.yml"
    moved = workflow.read_text().replace(
        "      - name: Apply what was approved\n",
        "      - name: Somebody changes what is live meanwhile\n"
        "        run: sed -i s/x:2/x:3/ manifests/train.yaml && PYTHONPATH=. reconcile apply"
        " --target production --apply && git checkout -q manifests\n"
        "      - name: Apply what was approved\n",
    )
    workflow.write_text(moved)
    ran = stage.run("push", base, head)
    assert ran.code != 0
    assert "exit status 3" in ran.log
    assert "RunaiEnvironment.train: approved update" in ran.log
    assert ran.log.count("Apply complete!") == 1


def test_drift_opens_one_issue_updates_it_and_closes_it(stage: Stage) -> None:
    head = stage.commit({"train": "x:1"}, "Start")
    known = stage.github.repository
    known.issues = [
        {"number": n, "state": "open", "user": {"login": "ada"}, "title": "t", "body": "b"}
        for n in range(3)
    ]
    for _ in range(2):
        ran = stage.run("schedule", head, head)
        assert ran.code == 0, ran.log
        assert ran.jobs == {"drift", "issue"}
    assert [method for method, _ in known.writes] == ["POST", "PATCH"]
    (issue,) = known.issues[3:]
    assert issue["title"] == "Drift: production is not what the manifests say"
    assert issue["body"].startswith("<!-- reconcile:drift:production -->\n")
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in issue["body"]
    assert stage.reconcile("apply", "--target", "production", "--apply").returncode == 0
    ran = stage.run("schedule", head, head)
    assert ran.code == 0, ran.log
    assert issue["state"] == "closed"
    assert known.comments[issue["number"]][0]["body"].startswith("No drift any more")


@pytest.mark.parametrize("broken", ["apiVersion: nonsense\n"])
def test_a_plan_that_fails_says_nothing_of_drift(stage: Stage, broken: str) -> None:
    head = stage.commit({"train": "x:1"}, "Start")
    (stage.repository / "manifests" / "broken.yaml").write_text(broken)
    stage.git("add", "-A")
    stage.git("commit", "-q", "-m", "Break it")
    ran = stage.run("schedule", head, stage.git("rev-parse", "HEAD"))
    assert ran.code != 0
    assert "manifests/broken.yaml:1" in ran.log
    assert stage.github.repository.requests == []
