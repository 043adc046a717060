"""Every natural-language input of the guide through `nat run`, with the shipped workflow.

The inputs are those of `guide_commands`. The model is scripted: it says what a model that follows
the workflow's instructions says. All else is real: `nat run`, the ReAct agent, the clients for
NVIDIA's and for OpenAI's models over HTTP, our functions, the control plane's API. `nat run` takes
`--input` more than once, so inputs share a process; each is a conversation of its own, at the same
time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.live_side import assets, call, delete_live
from tests.acceptance.project import project
from tests.toolkit.guide_commands import (
    BOTH,
    CREATIONS,
    DELETIONS,
    IDEAS,
    INPUTS,
    QUICK_START,
    QUICK_TEST,
    SECTIONS,
    Creation,
)
from tests.toolkit.natrun import NatRan, nat_run
from tests.toolkit.scripted_model import LAST_ANSWER, ScriptedModel, scripted_model, use

pytestmark = pytest.mark.slow

CREATE = "runai_create_environment"
DELETE = "runai_delete_environment"

MISSING = {"ml-training-env", "busybox"}
SECOND = (QUICK_START, QUICK_TEST)
"""They name what two others name as well: these are created in the second run."""
FIRST = tuple(text for text in CREATIONS if text not in SECOND)
CONFIRMED = "Delete environment named dev-env, confirmed"


def _creation(asked: Creation) -> list[Any]:
    spec: dict[str, Any] = {"name": asked.name, "image": asked.image}
    if asked.types:
        spec["workload_types"] = list(asked.types)
    return [use(CREATE, env_spec=spec, dry_run=False, confirmed=True), LAST_ANSWER]


SCRIPT: dict[str, list[Any]] = {
    **{text: _creation(asked) for text, asked in CREATIONS.items()},
    **{text: [use(CREATE, env_spec=asked.spec), LAST_ANSWER] for text, asked in IDEAS.items()},
    **{
        text: [use(DELETE, environment_name=asked.name), LAST_ANSWER]
        for text, asked in DELETIONS.items()
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


AFTER = {text: QUICK_TEST for text, asked in DELETIONS.items() if asked.name == "test-env"}
"""In one process all conversations are held at once: these wait until there is a test-env."""


@dataclass(frozen=True)
class Story:
    """Two runs, and what was live after each."""

    model: ScriptedModel
    created: NatRan
    after_creating: list[dict[str, Any]]
    asked: NatRan
    writes: list[str]
    after_asking: list[dict[str, Any]]
    projects: list[str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Two processes: create; then create under names that came free, preview, ask, err, delete."""
    with (
        project(tmp_path_factory.mktemp("toolkit"), None, Behaviour()) as world,
        scripted_model(SCRIPT, AFTER) as model,
    ):
        created = nat_run(world, model, FIRST, RECONCILE_LLM="nim")
        live = assets(world)
        for text in SECOND:
            delete_live(world, CREATIONS[text].name)
        world.server.requests.clear()
        rest = [question for question in SCRIPT if question not in FIRST]
        asked = nat_run(world, model, rest, RECONCILE_LLM="openai")
        writes = sorted(request.method for request in world.server.requests.writes())
        projects = [
            item["name"] for item in call(world, "GET", "/api/v1/org-unit/projects")["projects"]
        ]
        yield Story(model, created, live, asked, writes, assets(world), projects)


def _name(asset: dict[str, Any]) -> str:
    return str(asset["meta"]["name"])


def _check_created(run: NatRan, texts: Sequence[str], live: list[dict[str, Any]]) -> None:
    assert run.code == 0, run.output
    assert run.result.count("Environment Created Successfully") == len(texts)
    by_name = {_name(item): item for item in live}
    for asked in (CREATIONS[text] for text in texts):
        assert by_name[asked.name]["spec"]["image"] == asked.image
        assert by_name[asked.name]["meta"]["scope"] == "cluster"
        supported = by_name[asked.name]["meta"]["workloadSupportedTypes"]
        named = {kind for kind, value in supported.items() if value is True}
        assert named == set(asked.types or BOTH)


def test_each_command_that_creates_creates_what_it_says(story: Story) -> None:
    _check_created(story.created, FIRST, story.after_creating)
    assert {_name(item) for item in story.after_creating} == {
        asked.name for asked in CREATIONS.values()
    }
    _check_created(story.asked, SECOND, story.after_asking)
    assert story.writes == ["DELETE", "POST", "POST"]


def test_an_idea_is_previewed_with_what_the_model_made_of_it(story: Story) -> None:
    """The prompts of the guide that leave name or image open: each is a valid specification."""
    assert story.asked.result.count("Environment Preview (Dry Run)") == len(IDEAS) + 1
    for asked in IDEAS.values():
        (answer,) = [text for text in story.model.answers if f"Name: {asked.spec['name']}" in text]
        for line in (f"Image: {asked.spec['image']}", *asked.shows):
            assert f"\n{line}\n" in answer, (line, answer)
    assert not {asked.spec["name"] for asked in IDEAS.values()} & set(
        map(_name, story.after_asking)
    )


def test_each_command_that_deletes_shows_and_asks_first(story: Story) -> None:
    found = [asked for asked in DELETIONS.values() if asked.name not in MISSING]
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
    names = {asked.name for asked in CREATIONS.values()}
    assert sorted(map(_name, story.after_asking)) == sorted(names - {"dev-env"})


def test_every_input_of_the_guide_was_put_to_the_agent_and_nothing_unknown(story: Story) -> None:
    assert not story.model.unknown
    assert set(story.model.finished) == set(SCRIPT) >= set(INPUTS)
    assert {text for section in SECTIONS.values() for text in section} == set(INPUTS)


def test_the_model_was_told_how_to_call(story: Story) -> None:
    told = story.model.heard[0][0]["content"]
    for words in (CREATE, DELETE, "dry_run", "confirmed", "environment_name", "distFramework"):
        assert words in told
    assert "never confirms anything" in told
