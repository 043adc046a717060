"""Every natural-language command of the guide through `nat run`, with the shipped workflow.

The model is scripted: it says what a model that follows the workflow's instructions says. All else
is real: `nat run`, the ReAct agent, the clients for NVIDIA's and for OpenAI's models over HTTP, our
functions, the control plane's API. `nat run` takes `--input` more than once, so commands that do
not depend on one another share a process; each is a conversation of its own, at the same time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.live_side import assets, call
from tests.acceptance.project import project
from tests.toolkit.natrun import NatRan, nat_run
from tests.toolkit.scripted_model import LAST_ANSWER, ScriptedModel, scripted_model, use

pytestmark = pytest.mark.slow

CREATE = "runai_create_environment"
DELETE = "runai_delete_environment"

CREATIONS: dict[str, tuple[str, str, list[str] | None]] = {
    # what the guide says: the name, the image and the workload types that it asks for
    "Create environment named my-env with busybox image": ("my-env", "busybox", None),
    "Create environment named jupyter with jupyter/scipy-notebook for workspace": (
        "jupyter",
        "jupyter/scipy-notebook",
        ["workspace"],
    ),
    "Create environment named training with pytorch image for training workloads": (
        "training",
        "pytorch",
        ["training"],
    ),
    "Create environment named dev-env with ubuntu for workspace and training": (
        "dev-env",
        "ubuntu",
        ["workspace", "training"],
    ),
    "Create environment named test-env with busybox for workspace and training": (
        "test-env",
        "busybox",
        ["workspace", "training"],
    ),
    "Create a new runai environment named busybox-test with the image busybox for workspace and "
    "training workloads in the cluster scope.": (
        "busybox-test",
        "busybox",
        ["workspace", "training"],
    ),
    "Create environment named jupyter-workspace with image jupyter/scipy-notebook for workspace "
    "workloads only": ("jupyter-workspace", "jupyter/scipy-notebook", ["workspace"]),
    "Create environment named team-dev-env with jupyter/scipy-notebook image for workspace "
    "workloads": ("team-dev-env", "jupyter/scipy-notebook", ["workspace"]),
    "Create environment ds-jupyter with jupyter/datascience-notebook for workspace": (
        "ds-jupyter",
        "jupyter/datascience-notebook",
        ["workspace"],
    ),
    "Create environment ml-training with pytorch image for training": (
        "ml-training",
        "pytorch",
        ["training"],
    ),
    "Create environment devops-tools with ubuntu image for workspace": (
        "devops-tools",
        "ubuntu",
        ["workspace"],
    ),
}
"""The cheat sheet's first (five), then the others of the guide, each asset once."""

DELETIONS = {
    "Delete environment named test-env": "test-env",
    "Remove the environment called busybox-test": "busybox-test",
    "Delete the environment named busybox-test": "busybox-test",
    "Remove the environment called test-env": "test-env",
    "Remove environment ml-training-env": "ml-training-env",
    "Delete the busybox environment": "busybox",
}
MISSING = {"ml-training-env", "busybox"}
CONFIRMED = "Delete environment named dev-env, confirmed"


def _creation(name: str, image: str, types: list[str] | None) -> list[Any]:
    spec: dict[str, Any] = {"name": name, "image": image}
    if types is not None:
        spec["workload_types"] = types
    return [use(CREATE, env_spec=spec, dry_run=False, confirmed=True), LAST_ANSWER]


