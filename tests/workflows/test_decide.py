"""What a run may do: plan with credentials, offline or not at all; who may start it."""

import json
import shutil
from typing import Any

import pytest

from reconciler.errors import ConfigError
from reconciler.github.decide import Decision, Mode, applies, decide, may_comment, offline_because
from reconciler.github.runner import Runner
from reconciler.github.site import Site
from tests.workflows.stage import CONFIG, Stage
from tests.workflows.test_steps import outputs, ran

REPOSITORY = {"repository": {"default_branch": "main"}}
SITE = Site("production")


def pull_request(base: str, head: str, owner: str = "acme", branch: str = "main") -> dict[str, Any]:
    """The event of a pull request, as far as it is looked at."""
    return {
        "pull_request": {
            "number": 7,
            "head": {"sha": head, "repo": {"full_name": f"{owner}/platform"}},
            "base": {"sha": base, "ref": branch},
        },
        **REPOSITORY,
    }


def check(stage: Stage, head: str, event: dict[str, Any], **more: str) -> tuple[int, str]:
    """The step that decides, for a pull request by default."""
    more = {"GITHUB_EVENT_NAME": "pull_request", "EVENT": json.dumps(event), **more}
    return ran(stage, "check", head, **more)


def runner(event: dict[str, Any], **environ: str) -> Runner:
    return Runner({"GITHUB_REPOSITORY": "acme/platform", **environ}, event)


@pytest.mark.parametrize(
    ("event", "actor", "outside"),
    [
        (pull_request("b", "h"), "ada", False),
        (pull_request("b", "h", owner="mallory"), "mallory", True),
        (pull_request("b", "h", owner="mallory"), "ada", True),  # somebody ran it again
        (
            {"pull_request": {"number": 7, "head": {"repo": None}}},
            "mallory",
            True,
        ),  # it was deleted
        (pull_request("b", "h"), "dependabot[bot]", True),
        (pull_request("b", "h"), "renovate[bot]", False),  # it pushes with rights of its own
        ({"before": "a" * 40}, "dependabot[bot]", False),
    ],
)
def test_who_gets_no_secrets(event: dict[str, Any], actor: str, outside: bool) -> None:
    found = runner(event, GITHUB_ACTOR=actor)
    assert found.is_outside is outside
    assert ("gives no secrets" in offline_because(found)) is outside
    assert may_comment(found) is ("pull_request" in event and not outside)


@pytest.mark.parametrize(
    ("event", "asked", "applied"),
    [
        ("push", "", True),
        ("push", "false", True),
        ("workflow_dispatch", "true", True),
        ("workflow_dispatch", "false", False),
        ("schedule", "true", False),
        ("pull_request", "true", False),
        ("merge_group", "true", False),
    ],
)
def test_what_may_be_applied(event: str, asked: str, applied: bool) -> None:
    assert applies(runner({}, GITHUB_EVENT_NAME=event, RECONCILE_APPLY=asked)) is applied


@pytest.mark.parametrize(
    ("ref", "named", "refused"),
    [
        ("refs/heads/main", "[]", False),
        ("refs/heads/release", '["release"]', False),
        ("refs/heads/feature", "[]", True),
        ("refs/tags/main", "[]", True),
    ],
)
def test_only_a_trusted_branch_can_be_started_by_hand(ref: str, named: str, refused: bool) -> None:
    """Its checks would count for the pull request of that branch, and it could be applied."""
    environ = {"GITHUB_EVENT_NAME": "workflow_dispatch", "GITHUB_REF": ref}
    found = runner(REPOSITORY, **environ, RECONCILE_TRUSTED_BRANCHES=named)
    if refused:
        with pytest.raises(ConfigError, match=f"workflow_dispatch: it was started for {ref}"):
            decide(found, SITE)
    else:
        assert decide(found, SITE) == Decision(Mode.LIVE)


def test_the_first_pull_request_is_planned_as_new(bare_stage: Stage) -> None:
    """The base has no reconciler.yaml: where credentials go, nobody has said who may."""
    bare_stage.git("commit", "-q", "--allow-empty", "-m", "Start")
    base = bare_stage.git("rev-parse", "HEAD")
    head = bare_stage.commit({"train": "x:1"}, "Bring it in")
    code, log = check(bare_stage, head, pull_request(base, head))
    assert code == 0, log
    assert "planned offline: main has no target production yet, so that it is planned as new" in log
    found = outputs(bare_stage)
    assert (found["plan"], found["comment"], found["caused"]) == ("offline", "true", "true")
    assert (found["adds"], found["applyable"]) == ("1", "false")
    assert len(bare_stage.live.requests) == 0


