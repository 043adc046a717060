import unicodedata

from hypothesis import given, settings

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.header import Header
from reconciler.core.plan import Plan, ReadFailure
from reconciler.core.review_notes import Cause, Edit, Origin, Review
from reconciler.errors import Problem
from reconciler.render.workflow_step import (
    MOST_OF_A_LEVEL,
    Annotation,
    plan_annotations,
    problem_annotations,
    render_annotations,
)
from tests.core.builders import live, plan_of, resource
from tests.examples import examples
from tests.render.github import Command, commands
from tests.render.hostile import hostile_plan, hostile_review, texts

PLAIN = Header("test")


def written(plan: Plan, header: Header = PLAIN, directory: str = "") -> list[Command]:
    return commands(render_annotations(plan_annotations(plan, header), directory))


@settings(max_examples=examples(5000))
@given(texts)
def test_data_is_no_command(text: str) -> None:
    rendered = render_annotations(
        [
            Annotation("error", text, (text, text), f"m/{text}", 3, 4),
            Annotation("notice", text, (text,)),
        ],
        text,
    )
    assert rendered.count("\n") == 2
    first, second = commands(rendered)
    assert (first.name, second.name) == ("error", "notice")
    title = {"title"} if text.strip(" ") else set()
    assert first.properties.keys() == {"file", "line", "col"} | title
    assert (first.properties["line"], first.properties["col"]) == ("3", "4")
    assert "##[" not in rendered
    lines = rendered.replace("\n", "")
    assert not [c for c in lines if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}]
    assert not [c for c in lines if unicodedata.bidirectional(c) in {"R", "AL", "AN"}]


@settings(max_examples=300)
@given(texts)
def test_no_plan_forges_a_command(text: str) -> None:
    plan = hostile_plan(text)
    header = Header(text, text, text, hostile_review(text))
    found = written(plan, header)
    assert [item.name for item in found] == ["error"] * len(plan.refused) + ["warning"] * sum(
        change.destroys for change in plan.pending
    ) + ["notice"]


def test_where_a_reviewer_looks() -> None:
    plan = plan_of(
        [
            resource("RunaiEnvironment.taken", {"image": "b"}, line=7),
            resource("RunaiEnvironment.moved", {"scope": "cluster"}, line=9),
        ],
        [
            live("RunaiEnvironment.taken", owner=None),
            live("RunaiEnvironment.moved"),
            live("RunaiEnvironment.gone"),
            live("RunaiEnvironment.drifted"),
        ],
        [ReadFailure("Docker engine", ("X",), "no answer", "start it")],
    )
    edit = Edit("3fa2b1c0", "Ada", "2026-01-02", "Remove gone", "manifests/all.yaml", 12)
    review = Review(
        since="main",
        causes={
            "RunaiEnvironment.gone": Cause(Origin.BRANCH, edit),
            "RunaiEnvironment.drifted": Cause(Origin.DRIFT, None, "bob"),
        },
    )
    found = written(plan, Header("test", review=review), "infra")
    places = [
        (item.name, item.properties.get("file"), item.properties.get("line")) for item in found
    ]
    assert places == [
        ("error", None, None),
        ("error", "infra/manifests/all.yaml", "7"),
        ("warning", None, None),
        ("warning", "infra/manifests/all.yaml", "12"),
        ("warning", "infra/manifests/all.yaml", "9"),
        ("notice", None, None),
    ]  # fmt: skip
    assert found[0].data == "no answer\nstart it"
    assert "RunaiEnvironment.taken conflict: would be imported" in found[1].data
    assert 'branch: 3fa2b1c Ada "Remove gone"' in found[3].data
    assert "must be replaced" in found[4].data
    assert found[5].data.startswith("Incomplete plan: 1 to add, 0 to change, 3 to")


def test_the_tenth_of_many_says_how_many_are_left_out() -> None:
    refused = guard(
        plan_of(
            [resource("RunaiEnvironment.x")], [live(f"RunaiEnvironment.{n}") for n in range(40)]
        ),
        GuardRules(),
        Approval(),
    )
    found = [item for item in written(refused) if item.name == "error"]
    assert len(found) == MOST_OF_A_LEVEL
    assert found[-1].properties["title"] == "31 more errors"
    allowed = plan_of([], [live(f"RunaiEnvironment.{n}") for n in range(10)])
    assert len([item for item in written(allowed) if item.name == "warning"]) == 10


def test_problems_of_manifests() -> None:
    problems = [
        Problem("m/a,b:c.yaml", 3, 9, "100% wrong", "did you mean `x`?"),
        Problem("m", 0, 0, "no"),
    ]
    found = commands(render_annotations(problem_annotations(problems)))
    assert found[0].properties == {
        "file": "m/a,b:c.yaml", "line": "3", "col": "9", "title": "invalid manifest",
    }  # fmt: skip
    assert found[0].data == "100% wrong\ndid you mean `x`?"
    assert found[1].properties == {"file": "m", "title": "invalid manifest"}


def test_what_ends_with_an_object_is_in_its_warning() -> None:
    found = written(plan_of([], [live("Volume.data")]))
    (warning,) = [item for item in found if item.name == "warning"]
    assert "destroys the data on it as well" in warning.data
