"""A step of the action that is cancelled as a runner does it: signals to its first process."""

import os
import re
import signal
import subprocess

import pytest

from reconciler import __version__
from reconciler.sandbox import Behaviour
from tests.workflows.stage import Stage

SLOW = f"""\
#!/usr/bin/env bash
[ "$1" = --version ] && {{ echo "reconcile {__version__}"; exit; }}
trap 'echo "finishing what has begun" >&2' INT
trap 'echo "RunaiEnvironment.e1: unknown"; echo "Apply incomplete."; exit 5' TERM
echo "The plan"
for _ in $(seq 6000); do sleep 0.05; done
"""


@pytest.fixture
def behaviour() -> Behaviour:
    """One that takes its time, so that an apply is under way when it is cancelled."""
    return Behaviour(latency=0.3)


def until(step: subprocess.Popen[str], words: str) -> str:
    """What the step's log says up to these words, while the step still runs."""
    assert step.stdout is not None
    log = ""
    for line in step.stdout:
        log += line
        if words in line:
            assert step.poll() is None
            return log
    raise AssertionError(log)


def rest_of(step: subprocess.Popen[str]) -> str:
    """The remainder of the log: from the same stream, which may have read ahead."""
    assert step.stdout is not None
    with step:
        return step.stdout.read()


def test_the_log_shows_what_happens_and_signals_reach_the_command(bare_stage: Stage) -> None:
    program = bare_stage.place / "bin" / "reconcile"
    program.parent.mkdir()
    program.write_text(SLOW)
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    running = bare_stage.step("apply", "a" * 40, PATH=path, RECONCILE_EXPECT_DIGEST="d")
    until(running, "The plan")
    running.send_signal(signal.SIGINT)
    until(running, "finishing what has begun")
    running.send_signal(signal.SIGTERM)
    rest = rest_of(running)
    assert "RunaiEnvironment.e1: unknown\nApply incomplete.\n" in rest
    assert running.returncode == 5
    summary = (bare_stage.place / "summary.md").read_text()
    assert "RunaiEnvironment.e1: unknown\nApply incomplete.\n" in summary
    assert "finishing what has begun" in summary


def test_a_cancelled_apply_says_what_became_of_every_change(bare_stage: Stage) -> None:
    head = bare_stage.commit({f"e{n}": "x:1" for n in range(12)}, "Start")
    plan = bare_stage.reconcile("plan", "--target", "production", "-o", "digest")
    running = bare_stage.step("apply", head, RECONCILE_EXPECT_DIGEST=plan.stdout.strip())
    log = until(running, "Creating...")
    assert "Plan: 12 to add, 0 to change, 0 to destroy." in log
    running.send_signal(signal.SIGINT)
    log += rest_of(running)
    told = re.findall(
        r"^RunaiEnvironment\.e\d+: (?:not_attempted|unknown|failed)", log, re.MULTILINE
    )
    applied = re.search(r"Resources: (\d+) added", log)
    assert applied, log
    assert len(told) + int(applied[1]) == 12
    assert applied[0] in (bare_stage.place / "summary.md").read_text()
