from hypothesis import given, settings

from reconciler.core.header import Header
from reconciler.core.plan import ReadFailure
from reconciler.render.workflow_step import plan_outputs, render_outputs
from reconciler.support.printable import printable
from tests.core.builders import live, plan_of, resource
from tests.examples import examples
from tests.render.github import outputs
from tests.render.hostile import hostile_plan, texts


@settings(max_examples=examples(5000))
@given(texts)
def test_a_value_ends_where_it_ends(text: str) -> None:
    assert outputs(render_outputs({"a": text, "b": "1"})) == {"a": printable(text), "b": "1"}


@settings(max_examples=300)
@given(texts)
def test_no_plan_adds_an_output(text: str) -> None:
    plan = hostile_plan(text)
    found = outputs(render_outputs(plan_outputs(plan, Header(text))))
    assert found.keys() == plan_outputs(plan, Header("x")).keys()
    assert found["digest"] == plan.digest()


def test_what_a_workflow_decides_by() -> None:
    plan = plan_of(
        [
            resource("RunaiEnvironment.new"),
            resource("RunaiEnvironment.changed", {"image": "b"}),
            resource("RunaiEnvironment.replaced", {"scope": "cluster"}),
            resource("RunaiEnvironment.taken", {"image": "b"}),
        ],
        [
            live("RunaiEnvironment.changed"),
            live("RunaiEnvironment.replaced"),
            live("RunaiEnvironment.gone"),
            live("RunaiEnvironment.taken", owner=None),
        ],
    )
    assert plan_outputs(plan, Header("test")) == {
        "changes": "4",
        "imports": "0",
        "adds": "2",
        "updates": "1",
        "deletes": "2",
        "unchanged": "0",
        "refused": "1",
        "complete": "false",
        "applyable": "true",
        "errored": "false",
        "digest": plan.digest(),
        "target": "test",
        "stack": "ml",
        "summary": "Plan: 2 to add, 1 to change, 2 to destroy.",
        "restricted": "",
        "failure-reason": "RunaiEnvironment.taken conflict: "
        "an object of this name exists, is not ours, and differs",
    }
    assert plan_outputs(plan, Header("test", offline=True))["applyable"] == "false"
    unread = plan_of([], [], [ReadFailure("Docker engine", (), "no", "")])
    found = plan_outputs(unread, Header("test"))
    assert (found["complete"], found["errored"]) == ("false", "true")
    assert (found["changes"], found["adds"], found["deletes"]) == ("", "", "")
    assert found["failure-reason"] == "cannot read the Docker engine: no"
    assert plan_outputs(plan_of([]), Header("test"))["failure-reason"] == ""
    assert found["summary"] == "No plan: the Docker engine could not be read."


def test_two_delimiters_differ() -> None:
    assert render_outputs({"a": "1"}) != render_outputs({"a": "1"})
