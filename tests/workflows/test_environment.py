"""An apply fails closed: without an environment that holds it back it does nothing."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import ReconcileError
from reconciler.github.applying import require_protected
from reconciler.github.rest import GitHub
from reconciler.github.runner import Runner
from tests.workflows.fake_github import APPROVED, FakeGitHub
from tests.workflows.stage import Stage
from tests.workflows.test_steps import outputs, ran

BRANCHES = {"protected_branches": True, "custom_branch_policies": False}


def environment(*rules: str, branches: dict[str, bool] | None = None) -> dict[str, Any]:
    found = [{"id": number, "type": name} for number, name in enumerate(rules)]
    return {"protection_rules": found, "deployment_branch_policy": branches}


@pytest.mark.parametrize(
    ("found", "warned"),
    [
        (APPROVED, False),
        (environment("required_reviewers"), False),
        (environment("an_app_of_ours"), False),  # a custom rule
        (environment("wait_timer"), True),
        (environment("branch_policy", branches=BRANCHES), True),
        (environment(branches=BRANCHES), True),
    ],
)
def test_what_counts_as_protected(
    found: dict[str, Any],
    warned: bool,
    github: FakeGitHub,
    gh: GitHub,
    capsys: pytest.CaptureFixture[str],
) -> None:
    github.repository.environments = {"infra/a/production": found}
    require_protected(gh, Runner({"RECONCILE_ENVIRONMENT": "infra/a/production"}))
    said = "::warning::nobody has to approve: environment infra/a/production has no required revie"
    assert (said in capsys.readouterr().out) is warned


@pytest.mark.parametrize(
    ("name", "known", "words"),
    [
        ("production", {"production": environment()}, "the environment has no protection"),
        ("production", {"production": {}}, "the environment has no protection"),
        ("production", {}, "nobody can tell whether the environment is protected.*HTTP 404"),
        ("", {}, "no environment is named"),
    ],
)
def test_without_protection_nothing_is_applied(
    name: str, known: dict[str, Any], words: str, github: FakeGitHub, gh: GitHub
) -> None:
    github.repository.environments = known
    environ = {"RECONCILE_ENVIRONMENT": name}
    with pytest.raises(ReconcileError, match=f"(?s)nothing was applied: {words}") as caught:
        require_protected(gh, Runner(environ))
    assert "allow-unprotected" in caught.value.fix or "ALLOW_UNPROTECTED" in caught.value.fix
    require_protected(gh, Runner({**environ, "RECONCILE_ALLOW_UNPROTECTED": "true"}))


def test_an_apply_asks_before_it_does_anything(bare_stage: Stage) -> None:
    """GitHub has made this environment, because a job has named it."""
    head = bare_stage.commit({"train": "x:1"}, "Start")
    bare_stage.github.repository.environments = {"production": environment()}
    code, log = ran(bare_stage, "apply", head, RECONCILE_EXPECT_DIGEST="sha256:" + "0" * 64)
    assert code == 1
    assert "::error::production: nothing was applied: the environment has no protection" in log
    page = Path(outputs(bare_stage)["directory"]) / "applied.md"
    for place in (page, bare_stage.place / "summary.md"):
        assert "the environment has no protection" in place.read_text()
    assert len(bare_stage.live.requests) == 0
