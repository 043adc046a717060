"""Law 4: whatever happens at whichever request, a rerun reaches the same end state.

Every request of every scenario's apply meets a third of the faults, and all of them in `make laws`;
then apply runs again, undisturbed. At every moment in between, what is replaced is there under its
name or as NAME-replaced-xxxxxx, and what is not ours is as it was.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import pytest

from reconciler.core.outcome import Status
from tests.examples import AT_LENGTH
from tests.faults.proxy import Fault, FaultProxy, Kind, Rule
from tests.laws.scenarios import SCENARIOS, Scenario
from tests.laws.stage import Desk, Row, Stage

pytestmark = pytest.mark.slow


def once(fault: Fault) -> Callable[[int], Rule]:
    return lambda k: lambda number, _method, _target: fault if number == k else None


def killed(first: Fault) -> Callable[[int], Rule]:
    """From request k on nothing goes through any more, as if the process had ended there."""
    return lambda k: (
        lambda number, _method, _target: (
            None if number < k else first if number == k else Fault(Kind.RESET)
        )
    )


FAULTS: dict[str, Callable[[int], Rule]] = {
    "reset before": once(Fault(Kind.RESET)),
    "reset after": once(Fault(Kind.RESET, after=True)),
    "429": once(Fault(Kind.STATUS, status=429)),
    "503 before": once(Fault(Kind.STATUS, status=503)),
    "503 after": once(Fault(Kind.STATUS, status=503, after=True)),
    "cut short": once(Fault(Kind.CUT, after=True)),
    "cut short, length unknown": once(Fault(Kind.CUT_UNKNOWN_LENGTH, after=True)),
    "page before": once(Fault(Kind.HTML, status=200)),
    "page after": once(Fault(Kind.HTML, status=200, after=True)),
    "killed before": killed(Fault(Kind.RESET)),
    "killed after": killed(Fault(Kind.RESET, after=True)),
}


class WatchedProxy(FaultProxy):
    """Looks at the stage before every request: at each moment that the requests leave."""

    def __init__(self, upstream: str, look: Callable[[], None]) -> None:
        super().__init__(upstream)
        self._look = look
        self.requests = 0
        self.sights: list[AssertionError] = []

    def choose(self, method: str, target: str) -> tuple[int, Fault | None]:
        try:
            self._look()
        except AssertionError as error:
            self.sights.append(error)
        self.requests += 1
        return super().choose(method, target)


UNDISTURBED, DISTURBED = 30.0, 0.1
"""Patience in seconds: with what becomes visible for sure, and with what a fault may prevent."""


class Trial:
    """One scenario, set up once; every run starts from the same assets."""

    def __init__(self, scenario: Scenario, stage: Stage, desk: Desk) -> None:
        self.scenario = scenario
        self.stage = stage
        self.desk = desk
        desk.patience = UNDISTURBED
        scenario.set_up(stage, desk)
        self.start = stage.rows()
        planned = {
            re.sub(r" [0-9a-f]{6}\)", ")", address): action
            for address, action in desk.pending().items()
        }
        assert planned == scenario.expected
        with desk.session() as session:
            adopted = {
                item.live.uid
                for item in desk.plan(session).pending
                if item.action == "adopt" and item.live
            }
        self.others = {uid: row for uid, row in stage.foreign().items() if uid not in adopted}
        desk.converge()
        assert desk.pending() == {}
        self.end = stage.state()
        self.look()
        self.proxy = WatchedProxy(stage.endpoint.base_url, self.look)

    def look(self) -> None:
        """What has to hold at any moment."""
        rows = self.stage.rows()
        now = {row.id: row for row in rows}
        for uid, row in self.others.items():
            assert now.get(uid) == row, f"{row.name}, which is not ours, was touched"
        for kind, old, new in self.scenario.lives:
            assert any(_stands_for(row, kind, old, new) for row in rows), f"{old} is gone"

    @cached_property
    def requests(self) -> int:
        """How many an undisturbed apply sends."""
        return self.disturb(None)[0]

    def disturb(self, rule: Rule | None) -> tuple[int, Mapping[str, Status]]:
        """Apply with a fault; the number of requests, and what became of each change."""
        self.stage.restore(self.start)
        proxy = self.proxy
        proxy.rule = None
        self.desk.patience = UNDISTURBED if rule is None else DISTURBED
        with self.desk.session(proxy.base_url) as session:
            plan = self.desk.plan(session)
            assert not plan.failures, plan.failures
            proxy.clear()
            proxy.requests = 0
            proxy.rule = rule
            outcomes = self.desk.apply(session, plan)
        assert not proxy.sights, proxy.sights
        self.look()
        return proxy.requests, {item.change.address: item.status for item in outcomes}

    def recover(self) -> None:
        """Run again without faults, and compare with a run that nobody disturbed."""
        self.desk.patience = UNDISTURBED
        threading.Event().wait(self.stage.lag)  # a plan of what lags is a conflict, and says so
        self.desk.converge()
        self.look()
        assert self.stage.state() == self.end
        assert self.desk.pending() == {}


def _stands_for(row: Row, kind: str, old: str, new: str) -> bool:
    name = row.name in (old, new) or re.fullmatch(rf"{old}-replaced-[0-9a-f]{{6}}", row.name)
    return row.kind == kind and bool(name) and row.ours


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module", params=list(SCENARIOS))
def trial(
    request: pytest.FixtureRequest, stage: Stage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trial]:
    desk = Desk(stage, tmp_path_factory.mktemp("desk"))
    desk.configure(env_allow=["LAW_*"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAW_TOKEN", "canary-of-law-four")
        made = Trial(SCENARIOS[request.param], stage, desk)
        with made.proxy:
            yield made


def test_undisturbed(trial: Trial) -> None:
    count, statuses = trial.disturb(None)
    assert set(statuses.values()) == {Status.APPLIED}
    assert count > 1
    trial.recover()


STRIDE = 1 if AT_LENGTH else 3


@pytest.mark.parametrize(("number", "fault"), [*enumerate(FAULTS)], ids=[*FAULTS])
def test_every_request_meets_a_fault(trial: Trial, number: int, fault: str) -> None:
    for k in range(1 + number % STRIDE, trial.requests + 1, STRIDE):
        trial.disturb(FAULTS[fault](k))
        trial.recover()
