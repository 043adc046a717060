"""When there is a comment, and which other pull requests it tells of."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.github.sticky import touches
from tests.workflows.fake_github import BOT
from tests.workflows.stage import Stage
from tests.workflows.test_decide import pull_request
from tests.workflows.test_steps import ran

MARKER = "<!-- reconcile:production -->"
ADDRESS = "RunaiEnvironment.train"


def page(stage: Stage, *addresses: str) -> str:
    """A plan that changes these, as its artifact holds it."""
    place = stage.place / "shown"
    place.mkdir(exist_ok=True)
    own = {"action": "update", "cause": {"origin": "branch"}, "refusal": None}
    changes = [{"address": address, "reconciler": own} for address in addresses]
    (place / "plan.json").write_text(json.dumps({"resource_changes": changes}))
    (place / "plan.md").write_text(f"{MARKER}\n### Plan\n")
    return str(place / "plan.md")


def comment(stage: Stage, body: str, **more: str) -> tuple[int, str]:
    event = json.dumps(pull_request("b" * 40, "c" * 40))
    more = {"GITHUB_EVENT_NAME": "pull_request", "RECONCILE_BODY": body, "EVENT": event, **more}
    return ran(stage, "comment", "a" * 40, **more)


@pytest.mark.parametrize(
    ("changes", "before", "requests"),
    [
        ("true", [], [("POST", "issues/7/comments")]),
        ("", [], [("POST", "issues/7/comments")]),  # the job has failed before it could tell
        ("false", [], []),
        (
            "false",
            [{"id": 1, "user": BOT, "body": f"{MARKER}\nold"}],
            [("PATCH", "issues/comments/1")],
        ),
    ],
)
def test_there_is_a_comment_where_something_changes_or_has_changed_before(
    changes: str, before: list[Any], requests: list[Any], bare_stage: Stage
) -> None:
    known = bare_stage.github.repository
    known.comments[7] = before
    code, log = comment(bare_stage, "", RECONCILE_CHANGES=changes)
    assert code == 0, log
    assert known.writes == requests
    if changes == "false":
        assert all("nothing is changed here" in item["body"] for item in known.comments[7])
        assert ("did not need the comment of target production" in log) is (not before)


def other(number: int, *addresses: str, user: dict[str, str] = BOT) -> dict[str, Any]:
    body = f"{MARKER}\n{touches(addresses)}### Plan"
    return {"id": 100 + number, "user": user, "body": body}


def test_who_else_changes_the_same_is_told(bare_stage: Stage) -> None:
    known = bare_stage.github.repository
    known.comments = {8: [other(8, "RunaiEnvironment.serve", ADDRESS)], 7: [other(7, ADDRESS)]}
    code, log = comment(bare_stage, page(bare_stage, ADDRESS))
    assert code == 0, log
    first, second, third, *_ = known.comments[7][0]["body"].splitlines()
    assert (first, f"{second}\n") == (MARKER, touches([ADDRESS]))
    assert third == f"> Pull request #8 changes `{ADDRESS}`, too."
    assert [method for method, _ in known.requests] == ["GET", "GET", "GET", "PATCH"]


@pytest.mark.parametrize(
    ("theirs", "closed"),
    [
        (other(8, "RunaiEnvironment.serve"), set()),
        (other(8, ADDRESS, user={"login": "mallory", "type": "User"}), set()),
        (other(8, ADDRESS), {8}),
        ({**other(8, ADDRESS), "body": f"<!-- reconcile:staging -->\n{touches([ADDRESS])}"}, set()),
        ({**other(8, ADDRESS), "body": f"quoted\n{MARKER}\n{touches([ADDRESS])}"}, set()),
    ],
)
def test_who_changes_something_else_is_not(
    theirs: dict[str, Any], closed: set[int], bare_stage: Stage
) -> None:
    known = bare_stage.github.repository
    known.comments, known.closed = {8: [theirs]}, closed
    code, log = comment(bare_stage, page(bare_stage, ADDRESS))
    assert code == 0, log
    assert "Pull request #" not in known.comments[7][0]["body"]


def test_a_comment_is_written_although_nobody_can_look(bare_stage: Stage) -> None:
    known = bare_stage.github.repository
    known.failures = [(404, "Not Found")]
    code, log = comment(bare_stage, page(bare_stage, ADDRESS))
    assert code == 0, log
    assert "::warning::nobody has looked at other pull requests: " in log
    assert Path(page(bare_stage)).read_text().splitlines()[1] in known.comments[7][0]["body"]


def test_a_plan_of_many_names_some() -> None:
    names = [f"RunaiEnvironment.e{number}" for number in range(1000)]
    assert len(touches(names).split()) == 203
    assert touches([]) == ""
