"""What a plan was restricted to, and that there is more, stands in every form of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.core.header import Header
from reconciler.core.plan import Plan
from reconciler.core.selection import Selection, narrow
from reconciler.mcp_server.tool_answers import plan_answer
from reconciler.planfile.reader import read_plan_file
from reconciler.planfile.writer import render_json
from reconciler.render.events import EventStream
from reconciler.render.html import render_html
from reconciler.render.markdown import render_markdown
from reconciler.render.summary import NO_CHANGES, restriction
from reconciler.render.text import render_plan
from reconciler.render.workflow_step import (
    plan_annotations,
    plan_outputs,
    render_annotations,
    render_outputs,
)
from reconciler.support.terminal import Style
from tests.core.builders import live, plan_of, resource

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def events(plan: Plan, _header: Header) -> str:
    lines: list[str] = []
    EventStream(lines.append).plan(plan)
    return "".join(lines)


FORMS: dict[str, Callable[[Plan, Header], str]] = {
    "text": lambda plan, header: render_plan(plan, header, Style()),
    "markdown": lambda plan, header: render_markdown(plan, header, 100_000).text,
    "short markdown": lambda plan, header: render_markdown(plan, header, 1_500).text,
    "html": render_html,
    "annotations": lambda plan, header: render_annotations(plan_annotations(plan, header)),
    "outputs": lambda plan, header: render_outputs(plan_outputs(plan, header)),
    "events": events,
    "agents": lambda plan, header: json.dumps(
        plan_answer(plan, header.review, applicable=True), default=str
    ),
}


def restricted(selection: Selection) -> Plan:
    addresses = [f"RunaiEnvironment.{name}" for name in "abc"]
    desired = [resource(a, {"image": "b"} if a.endswith("c") else {}) for a in addresses]
    return narrow(plan_of(desired, [live(a) for a in addresses]), selection)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(("RunaiEnvironment.a",)), "Restricted to RunaiEnvironment.a; 2 not looked at."),
        (
            Selection(exclude=("*.c",)),
            "Restricted to everything without *.c; 1 not looked at.",
        ),
    ],
)
def test_every_form_says_it(form: str, selection: Selection, words: str) -> None:
    plan = restricted(selection)
    assert restriction(plan) == words
    said = FORMS[form](plan, Header("test", selection=selection))
    assert words in said
    assert NO_CHANGES not in said
    whole = FORMS[form](restricted(Selection()), Header("test"))
    assert "not looked at" not in whole
    assert "Restricted" not in whole


def test_a_saved_plan_says_it_again(tmp_path: Path) -> None:
    selection = Selection(("RunaiEnvironment.a",), ("*.c",))
    plan, file = restricted(selection), tmp_path / "plan.json"
    file.write_text(render_json(plan, Header("test", selection=selection), NOW, "0.0.0"))
    assert json.loads(file.read_text())["reconciler"]["selection"]["left_out"] == 2
    assert restriction(read_plan_file(file).plan) == restriction(plan)
