import re
from dataclasses import replace

import pytest
from hypothesis import given, settings

from reconciler.core.header import Header
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan
from reconciler.render.markdown import COMMENT_LIMIT
from reconciler.render.outcomes import (
    Result,
    outcome_annotations,
    outcome_outputs,
    outcome_page,
)
from reconciler.render.workflow_step import render_annotations, render_outputs
from tests.core.builders import live, plan_of, resource
from tests.examples import examples
from tests.render import commonmark
from tests.render.github import commands, outputs
from tests.render.hostile import hostile_plan, texts

HEADER = Header("test", "a stage", "3fa2b1c")
PAGE = """\
<!-- reconcile:apply:test -->
### Apply for `test`

`a stage` · stack `ml` · commit `3fa2b1c`

**Apply incomplete: 1 of 6 changes applied, 1 written and not confirmed, 1 unknown, 1 failed, \
2 not sent, 1 refused. Resources: 1 added, 0 changed, 0 destroyed.**

#### Failed (1)

- **`RunaiEnvironment.failed`** · create

  ```diff
  ! no room
  ! make some
  ```

#### Unknown: sent, and the answer was lost (1)

- **`RunaiEnvironment.unknown`** · create

  ```diff
  ! no room
  ! make some
  ```

#### Written and not confirmed (1)

- **`RunaiEnvironment.written`** · create

  ```diff
  ! no room
  ! make some
  ```

#### Not sent, because of what it depends on (1)

- **`RunaiEnvironment.skipped_dependency`** · create

  ```diff
  ! no room
  ! make some
  ```

#### Not attempted (1)

- **`RunaiEnvironment.not_attempted`** · create

  ```diff
  ! no room
  ! make some
  ```

#### Refused, so not begun (1)

- **`RunaiEnvironment.taken`** · conflict: would be imported

  ```diff
  ! an object of this name exists, is not ours, and differs
  ! set metadata.adopt: true to take it over and change it, or choose another name
  ```

<details><summary><b>Applied (1)</b></summary>

- `RunaiEnvironment.applied` `1a2b`: creation after 3s

</details>
"""


def every_status() -> Result:
    """A change for each outcome, and one that was refused."""
    desired = [resource(f"RunaiEnvironment.{status.value}") for status in Status]
    taken = resource("RunaiEnvironment.taken", {"image": "b"})
    plan = plan_of([*desired, taken], [live("RunaiEnvironment.taken", owner=None)])
    ends = [_end(plan, status) for status in Status]
    return Result(plan, HEADER, ends)


def _end(plan: Plan, status: Status) -> Outcome:
    change = next(item for item in plan.changes if item.key.id == status.value)
    if status is Status.APPLIED:
        return Outcome(change, status, uid="1a2b", seconds=3.2)
    return Outcome(change, status, "no room", "make some")


def test_what_was_not_applied_comes_first() -> None:
    assert outcome_page(every_status(), COMMENT_LIMIT) == PAGE


def test_each_is_annotated_on_its_manifest() -> None:
    found = commands(render_annotations(outcome_annotations(every_status()), "infra"))
    assert [(item.name, item.properties["title"]) for item in found] == [
        ("error", "RunaiEnvironment.failed"),
        ("error", "RunaiEnvironment.unknown"),
        ("error", "RunaiEnvironment.written"),
        ("error", "RunaiEnvironment.taken"),
        ("warning", "RunaiEnvironment.skipped_dependency"),
        ("warning", "RunaiEnvironment.not_attempted"),
        ("notice", "Apply for test, stack ml"),
    ]
    assert {item.properties.get("file") for item in found[:-1]} == {"infra/manifests/all.yaml"}
    assert found[0].data == "RunaiEnvironment.failed: failed\nno room\nmake some"
    assert found[-1].data.startswith("Apply incomplete: 1 of 6 changes applied, ")


def test_each_is_counted_and_the_first_reason_is_one_line() -> None:
    result = every_status()
    assert outcome_outputs(result) == {
        "applied": "1",
        "written": "1",
        "unknown": "1",
        "failed": "1",
        "not-sent": "2",
        "refused": "1",
        "summary": result.line,
        "failure-reason": "RunaiEnvironment.failed: no room (and 5 more)",
    }
    (done,) = result.of(Status.APPLIED)
    fine = replace(result, plan=plan_of([]), outcomes=[done])
    assert outcome_outputs(fine)["failure-reason"] == ""
    assert outcome_outputs(fine)["summary"].startswith("Apply complete! Resources: 1 added")


def many(failed: int, applied: int) -> Result:
    plan = plan_of([resource(f"RunaiEnvironment.e{n:05}") for n in range(failed + applied)])
    ends = [
        Outcome(change, Status.FAILED, "why " * 100, "do " * 100)
        if number < failed
        else Outcome(change, Status.APPLIED, uid=f"uid-{number}")
        for number, change in enumerate(plan.pending)
    ]
    return Result(plan, Header("é" * 30), ends)


@pytest.mark.parametrize("limit", [*range(0, 4000, 97), 10_000])
def test_no_limit_is_exceeded(limit: int) -> None:
    assert len(outcome_page(many(50, 50), limit).encode()) <= limit


def test_addresses_of_what_failed_have_precedence() -> None:
    page = outcome_page(many(500, 5000), COMMENT_LIMIT)
    assert len(page.encode()) <= COMMENT_LIMIT
    assert all(f"RunaiEnvironment.e{n:05}" in page for n in range(500))
    assert "why why" in page
    shown = page.count("uid-")
    assert f"**{5000 - shown} more have no room here:**" in page


@settings(max_examples=examples(1000))
@given(texts)
def test_data_stays_in_code(text: str) -> None:
    plan = hostile_plan(text)
    ends = [
        Outcome(change, status, text, text, uid=text)
        for change in plan.pending
        for status in Status
    ]
    result = Result(plan, Header(text, text, text), ends)
    page = outcome_page(result, COMMENT_LIMIT)
    assert commonmark.foreign(page) == []
    page = page.split("\n", 1)[1]  # the marker may hold a digest of the target's name
    calm = outcome_page(many(1, 1), COMMENT_LIMIT) + PAGE
    own = set(re.findall(r"\w+", commonmark.markup(calm)))
    said = set(re.findall(r"[^\W\d]\w+", commonmark.markup(page)))
    verbs = {"destruction", "modifications", "replacement", "delete", "update", "updated"}
    assert said <= own | verbs | {"in", "place"}
    assert outputs(render_outputs(outcome_outputs(result))).keys() == outcome_outputs(result).keys()
    assert len(commands(render_annotations(outcome_annotations(result)))) <= 30
