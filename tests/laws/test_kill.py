"""Laws 4 and 10 with real signals: `reconcile apply --apply` as a process that is ended half-way.

RECONCILE_LAW_KILLS sets how many times it is killed (default 10).
"""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from reconciler.sandbox import Behaviour
from tests.acceptance.live_side import call
from tests.laws.scenarios import SCENARIOS
from tests.laws.stage import Desk, Stage
from tests.laws.test_crash import Trial
from tests.login import runai

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("RECONCILE_LAW_KILLS", "10"))
REPOSITORY = Path(__file__).parents[2]
_ENDING = re.compile(
    r"^(\S+(?: \(deposed \w+\))?): "
    r"(?:\w+ complete after|Written, not confirmed:|Failed:|Outcome unknown:|Skipped:"
    r"|Not attempted:)",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """A mixed plan, carried out slowly enough to be hit in the middle."""
    scenario = replace(SCENARIOS["mixed"], behaviour=Behaviour(latency=0.02))
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        desk = Desk(stage, tmp_path_factory.mktemp("desk"))
        made = Trial(scenario, stage, desk)
        login = runai(stage.endpoint)
        held = {**login, "base_url": made.proxy.base_url}
        desk.configure(targets={"live": {"runai": login}, "held": {"runai": held}})
        with made.proxy:
            yield made


class Gate:
    """A rule of the proxy: write `number` has begun, and waits there until the gate is opened."""

    def __init__(self, number: int) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self._left = number

    def __call__(self, _number: int, method: str, target: str) -> None:
        if method == "GET" or target.endswith("/token"):
            return
        self._left -= 1
        if self._left == 0:
            self.reached.set()
            self.opened.wait(60)


def start(
    trial: Trial, *options: str, errors: int | IO[str] = subprocess.PIPE
) -> subprocess.Popen[str]:
    trial.stage.restore(trial.start)
    trial.stage.server.requests.clear()
    command = [sys.executable, "-m", "reconciler", "-C", str(trial.desk.directory)]
    return subprocess.Popen(
        [*command, "apply", "--apply", *options],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )


def wait_for(process: subprocess.Popen[str], trial: Trial, requests: int) -> None:
    """Return when this many requests have been answered, or the process has ended."""
    while len(trial.stage.server.requests) < requests and process.poll() is None:
        time.sleep(0.001)


def test_processes_killed_at_random_moments(trial: Trial) -> None:
    process = start(trial)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert trial.stage.state() == trial.end
    count = len(trial.stage.server.requests)
    chance = random.Random()
    halfway = 0
    for kill in range(KILLS):  # from the first request to the last, evenly
        process = start(trial)
        wait_for(process, trial, 1 + kill * count // KILLS)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.communicate(timeout=60)
        call(trial.stage, "GET", "/api/v1/clusters")  # answered after all that had been sent
        trial.look()
        halfway += trial.stage.state() != trial.end and process.returncode != 0
        trial.recover()
    assert halfway > KILLS // 4, "the kills came too late to mean anything"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("writes", [1, 4, 8])
def test_a_signal_ends_it_in_order(
    trial: Trial, number: signal.Signals, writes: int, tmp_path: Path
) -> None:
    gate = trial.proxy.rule = Gate(writes)
    said = tmp_path / "said"
    with said.open("w") as errors:
        process = start(trial, "--target", "held", "--parallelism", "1", errors=errors)
    assert gate.reached.wait(60), said.read_text()
    process.send_signal(number)
    deadline = time.monotonic() + 60
    while "Interrupted: finishing what has begun" not in said.read_text():
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.005)
    gate.opened.set()
    out, _ = process.communicate(timeout=60)
    err = said.read_text()
    assert process.returncode in (1, 5), out + err
    assert "Traceback" not in err
    assert len(trial.stage.server.requests.writes()) >= writes
    assert not trial.proxy.sights, trial.proxy.sights
    planned = Counter(re.findall(r"^  # (\S+) (?:will|must) be", out, re.MULTILINE))
    endings = Counter(_ENDING.findall(err))
    assert endings == dict.fromkeys(trial.scenario.expected, 1), err
    assert set(endings) == set(planned)
    left = Counter(re.findall(r"^(\S+): not_attempted: ", out, re.MULTILINE))
    assert left, out
    assert set(left.values()) == {1}
    trial.look()
    trial.recover()
