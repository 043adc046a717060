"""How the functions find what they work on, and that it is never a sandbox by itself."""

import contextvars
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from reconciler.agent import AgentSettings, configure, current, runai_create_environment, using
from reconciler.agent.settings import VARIABLES
from reconciler.errors import ConfigError
from tests.agent.site import Site, title

SPEC = {"name": "train", "scope": "tenant", "image": "busybox:1"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield
    monkeypatch.undo()
    configure()


def test_nothing_stated_is_the_current_directory_and_a_preview() -> None:
    assert current() == AgentSettings()
    assert current().dry_run_default
    assert current().mode == "direct"


def test_what_is_stated_where_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RECONCILE_AGENT_TARGET", "of-the-variable")
    monkeypatch.setenv("RECONCILE_AGENT_DIRECTORY", str(tmp_path))
    assert (current().target, current().directory) == ("of-the-variable", tmp_path)
    configure(target="of-the-process")
    assert (current().target, current().directory) == ("of-the-process", tmp_path)
    with using(target="of-the-block"):
        assert current().target == "of-the-block"
        assert contextvars.copy_context().run(current).target == "of-the-block"
    assert current().target == "of-the-process"


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"mode": "fast"}, "mode"),
        ({"max_gpus": -1}, "max_gpus"),
        ({"allowed_scopes": ["galaxy"]}, "allowed_scopes"),
        ({"allowed_scopes": []}, "allowed_scopes"),
        ({"require_confirmation": False}, "confirmation cannot be switched off"),
        ({"dry_run_defualt": True}, "dry_run_default"),
        ({"author": "nobody"}, "author"),
        ({"stack": "No Stack"}, "stack"),
    ],
)
def test_wrong_settings_are_named(stated: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configure(**stated)
    assert words in str(caught.value)
    with pytest.raises(ValidationError):
        AgentSettings(**stated)


def test_a_wrong_variable_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_AGENT_MODE", "fast")
    said = runai_create_environment(SPEC)
    assert title(said) == "❌ Environment Creation Failed"
    assert "settings of the agent functions" in said


def test_no_configuration_at_all_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNAI_BASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    said = runai_create_environment(SPEC)
    assert "there is no reconciler.yaml and no variable RUNAI_BASE_URL" in said
    assert "set RUNAI_BASE_URL, RUNAI_CLIENT_ID and RUNAI_CLIENT_SECRET" in said


def _set_variables(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNAI_BASE_URL", site.endpoint.base_url)
    monkeypatch.setenv("RUNAI_CLIENT_ID", site.endpoint.client_id)
    monkeypatch.setenv("RUNAI_CLIENT_SECRET", site.endpoint.client_secret.get_secret_value())


def test_variables_alone_will_do(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNAI_BASE_URL", site.endpoint.base_url)
    said = runai_create_environment(SPEC)
    assert "RUNAI_CLIENT_ID is not set" in said
    assert "RUNAI_CLIENT_SECRET is not set" in said
    _set_variables(site, monkeypatch)
    said = runai_create_environment(SPEC, dry_run=False, confirmed=True)
    assert title(said) == "✅ Environment Created Successfully!"
    assert "[reconcile:reconcile-agent:" in site.asset("train")["meta"]["description"]


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("site-typo", "there is no such directory"),
        ("site/manifests", "there is no reconciler.yaml"),
    ],
)
@pytest.mark.parametrize("how", ["configure", "using", "variable"])
def test_a_stated_directory_without_a_configuration_is_an_error_whatever_variables_say(
    site: Site, monkeypatch: pytest.MonkeyPatch, stated: str, says: str, how: str
) -> None:
    _set_variables(site, monkeypatch)
    directory = site.directory.parent / stated
    if how == "variable":
        monkeypatch.setenv("RECONCILE_AGENT_DIRECTORY", str(directory))
    if how == "configure":
        configure(directory=directory)
    with using(**({"directory": directory} if how == "using" else {})):
        said = runai_create_environment(SPEC, dry_run=False, confirmed=True)
    assert title(said) == "❌ Environment Creation Failed"
    assert says in said
    assert "name the directory that has it" in said
    assert site.names() == []


@pytest.mark.parametrize("name", ["reconciler.yaml", "reconciler.yml"])
def test_limits_above_the_current_directory_are_not_passed_over(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    site.configure(limits={"max_gpus": 1, "allowed_scopes": ["project"]})
    (site.directory / "reconciler.yaml").rename(site.directory / name)
    _set_variables(site, monkeypatch)
    monkeypatch.chdir(site.directory / "manifests")
    said = runai_create_environment(SPEC, dry_run=False, confirmed=True)
    assert f"but one in {site.directory}, whose limits would not hold" in said
    monkeypatch.chdir(site.directory)
    here = runai_create_environment(SPEC, dry_run=False, confirmed=True)
    assert ("not in allowed list" if name == "reconciler.yaml" else "rename reconciler.yml") in here
    assert site.names() == []


def test_a_sandbox_has_to_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "reconciler.yaml").write_text(
        "{apiVersion: reconciler/v1, stack: a, default_target: toy, "
        "targets: {toy: {runai: {sandbox: toy.db}}}}"
    )
    with using(directory=tmp_path):
        said = runai_create_environment(SPEC, dry_run=False, confirmed=True)
        assert "the default target toy is a sandbox" in said
        assert not (tmp_path / "toy.db").exists()
        monkeypatch.setenv("RECONCILE_AGENT_TARGET", "toy")
    with using(directory=tmp_path, target="toy"):
        said = runai_create_environment(SPEC, dry_run=False, confirmed=True)
    assert title(said) == "✅ Environment Created Successfully!"
    assert "(the sandbox has no web interface)" in said


def test_a_target_without_a_control_plane_is_refused(site: Site) -> None:
    site.configure(targets={"live": {"docker": {}}})
    with site.calls():
        assert "target live has no `runai`".replace("`", "'") in runai_create_environment(SPEC)


def test_a_long_stack_needs_a_name_of_its_own(site: Site) -> None:
    site.configure(stack="a" * 30)
    with site.calls():
        assert "too long for the name of a stack" in runai_create_environment(SPEC)
    with site.calls(stack="short"):
        assert title(runai_create_environment(SPEC)).startswith("🔍")


SETTINGS = "the settings of these functions (workflow.yaml, configure)"
BIG = {"cpu_cores": 99, "memory": "999Gi", "gpu": 99}


@pytest.mark.parametrize(
    ("stated", "fix"),
    [
        ({}, "raise limits.max_gpus in reconciler.yaml"),
        ({"max_gpus": 6}, "raise limits.max_gpus in reconciler.yaml"),
        ({"max_gpus": 2}, f"raise max_gpus in {SETTINGS}, up to the 4 of reconciler.yaml"),
        ({"max_gpus": 4}, f"raise max_gpus in {SETTINGS} and limits.max_gpus in reconciler.yaml"),
        ({"max_cpu_cores": 1.5}, f"raise max_cpu_cores in {SETTINGS}, up to the 32 of"),
        ({"max_memory_gb": 1}, f"raise max_memory_gb in {SETTINGS}, up to the 256 of"),
        ({"allowed_scopes": ["project"]}, f"allow it under allowed_scopes in {SETTINGS}\n"),
        ({"scope": "cluster"}, "allow it under limits.allowed_scopes in reconciler.yaml"),
        (
            {"scope": "cluster", "allowed_scopes": ["project"]},
            f"under allowed_scopes in {SETTINGS} and limits.allowed_scopes in reconciler.yaml",
        ),
        (
            {"scope": "cluster", "allowed_scopes": ["cluster", "project"]},
            "allow it under limits.allowed_scopes in reconciler.yaml",
        ),
    ],
)
def test_a_limit_says_where_it_can_be_raised(site: Site, stated: dict[str, Any], fix: str) -> None:
    site.configure(limits={"max_gpus": 4, "allowed_scopes": ["tenant", "project"]})
    spec = {**SPEC, "scope": stated.pop("scope", "tenant"), "compute": BIG}
    with site.calls(**stated):
        assert fix in runai_create_environment(spec)


def test_a_limit_that_is_raised_as_told_is_past(site: Site) -> None:
    site.configure(limits={"max_gpus": 4})
    with site.calls(max_gpus=2) as settings:
        assert "up to the 4 of" in runai_create_environment({**SPEC, "compute": {"gpu": 3}})
    with using(settings, max_gpus=4):
        shown = runai_create_environment({**SPEC, "compute": {"gpu": 3}})
    assert title(shown) == "🔍 Environment Preview (Dry Run)"