SCRIPT: dict[str, list[Any]] = {
    **{question: _creation(*asked) for question, asked in CREATIONS.items()},
    **{
        question: [use(DELETE, environment_name=name), LAST_ANSWER]
        for question, name in DELETIONS.items()
    },
    CONFIRMED: [
        use(DELETE, environment_name="dev-env"),
        use(DELETE, environment_name="dev-env", confirmed=True),
        LAST_ANSWER,
    ],
    "What projects are there?": [
        use("runailabs_environment_info", input_message="show projects"),
        LAST_ANSWER,
    ],
    "Preview an environment named later with busybox": [
        use(CREATE, env_spec={"name": "later", "image": "busybox"}),
        LAST_ANSWER,
    ],
    "Create one with 64 GPUs in another scope": [
        use(
            CREATE,
            env_spec={"image": "busybox", "scope": "invalid", "compute": {"gpu": 64}},
            dry_run="false",
            confirmed=1,
        ),
        use(
            CREATE,
            env_spec={"image": "busybox", "scope": "invalid", "compute": {"gpu": 64}},
            dry_run=False,
            confirmed=True,
        ),
        LAST_ANSWER,
    ],
}


@dataclass(frozen=True)
class Story:
    """Two runs, and what was live after each."""

    model: ScriptedModel
    created: NatRan
    after_creating: list[dict[str, Any]]
    asked: NatRan
    writes: list[str]
    after_asking: list[str]
    projects: list[str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Two processes: create all; then preview, ask, err, and delete one."""
    with (
        project(tmp_path_factory.mktemp("toolkit"), None, Behaviour()) as world,
        scripted_model(SCRIPT) as model,
    ):
        created = nat_run(world, model, list(CREATIONS), RECONCILE_LLM="nim")
        live = assets(world)
        world.server.requests.clear()
        rest = [question for question in SCRIPT if question not in CREATIONS]
        asked = nat_run(world, model, rest, RECONCILE_LLM="openai")
        writes = [request.method for request in world.server.requests.writes()]
        left = sorted(_name(item) for item in assets(world))
        projects = [
            item["name"] for item in call(world, "GET", "/api/v1/org-unit/projects")["projects"]
        ]
        yield Story(model, created, live, asked, writes, left, projects)


def _name(asset: dict[str, Any]) -> str:
    return str(asset["meta"]["name"])


def test_each_command_that_creates_creates_what_it_says(story: Story) -> None:
    assert story.created.code == 0, story.created.output
    assert story.created.result.count("Environment Created Successfully") == len(CREATIONS)
    live = {_name(item): item for item in story.after_creating}
    assert set(live) == {name for name, _, _ in CREATIONS.values()}
    for name, image, types in CREATIONS.values():
        assert live[name]["spec"]["image"] == image
        assert live[name]["meta"]["scope"] == "cluster"
        if types is not None:
            supported = live[name]["meta"]["workloadSupportedTypes"]
            assert {kind for kind, value in supported.items() if value is True} == set(types)


def test_each_command_that_deletes_shows_and_asks_first(story: Story) -> None:
    assert story.asked.code == 0, story.asked.output
    assert story.writes == ["DELETE"]
    found = [name for name in DELETIONS.values() if name not in MISSING]
    assert story.asked.result.count("Confirm Environment Deletion") == len(found)
    assert story.asked.result.count("Environment Not Found") == len(MISSING)


def test_previews_and_questions_and_refusals_come_back_in_words(story: Story) -> None:
    said = story.asked.result
    assert "confirmed has to be True or False, not int" in story.model.texts()
    assert "dry_run has to be True, False or None, not str" in story.model.texts()
    assert "Missing required field: 'name'" in said
    assert "exceeds maximum allowed (8)" in said
    assert "later" in said
    assert story.projects
    assert all(f"`{name}`" in said for name in story.projects)


def test_a_confirmed_command_deletes(story: Story) -> None:
    assert story.asked.result.count("Environment Deleted Successfully") == 1
    names = {name for name, _, _ in CREATIONS.values()}
    assert story.after_asking == sorted(names - {"dev-env"})


def test_the_model_was_told_how_to_call_and_asked_nothing_unknown(story: Story) -> None:
    assert not story.model.unknown
    told = story.model.heard[0][0]["content"]
    for words in (CREATE, DELETE, "dry_run", "confirmed", "environment_name"):
        assert words in told
    assert "never confirms anything" in told
