"""Single steps of the action, as the runner starts them, without a workflow around them."""

import json
import os
import re
import shutil
import ssl
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from reconciler import __version__
from tests.workflows.fake_github import BOT, FakeGitHub
from tests.workflows.stage import TOKEN, Stage


def ran(stage: Stage, command: str, head: str, **more: str) -> tuple[int, str]:
    """The exit code and the log of a step."""
    running = stage.step(command, head, **more)
    log, _ = running.communicate(timeout=120)
    return running.returncode, log


def reviewed_plan(stage: Stage) -> Path:
    """Where the step `reviewed` puts what it has found."""
    found = stage.place / "reconcile-reviewed" / "production" / "7.json"
    found.parent.mkdir(parents=True)
    return found


def test_a_reviewed_plan_of_no_use_does_not_stop_main(bare_stage: Stage) -> None:
    head = bare_stage.commit({"train": "x:1"}, "Start")
    reviewed_plan(bare_stage).write_text(json.dumps({"format_version": "99.0"}))
    code, log = ran(bare_stage, "plan", head)
    assert code == 0, log
    assert "Warning: nothing was compared: " in log
    assert (
        "nothing was compared with a reviewed plan" in (bare_stage.place / "summary.md").read_text()
    )
    assert "\napplyable<<" in bare_stage.output.read_text()


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_tag_is_applied_whatever_kind_it_is(bare_stage: Stage, depth: int) -> None:
    """An annotated tag points to an object of its own, and that to the commit, or another tag."""
    head = bare_stage.commit({"train": "x:1"}, "Start")
    known = bare_stage.github.repository
    objects = [*(str(number) * 40 for number in range(1, depth + 1)), head]
    known.refs["tags/v1"] = objects[0]
    known.tags.update(pairwise(objects))
    more = {"GITHUB_REF": "refs/tags/v1", "RECONCILE_EXPECT_DIGEST": "sha256:" + "0" * 64}
    code, log = ran(bare_stage, "apply", head, **more)
    assert outputs(bare_stage)["superseded"] == "false", log
    assert code == 3, "it has looked, and the digest is another one"
    known.refs["tags/v1"] = "e" * 40  # moved
    known.tags["e" * 40] = "f" * 40
    code, log = ran(bare_stage, "apply", head, **more)
    assert (code, outputs(bare_stage)["superseded"]) == (3, "true"), log
    assert f"{head[:7]} is superseded by fffffff, " in log


def test_a_push_of_no_pull_request_has_nothing_to_be_compared_with(bare_stage: Stage) -> None:
    code, log = ran(bare_stage, "reviewed", "a" * 40)
    assert code == 0
    assert f"::warning::no pull request has brought {'a' * 7}: nobody has reviewed it" in log


@pytest.mark.parametrize("event", ["push", "merge_group"])
def test_a_squash_with_its_title_alone_loses_no_allowance(bare_stage: Stage, event: str) -> None:
    """The line is in a commit of the pull request alone; plan and apply of one run both know it."""
    config = bare_stage.repository / "reconciler.yaml"
    config.write_text(f"{config.read_text()}guards: {{max_deletes: 0, free_deletes: 0}}\n")
    base = bare_stage.commit({"train": "x:1", "old": "x:1"}, "Start")
    assert bare_stage.reconcile("apply", "--target", "production", "--apply").returncode == 0
    head = bare_stage.commit({"train": "x:1"}, "Delete it (#7)")
    refused = bare_stage.reconcile("plan", "--target", "production")
    assert refused.returncode == 4
    line = re.search(r"^  (Reconcile-Allow: .*)$", refused.stdout, re.MULTILINE)
    assert line
    known = bare_stage.github.repository
    said = {"message": f"Delete\n\n{line[1]}", "author": {"name": "Grace"}}
    known.commits[7] = [{"sha": "c" * 40, "commit": said}]
    merged = {"number": 7, "merged_at": "x", "base": {"ref": "main"}, "head": {"sha": "c" * 40}}
    known.pulls[head] = [merged]
    queue = {"base_sha": base, "base_ref": "refs/heads/main", "head_sha": head}
    queue["head_ref"] = f"refs/heads/gh-readonly-queue/main/pr-7-{base}"
    events: dict[str, dict[str, object]] = {
        "push": {"before": base},
        "merge_group": {"merge_group": queue},
    }
    payload = {**events[event], "repository": {"default_branch": "main"}}
    more = {"EVENT": json.dumps(payload), "GITHUB_EVENT_NAME": event}
    for command in ("reviewed", "plan"):
        code, log = ran(bare_stage, command, head, **more)
        assert code == 0, log
    assert "Reconcile-Allow of ccccccc (Grace) is for this plan: deletes=1." in log
    if event == "push":
        found = outputs(bare_stage)
        more["RECONCILE_PLAN"] = f"{found['directory']}/plan.json"
        code, log = ran(bare_stage, "apply", head, **more, RECONCILE_EXPECT_DIGEST=found["digest"])
        assert code == 0, log
        assert "1 destroyed" in log


def test_a_comment_where_not_even_a_page_was_made(bare_stage: Stage) -> None:
    """A job that fails before its plan: what stands in the comment is of an earlier commit."""
    more = {"EVENT": json.dumps({"pull_request": {"number": 7}}), **PULL_REQUEST}
    known = bare_stage.github.repository
    known.comments[7] = [{"id": 1, "user": BOT, "body": "<!-- reconcile:production -->\nold"}]
    code, log = ran(bare_stage, "comment", "a" * 40, **more, GITHUB_RUN_ID="5")
    assert code == 0, log
    (comment,) = known.comments[7]
    assert comment["body"].startswith("<!-- reconcile:production -->\n### reconcile plan: ")
    assert "there is no plan" in comment["body"]
    assert "https://github.com/acme/platform/actions/runs/5" in comment["body"]
    code, log = ran(bare_stage, "comment", "a" * 40, **more, RECONCILE_BODY="/nowhere/plan.md")
    assert code == 1
    assert "/nowhere/plan.md: it cannot be read" in log


