"""Whose reconciler.yaml counts for the agent functions, and plans that servers make with them."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.agent import (
    Directory,
    PlanRequest,
    explain_address,
    open_session,
    plan_for,
    runai_create_environment,
    runai_delete_environment,
    runailabs_environment_info,
)
from reconciler.core.review_notes import Origin
from reconciler.errors import ConfigError
from tests.acceptance.git_project import git
from tests.agent.site import Site, title

SPEC = {"name": "train", "scope": "tenant", "image": "busybox:1", "compute": {"gpu": 1}}
NOWHERE = "http://127.0.0.1:9"
MANIFEST = """\
apiVersion: reconciler/v1
kind: RunaiEnvironment
metadata: {name: stated}
spec: {scope: tenant, image: "busybox:1"}
"""


def commit(site: Site, subject: str) -> str:
    git(site.directory, "add", "--all")
    git(site.directory, "commit", "--quiet", "-m", subject)
    return git(site.directory, "rev-parse", "HEAD")


@pytest.fixture
def branch(site: Site) -> Site:
    """`main` permits one GPU; on `work`, which is checked out, everything was loosened."""
    site.configure(limits={"max_gpus": 1})
    (site.directory / "manifests" / "all.yaml").write_text(MANIFEST)
    git(site.directory, "init", "--quiet", "--initial-branch", "main")
    git(site.directory, "config", "user.name", "Tester")
    git(site.directory, "config", "user.email", "tester@example.com")
    commit(site, "Begin")
    git(site.directory, "checkout", "--quiet", "-b", "work")
    site.configure(proxied=NOWHERE, stack="elsewhere", limits={"max_gpus": 8})
    commit(site, "Loosen it")
    return site


def test_direct_mode_works_where_the_ref_says(branch: Site) -> None:
    with branch.calls():
        assert title(create()).startswith("❌")  # the branch leads nowhere
    with branch.calls(config_from="main"):
        assert title(create()) == "✅ Environment Created Successfully!"
        assert "[reconcile:ml-platform-agent:" in branch.asset("train")["meta"]["description"]
        assert "train" in runailabs_environment_info("show environments")
        runai_delete_environment("train", confirmed=True)
    assert branch.names() == []


def create(**changes: Any) -> str:
    return runai_create_environment({**SPEC, **changes}, dry_run=False, confirmed=True)


def test_the_limits_of_direct_mode_are_those_of_the_ref(branch: Site) -> None:
    with branch.calls(config_from="main"):
        said = create(compute={"gpu": 2})
    assert "1" in said
    assert title(said) == "❌ Environment Validation Failed"
    assert branch.names() == []


def test_a_variable_and_a_block_state_it(branch: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_AGENT_CONFIG_FROM", "main")
    monkeypatch.setenv("RECONCILE_AGENT_DIRECTORY", str(branch.directory))
    assert title(create()) == "✅ Environment Created Successfully!"


@pytest.mark.parametrize("mode", ["direct", "gitops"])
@pytest.mark.parametrize(
    ("ref", "words"),
    [("nowhere", "there is no commit"), ("--all", "there is no commit"), ("bare", "has no")],
)
def test_a_wrong_ref_is_a_message_and_nothing_is_made(
    branch: Site, mode: str, ref: str, words: str
) -> None:
    empty = git(branch.directory, "commit-tree", "-m", "Nothing", f"{_empty(branch)}")
    git(branch.directory, "branch", "bare", empty)
    with branch.calls(config_from=ref, mode=mode):
        for said in (create(), runai_delete_environment("stated", confirmed=True)):
            assert title(said).startswith("❌")
            assert words in said
    assert branch.names() == []
    assert "reconcile/" not in git(branch.directory, "branch")


def _empty(site: Site) -> str:
    return git(site.directory, "hash-object", "-t", "tree", "-w", "/dev/null")


def test_no_repository_has_no_ref(site: Site) -> None:
    with site.calls(config_from="main"):
        said = create()
    assert title(said).startswith("❌")
    assert site.names() == []


def test_gitops_proposes_by_the_configuration_of_the_ref(branch: Site) -> None:
    with branch.calls(config_from="main", mode="gitops"):
        said = create(name="new")
    assert title(said).startswith("✅"), said
    assert "reconcile/create-new" in git(branch.directory, "branch")


def test_a_server_s_plan_says_whose_change_it_is(branch: Site) -> None:
    path = branch.directory / "manifests" / "all.yaml"
    path.write_text(MANIFEST.replace("busybox:1", "busybox:2"))
    made = commit(branch, "Use the second")
    request = PlanRequest(Directory(branch.directory), since="main", config_from="main")
    with open_session(request) as session:
        planned = plan_for(session, request)
        explained = explain_address(planned, "RunaiEnvironment.stated", session)
    cause = planned.header.review.causes["RunaiEnvironment.stated"]
    assert cause.origin is Origin.BOTH  # nor has anybody applied it yet
    assert cause.edit is not None
    assert made.startswith(cause.edit.commit)
    assert any(made[:7] in sentence for sentence in explained.why)
    assert planned.header.review.overridden == ("targets", "stack")


def test_a_server_s_plan_refuses_a_ref_that_is_not_there(branch: Site) -> None:
    request = PlanRequest(Directory(branch.directory), since="nowhere", config_from="main")
    with open_session(request) as session, pytest.raises(ConfigError, match="no commit"):
        plan_for(session, request)


def test_a_server_s_plan_needs_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError), open_session(PlanRequest(Directory(tmp_path))):
        raise AssertionError
