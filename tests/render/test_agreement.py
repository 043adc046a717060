"""Every number and every value of a plan is the same in all outputs, whatever the plan."""

import html
import json
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from jsonschema import Draft202012Validator

from reconciler.core.header import Header
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Action, Plan
from reconciler.core.review_notes import Review
from reconciler.mcp_server.tool_answers import plan_answer
from reconciler.planfile.reader import read_plan_file
from reconciler.planfile.writer import plan_document, render_json
from reconciler.render.events import EventStream
from reconciler.render.html import render_html
from reconciler.render.markdown import COMMENT_LIMIT, render_markdown
from reconciler.render.summary import apply_line
from reconciler.render.text import render_plan
from reconciler.render.workflow_step import plan_annotations, plan_outputs
from reconciler.support.terminal import Style
from tests.render.random_plans import plans
from tests.render.test_cases import ROOT

HEADER = Header("test", "a stage", "3fa2b1c")
MADE_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SCHEMA = Draft202012Validator(
    json.loads((ROOT / "docs" / "schema" / "plan.schema.json").read_text())
)


def document_of(plan: Plan) -> dict[str, Any]:
    return plan_document(plan, HEADER, MADE_AT, "0.0.0")


def events_of(plan: Plan) -> list[dict[str, Any]]:
    lines: list[str] = []
    EventStream(lines.append).plan(plan)
    return [json.loads(line) for line in lines]


@settings(max_examples=150)
@given(plans())
def test_counts_agree(plan: Plan) -> None:
    document = document_of(plan)
    counts = document["reconciler"]["summary"]
    if counts is None:
        assert_there_is_no_plan(plan, document)
        return
    imports = f"{counts['import']} to import, " if counts["import"] else ""
    line = (
        f"{'Incomplete plan' if plan.failures else 'Plan'}: {imports}{counts['add']} to add, "
        f"{counts['change']} to change, {counts['destroy']} to destroy."
    )
    if plan.failures:
        line += f" {UNREAD} could not be read."
    elif not any(counts[name] for name in counts if name != "unchanged"):
        line = "No changes. Your infrastructure matches the configuration."
    said = [line]
    said += [f"{counts['unchanged']} unchanged."] if counts["unchanged"] else []
    refused = [
        f"{counts[name]} {words}"
        for name, words in (("blocked", "blocked"), ("conflict", "in conflict"))
        if counts[name]
    ]
    said += [f"{', '.join(refused)}: not applied until cleared"] if refused else []
    text = render_plan(plan, HEADER, Style())
    page = html.unescape(render_html(plan, HEADER))
    comment = render_markdown(plan, HEADER, COMMENT_LIMIT).text
    notice = [item for item in plan_annotations(plan, HEADER) if item.level == "notice"]
    for shown in (text, page, comment, "\n".join(notice[0].message)):
        for words in said:
            assert words in shown

    pending = [change for change in plan.changes if change.pending]
    outputs = plan_outputs(plan, HEADER)
    assert {name: int(outputs[name]) for name in outputs if outputs[name].isdigit()} == {
        "changes": len(pending),
        "imports": counts["import"],
        "adds": counts["add"],
        "updates": counts["change"],
        "deletes": counts["destroy"],
        "unchanged": counts["unchanged"],
        "refused": counts["blocked"] + counts["conflict"],
    }
    assert outputs["summary"] == line
    for name in ("applyable", "complete", "errored"):
        assert outputs[name] == str(document[name]).lower()

    *planned, summary = events_of(plan)
    assert sum(event["type"] == "planned_change" for event in planned) == len(pending)
    assert summary["@message"] == line
    assert summary["changes"] == {
        "add": counts["add"],
        "change": counts["change"],
        "import": counts["import"],
        "remove": counts["destroy"],
        "operation": "plan",
    }
    assert summary["reconciler"]["refused"] == counts["blocked"] + counts["conflict"]
    assert summary["reconciler"]["complete"] is document["complete"]

    answer = plan_answer(plan, Review(), applicable=False)
    assert line in answer["summary"]
    assert answer["unchanged"] == counts["unchanged"]

    moving = sum(
        change.action is not Action.UNCHANGED or bool(change.refusal) for change in plan.changes
    )
    assert len(re.findall(r"^ {0,4}[-+~/]* *resource \"", text, re.MULTILINE)) == moving
    assert page.count('<li id="c') == moving
    if moving:
        assert f"{moving} changes." in page
    sections = re.findall(
        r"^(?:#### |<details><summary><b>)(\w[^(]*) \((\d+)\)", comment, re.MULTILINE
    )
    assert sum(int(number) for title, number in sections if title in SECTIONS) == moving

    applied = tuple(Outcome(change, Status.APPLIED) for change in pending)
    done = f"{counts['add']} added, {counts['change']} changed, {counts['destroy']} destroyed."
    assert done in apply_line(applied, 0)


