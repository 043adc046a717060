"""The sample configuration, manifests and environments that a newcomer learns from."""

import ast
import asyncio
import runpy
from collections import Counter
from pathlib import Path

import pytest

from reconciler.config import Config, load_config
from reconciler.core.resource import Resource
from reconciler.kinds.base import LoadContext
from reconciler.kinds.registry import KIND_TRAITS
from reconciler.manifest import load

ROOT = Path(__file__).parent.parent
GUIDE = {
    *("busybox-test", "ml-training-env", "team-ml-env", "distributed-pytorch-env"),
    *("jupyter-workspace", "standard-inference-env", "basic-cpu-env", "test-env", "team-dev-env"),
    *("prod-ml-training", "distributed-pytorch", "ds-jupyter", "ml-training", "devops-tools"),
    *("data-science-standard", "prod-inference", "dev-lightweight"),
}


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(ROOT / "reconciler.yaml")


@pytest.fixture(scope="module")
def resources(config: Config) -> list[Resource]:
    context = LoadContext(config.root, config.stack, config.limits, config.env_allow, {})
    return load(config.manifests, context)


def test_the_samples_are_valid_and_warn_of_nothing(
    config: Config, resources: list[Resource]
) -> None:
    assert config.warnings == ()
    assert [resource.warnings for resource in resources if resource.warnings] == []


def test_they_hold_every_environment_of_the_guide(resources: list[Resource]) -> None:
    names = {resource.name for resource in resources if resource.key.kind == "RunaiEnvironment"}
    assert names >= GUIDE


def test_they_show_every_kind_and_scope(resources: list[Resource]) -> None:
    kinds = Counter(resource.key.kind for resource in resources)
    assert kinds["RayfineImage"] == 2
    assert kinds["RunaiCompute"] > 2
    assert kinds.keys() == KIND_TRAITS.keys()
    scopes = {resource.spec.get("scope") for resource in resources}
    assert scopes == {None, "tenant", "cluster", "department", "project"}
    assert any(resource.protect for resource in resources)
    assert any(resource.depends_on for resource in resources)


def test_they_fit_the_default_sandbox(resources: list[Resource]) -> None:
    known = {None, "main", "default", "team-a", "team-b", "main/team-b"}
    assert {resource.spec.get("scope_id") for resource in resources} <= known


def test_manifests_refer_to_the_schema() -> None:
    for path in (ROOT / "manifests").iterdir():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=../docs/schema/manifest.schema.json"


@pytest.mark.parametrize("name", ["affine", "hello"])
def test_environments_run_on_old_pythons_too(name: str) -> None:
    """Any image with Python 3.8 or later may be the base."""
    text = (ROOT / "environments" / name / "env.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 8))


def test_hello(monkeypatch: pytest.MonkeyPatch) -> None:
    module = runpy.run_path(str(ROOT / "environments" / "hello" / "env.py"))
    assert module["hello"]() == "Hello, World!"
    monkeypatch.setenv("GREETING", "Good morning")
    assert module["hello"](name="Ada") == "Good morning, Ada!"
    assert asyncio.run(module["echo"]([1])) == [1]


def test_affine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUTES_API_KEY", "x")
    module = runpy.run_path(str(ROOT / "environments" / "affine" / "env.py"))
    actor = module["Actor"]()
    for task in module["list_tasks"]():
        result = asyncio.run(actor.evaluate(task_type=task, num_samples=5, seed=7))
        assert result == {"task_name": task, "total_score": 1.0, "samples": 5}
    assert asyncio.run(actor.evaluate(num_samples=0))["total_score"] == 0.0
    assert actor.status() == {"evaluations": 3, "has_api_key": True}
    with pytest.raises(ValueError, match="there is no task 'chess'"):
        asyncio.run(actor.evaluate(task_type="chess"))
