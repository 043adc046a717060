"""Single steps of the action, as the runner starts them, without a workflow around them."""

import json
from pathlib import Path

import pytest

from tests.workflows.conftest import Stage


def ran(stage: Stage, command: str, head: str, **more: str) -> tuple[int, str]:
    """The exit code and the log of a step."""
    running = stage.step(command, head, **more)
    log, _ = running.communicate(timeout=120)
    return running.returncode, log


def reviewed_plan(stage: Stage) -> Path:
    """Where the step `reviewed` puts what it has found."""
    found = stage.place / "reconcile" / "production" / "reviewed.json"
    found.parent.mkdir(parents=True)
    return found


@pytest.mark.parametrize("text", ["{", json.dumps({"format_version": "99.0"}), "[" * 100])
def test_a_reviewed_plan_of_no_use_does_not_stop_main(stage: Stage, text: str) -> None:
    head = stage.commit({"train": "x:1"}, "Start")
    reviewed_plan(stage).write_text(text)
    code, log = ran(stage, "plan", head)
    assert code == 0, log
    assert "Warning: nothing was compared: " in log
    assert "nothing was compared with a reviewed plan" in (stage.place / "summary.md").read_text()
    assert "\napplyable<<" in stage.output.read_text()
