"""`.github/workflows/reconcile.yml`, executed: what runs, what is posted, what is refused."""

import json

import pytest

from tests.workflows.fake_github import BOT
from tests.workflows.stage import TOKEN, Stage

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
    assert (
        f"Commit [`{head[:7]}`](https://github.com/acme/platform/commit/{head})" in written["body"]
    )
    assert "(https://github.com/acme/platform/actions/runs/1/artifacts/9)" in written["body"]
    assert "Plan: 0 to add, 1 to change, 0 to destroy." in written["body"]
    assert digest_of(stage, "reconcile-production-7") in written["body"]

    assert [method for method, _ in known.writes] == ["POST"]
    assert len(known.comments[7]) == 5

    known.requests.clear()
    ran = stage.run("merge_group", base, head)
    assert ran.code == 0, ran.log
    assert ran.jobs == {"plan"}
    assert "1 change from this branch, 0 drift" in ran.log
    assert f"configuration of {base[:7]}" in ran.log
    assert digest_of(stage, "reconcile-production-merge_group") in written["body"]
    assert known.writes == []

    known.pulls[head] = [
        {"number": 7, "merged_at": "2026-01-01", "base": {"ref": "main"}, "head": {"sha": head}}
    ]
    stage.record_artifact("reconcile-production-7", head)
    known.refs["heads/main"] = head
    known.requests.clear()
    ran = stage.run("push", base, head)
    assert ran.code == 0, ran.log
    assert ran.jobs == {"plan", "apply"}
    assert "found the plan that pull request #7 showed" in ran.log
    assert "Apply complete! Resources: 0 added, 1 changed, 0 destroyed." in ran.log
    assert known.writes == []
    assert known.tokens == {f"token {TOKEN}"}
    assert [write.method for write in stage.live.requests.writes()] == ["POST", "PUT"]
    for path in (path for path in stage.artifacts.rglob("*") if path.is_file()):
        assert stage.secret not in path.read_text()
    assert stage.secret not in ran.log


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


@pytest.mark.parametrize("event", ["fork", "stacked"])
def test_who_is_not_trusted_gets_no_credentials_and_posts_nothing(stage: Stage, event: str) -> None:
    """A fork, and a pull request onto a branch that anybody may push to."""
    base = stage.commit({"train": "x:1"}, "Start")
    head = stage.commit({"train": "x:2"}, "Take a newer image")
    ran = stage.run(event, base, head)
    assert ran.code == 0, ran.log
    assert ran.jobs == {"offline"}
    assert "Target: production (offline, compared with nothing)" in ran.log
    assert "Valid: 1 resources" in ran.log
    assert stage.github.repository.requests == []
    assert len(stage.live.requests) == 0


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
        "        env:\n"
        "          RUNAI_BASE_URL: ${{ vars.RUNAI_BASE_URL }}\n"
        "          RUNAI_CLIENT_ID: ${{ secrets.RUNAI_CLIENT_ID }}\n"
        "          RUNAI_CLIENT_SECRET: ${{ secrets.RUNAI_CLIENT_SECRET }}\n"
        "      - name: Apply what was approved\n",
    )
    workflow.write_text(moved)
    ran = stage.run("push", base, head)
    assert ran.code != 0
    assert "exit status 3" in ran.log
    assert "RunaiEnvironment.train: approved update" in ran.log
    assert ran.log.count("Apply complete!") == 1


def test_drift_opens_one_issue_and_closes_it(stage: Stage) -> None:
    head = stage.commit({"train": "x:1"}, "Start")
    known = stage.github.repository
    known.issues = [
        {"number": n, "state": "open", "user": {"login": "ada"}, "title": "t", "body": "b"}
        for n in range(3)
    ]
    own = {"id": 1, "workflow_id": 1, "event": "schedule", "created_at": "", "status": "x"}
    known.runs = [own]  # no push's is under way
    ran = stage.run("schedule", head, head)
    assert ran.code == 0, ran.log
    assert ran.jobs == {"drift", "issue"}
    assert [method for method, _ in known.writes] == ["POST"]
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


def test_a_branch_that_the_repository_names_is_trusted(stage: Stage) -> None:
    base = stage.commit({"train": "x:1"}, "Start")
    head = stage.commit({"train": "x:2"}, "Take a newer image")
    ran = stage.run("stacked", base, head, "--var", 'RECONCILE_TRUSTED_BRANCHES=["feature"]')
    assert ran.code == 0, ran.log
    assert ran.jobs == {"plan", "comment"}
    assert len(stage.live.requests) > 0