def assert_there_is_no_plan(plan: Plan, document: dict[str, Any]) -> None:
    """No output says that nothing is to be done, where nobody could look."""
    line = f"No plan: {UNREAD[0].lower()}{UNREAD[1:]} could not be read."
    assert plan.failures
    assert (document["errored"], document["applyable"]) == (True, False)
    comment = render_markdown(plan, HEADER, COMMENT_LIMIT).text
    *others, notice = plan_annotations(plan, HEADER)
    assert {item.level for item in others} == {"error"}
    assert len(others) == len(plan.failures) + len(plan.refused)
    page = html.unescape(render_html(plan, HEADER))
    for shown in (render_plan(plan, HEADER, Style()), page, comment, "\n".join(notice.message)):
        assert line in shown
        assert not re.search("No changes|to add|nothing to change", shown)
    outputs = plan_outputs(plan, HEADER)
    assert outputs["summary"] == line
    numbers = ("changes", "imports", "adds", "updates", "deletes", "unchanged", "refused")
    assert {outputs[name] for name in numbers} == {""}
    assert {event["type"] for event in events_of(plan)} == {"diagnostic"}
    assert plan_answer(plan, Review(), applicable=False)["summary"] == line


UNREAD = "The Docker engine"
SECTIONS = {"Deletes", "Replacements", "Blocked and in conflict", "Updates", "Imports", "Creates"}


@settings(max_examples=150)
@given(plans())
def test_the_parts_of_a_json_plan_agree(plan: Plan) -> None:
    document = document_of(plan)
    SCHEMA.validate(document)
    assert "canary" not in json.dumps(document)
    changes = document["resource_changes"]
    for part, side, place in (
        ("planned_values", "after", document["planned_values"]),
        ("prior_state", "before", document["prior_state"]["values"]),
    ):
        resources = place["root_module"]["resources"]
        there = [item for item in changes if item["change"][side] is not None]
        assert len(resources) == len(there), part
        for found, item in zip(resources, there, strict=True):
            assert (found["address"], found["type"]) == (item["address"], item["type"])
            assert found["values"] == item["change"][side]
            assert found["sensitive_values"] == item["change"][f"{side}_sensitive"]
            assert found.get("deposed_key") == item.get("deposed")
    stated = [item["address"] for item in document["configuration"]["root_module"]["resources"]]
    assert stated == [item["address"] for item in changes if item["change"]["after"] is not None]
    joined = Counter((item["address"], item.get("deposed")) for item in changes)
    assert max(joined.values(), default=1) == 1
    for change, item in zip(plan.changes, changes, strict=True):
        body = item["change"]
        unknown = "create" in body["actions"]
        assert body["after_unknown"] == ({"id": True} if unknown else {})
        assert (body["after"] is None) or ("id" in body["after"]) is not unknown
        assert (body["before"] or {}).get("id") == (change.live.uid if change.live else None)
        if change.action is Action.UNCHANGED and not change.refusal:
            assert body["before"] == body["after"]
        for field in item["reconciler"]["fields"]:
            for side in ("before", "after"):
                assert_there(field, side, body)
        if change.desired is not None:
            assert body["after"]["metadata"]["protect"] is change.desired.protect
            assert body["after"]["metadata"]["adopt"] is change.desired.adopt
        if protected := item["reconciler"]["live_protected"]:
            assert body["before"]["metadata"]["protect"] is protected


def assert_there(field: dict[str, Any], side: str, body: dict[str, Any]) -> None:
    """A field of ours is at its path on Terraform's side, too; a secret is null and named."""
    found, hidden = body[side], body[f"{side}_sensitive"]
    for part in field["path"]:
        found = found.get(part) if isinstance(found, dict) else None
        hidden = hidden.get(part) if isinstance(hidden, dict) else None
    if hidden is True:
        assert field["sensitive"]
        assert found is None
    elif not field["sensitive"] and "(sensitive value)" not in json.dumps(field[side]):
        assert found == field[side]


@settings(max_examples=100)
@given(plans())
def test_a_saved_plan_is_the_same_in_every_output(tmp_path_factory: Any, plan: Plan) -> None:
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    file.write_text(render_json(plan, HEADER, MADE_AT, "0.0.0"))
    saved = read_plan_file(file).plan
    assert render_plan(saved, HEADER, Style()) == render_plan(plan, HEADER, Style())
    assert render_html(saved, HEADER) == render_html(plan, HEADER)
    assert document_of(saved) == document_of(plan)