def test_a_comment_says_what_the_plan_was_made_from(bare_stage: Stage) -> None:
    """The test merge is in nobody's clone; the last commit of the branch is."""
    merge, head = "a" * 40, "b" * 40
    page = bare_stage.place / "page.md"
    text = "### Plan for `production`\n\nstack `acme` · commit `aaaaaaa`\n"
    page.write_text(f"<!-- reconcile:production -->\n{text}")
    pull = {"number": 7, "head": {"sha": head}, "base": {"ref": "main"}}
    more = {"EVENT": json.dumps({"pull_request": pull}), **PULL_REQUEST, "GITHUB_RUN_ID": "5"}
    url = "https://github.com/acme/platform/actions/runs/5/artifacts/6"
    more |= {"RECONCILE_BODY": str(page), "RECONCILE_ARTIFACT_URL": url}
    code, log = ran(bare_stage, "comment", merge, **more)
    assert code == 0, log
    (comment,) = bare_stage.github.repository.comments[7]
    first, origin, *rest = comment["body"].splitlines()
    assert first == "<!-- reconcile:production -->"
    base = "https://github.com/acme/platform"
    *parts, when = origin.split(" · ")
    assert parts == [
        f"Commit [`bbbbbbb`]({base}/commit/{head}) merged into `main`",
        f"[run]({base}/actions/runs/5)",
        f"[artifact with `plan.html` and `plan.json`]({url})",
    ]
    assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", when)
    assert rest == ["", "### Plan for `production`", "", "stack `acme`"]


def test_an_enterprise_server_is_spoken_to_with_the_token_of_the_job(bare_stage: Stage) -> None:
    """`gh` takes GH_TOKEN for github.com alone."""
    key, cert = bare_stage.place / "key.pem", bare_stage.place / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    made += ["-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    server = FakeGitHub(tls)
    more = {"EVENT": json.dumps({"pull_request": {"number": 7}}), **PULL_REQUEST}
    more |= {"GITHUB_SERVER_URL": server.url, "SSL_CERT_FILE": str(cert), "GH_HOST": ""}
    more |= {"GH_ENTERPRISE_TOKEN": "of somebody else"}
    code, log = ran(bare_stage, "comment", "a" * 40, **more)
    server.close()
    assert code == 0, log
    assert "there is no plan" in server.repository.comments[7][0]["body"]
    assert server.repository.tokens == {f"token {TOKEN}"}
    assert bare_stage.github.repository.requests == []


@pytest.mark.parametrize("name", ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN"])
def test_no_token_of_gh_reaches_the_command(bare_stage: Stage, name: str) -> None:
    program = bare_stage.place / "bin" / "reconcile"
    program.parent.mkdir()
    said = f"#!/bin/sh\n[ $1 = --version ] && echo reconcile {__version__} || env\n"
    program.write_text(said)
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    code, log = ran(bare_stage, "validate", "a" * 40, **{"PATH": path, name: "canary of gh"})
    assert code == 0, log
    assert "RECONCILE_COMMAND=validate" in log
    assert "canary of gh" not in log


PULL_REQUEST = {"GITHUB_EVENT_NAME": "pull_request"}


def outputs(stage: Stage) -> dict[str, str]:
    """What the last step has put out."""
    return dict(
        re.findall(r"^(\S+)<<\S+\n(.*?)\nend_", stage.output.read_text(), re.MULTILINE | re.DOTALL)
    )


def test_directories_with_one_name_of_target_are_kept_apart(bare_stage: Stage) -> None:
    """A monorepo: one comment, artifact, set of files and issue for each directory."""
    place = bare_stage.repository / "infra" / "a"
    place.mkdir(parents=True)
    shutil.copy(bare_stage.repository / "reconciler.yaml", place)
    event = {"EVENT": json.dumps({"pull_request": {"number": 7}}), **PULL_REQUEST}
    code, _ = ran(bare_stage, "plan", "a" * 40, **event, RECONCILE_DIRECTORY="infra/a")
    assert code == 1  # there are no manifests
    found = outputs(bare_stage)
    assert found["artifact"] == f"reconcile-{Path(found['directory']).name}-7"
    assert found["artifact"].startswith("reconcile-infra-a-production.")
    page = bare_stage.place / "page.md"
    page.write_text("<!-- reconcile:production -->\n### Plan")
    for command, directory, changes in [
        ("comment", ".", ""),
        ("comment", "infra/a", ""),
        ("drift", ".", "true"),
        ("drift", "infra/a", "true"),
        ("drift", "infra/a", "true"),
        ("drift", "./infra/a/", "false"),
    ]:
        more = {"RECONCILE_DIRECTORY": directory, "RECONCILE_CHANGES": changes}
        code, log = ran(bare_stage, command, "a" * 40, **event, **more, RECONCILE_BODY=str(page))
        assert code == 0, log
    known = bare_stage.github.repository
    bodies = [comment["body"] for comment in known.comments[7]]
    assert bodies[0].startswith("<!-- reconcile:production -->\nCommit [`aaaaaaa`](https://")
    assert bodies[0].endswith("\n\n### Plan")
    assert bodies[1].splitlines()[1:3] == ["In `infra/a`:", ""]
    assert bodies[1].endswith(bodies[0].partition("\n")[2])
    assert [(issue["title"], issue["state"]) for issue in known.issues] == [
        ("Drift: production is not what the manifests say", "open"),
        ("Drift: production in infra/a is not what the manifests say", "closed"),
    ]