def test_a_new_target_is_planned_as_new(bare_stage: Stage) -> None:
    config = bare_stage.repository / "reconciler.yaml"
    base = bare_stage.commit({"train": "x:1"}, "Start")
    more = (
        "  staging:\n    runai: {base_url: https://mallory.example, client_id: a, client_secret: b}"
    )
    config.write_text(f"{CONFIG}{more}\n")
    head = bare_stage.commit({"train": "x:1"}, "Add a target")
    event = pull_request(base, head)
    code, log = check(bare_stage, head, event, RECONCILE_TARGET="staging")
    assert code == 0, log
    assert "main has no target staging yet" in log
    assert outputs(bare_stage)["plan"] == "offline"


def test_what_cannot_be_told_is_planned(bare_stage: Stage) -> None:
    """A target that nobody states, or a base that is not there: the plan says what is wrong."""
    base = bare_stage.commit({"train": "x:1"}, "Start")
    head = bare_stage.commit({"train": "x:2"}, "Go on")
    code, log = check(bare_stage, head, pull_request(base, head), RECONCILE_TARGET="stagign")
    assert code == 0, log
    assert "there is no target stagign" in log
    assert outputs(bare_stage)["plan"] == "live"
    code, log = check(bare_stage, head, pull_request("e" * 40, head))
    assert (code, outputs(bare_stage)["plan"]) == (0, "live"), log


@pytest.mark.parametrize(
    ("changed", "mode"),
    [
        ("infra/a/manifests/train.yaml", "live"),
        ("infra/a/reconciler.yaml", "live"),
        ("infra/a/README.md", "none"),
        ("infra/b/manifests/train.yaml", "none"),
        ("README.md", "none"),
    ],
)
def test_only_what_a_pull_request_touches_is_planned(
    changed: str, mode: str, bare_stage: Stage
) -> None:
    bare_stage.commit({"train": "x:1"}, "Start")
    root = bare_stage.repository
    for name in ("a", "b"):
        shutil.copytree(root / "manifests", root / "infra" / name / "manifests")
        shutil.copy(root / "reconciler.yaml", root / "infra" / name)
    bare_stage.git("add", "-A")
    bare_stage.git("commit", "-q", "-m", "Have two")
    base = bare_stage.git("rev-parse", "HEAD")
    with (root / changed).open("a") as file:
        file.write("# changed\n")
    bare_stage.git("add", "-A")
    bare_stage.git("commit", "-q", "-m", "Change it")
    head = bare_stage.git("rev-parse", "HEAD")
    event = pull_request(base, head)
    code, log = check(bare_stage, head, event, RECONCILE_DIRECTORY="infra/a")
    assert code == 0, log
    found = outputs(bare_stage)
    assert found["plan"] == mode
    assert (found.get("caused") == "false") is (mode == "none")


def test_the_environments_are_those_of_target_and_directory(bare_stage: Stage) -> None:
    head = bare_stage.commit({"train": "x:1"}, "Start")
    event = {"before": "0" * 40}
    code, log = check(bare_stage, head, event, GITHUB_EVENT_NAME="push")
    assert code == 0, log
    found = outputs(bare_stage)
    assert (found["environment"], found["plan-environment"]) == ("production", "production-plan")
    assert (found["plan"], found["apply"], found["comment"]) == ("live", "true", "false")
    assert Site("production", "infra/a").environment == "infra/a/production"


@pytest.mark.parametrize(
    ("images", "before", "shown"),
    [
        ({"train": "x:2"}, "", "true"),
        (None, "", "false"),
        (None, "0" * 40, "true"),  # a new branch: nobody knows what it brings
        (None, "e" * 40, "true"),  # a force-push
    ],
)
def test_whether_a_review_may_have_shown_what_is_pushed(
    images: dict[str, str] | None, before: str, shown: str, bare_stage: Stage
) -> None:
    base = bare_stage.commit({"train": "x:1"}, "Start")
    (bare_stage.repository / "README.md").write_text("Hello\n")
    head = bare_stage.commit(images, "Go on")
    event = {"before": before or base}
    code, log = check(bare_stage, head, event, GITHUB_EVENT_NAME="push")
    assert code == 0, log
    assert outputs(bare_stage)["shown"] == shown
    assert bare_stage.github.repository.requests == []
