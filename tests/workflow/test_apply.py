import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.resource import ResourceKey
from reconciler.errors import (
    AmbiguousWriteError,
    NotConvergedError,
    ProviderError,
    ReconcileError,
)
from reconciler.providers.base import Progress
from reconciler.support.threads import Result, ThreadExecutor
from reconciler.workflow.apply import ApplyContext, apply_plan
from tests.core.builders import live, plan_of, resource
from tests.core.fake_provider import MemoryProvider


class Diary:
    """Writes down what an observer is told."""

    def __init__(self, stop_after: str = "", stop: threading.Event | None = None) -> None:
        self.lines: list[str] = []
        self.stop_after, self.stop = stop_after, stop

    def started(self, change: Change) -> None:
        self.lines.append(f"started {change.address}")

    def progressed(self, change: Change, line: str) -> None:
        self.lines.append(f"{change.address} {line}")

    def finished(self, outcome: Outcome) -> None:
        self.lines.append(f"{outcome.status.value} {outcome.change.address}")

    def context(
        self, providers: Mapping[str, MemoryProvider], parallelism: int = 1
    ) -> ApplyContext:
        stop = self.stop or threading.Event()
        return ApplyContext(providers, ThreadExecutor(parallelism), self, stop)


@pytest.fixture
def environments() -> MemoryProvider:
    return MemoryProvider()


def run(plan: Plan, *providers: MemoryProvider, parallelism: int = 1) -> dict[str, Outcome]:
    context = Diary().context({item.traits.name: item for item in providers}, parallelism)
    outcomes = apply_plan(plan, context)
    assert [o.change for o in outcomes] == list(plan.pending)
    return {outcome.change.address: outcome for outcome in outcomes}


def statuses(outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    return {address: outcome.status.value for address, outcome in outcomes.items()}


def test_writes_come_before_deletes_and_each_kind_is_settled_once(
    environments: MemoryProvider,
) -> None:
    plan = plan_of(
        [resource("RunaiEnvironment.a"), resource("RunaiEnvironment.b")],
        [live("RunaiEnvironment.a", {"image": "old"}), live("RunaiEnvironment.z")],
    )
    outcomes = run(plan, environments)
    assert set(statuses(outcomes).values()) == {"applied"}
    assert environments.calls == [
        "update RunaiEnvironment.a",
        "create RunaiEnvironment.b",
        "settle RunaiEnvironment.a RunaiEnvironment.b",
        "delete RunaiEnvironment.z",
        "settle RunaiEnvironment.z",
    ]


def test_dependencies_come_first_and_deletes_go_in_reverse() -> None:
    images, environments = MemoryProvider("RayfineImage"), MemoryProvider()
    log: list[str] = []
    images.calls = environments.calls = log
    plan = plan_of(
        [
            resource("RunaiEnvironment.a", depends_on=["RayfineImage.i"]),
            resource("RayfineImage.i", {"tag": "i"}),
        ],
        [live("RayfineImage.old", {"tag": "o"}), live("RunaiEnvironment.old")],
    )
    run(plan, images, environments)
    assert [line for line in log if not line.startswith("settle")] == [
        "create RayfineImage.i",
        "create RunaiEnvironment.a",
        "delete RunaiEnvironment.old",
        "delete RayfineImage.old",
    ]


def test_a_failure_skips_what_depends_on_it_and_every_plain_delete() -> None:
    images, environments = MemoryProvider("RayfineImage"), MemoryProvider()
    images.broken["create RayfineImage.i"] = ProviderError("boom", where="there", fix="mend it")
    plan = plan_of(
        [
            resource("RunaiEnvironment.a", depends_on=["RayfineImage.i"]),
            resource("RunaiEnvironment.b", depends_on=["RunaiEnvironment.a"]),
            resource("RunaiEnvironment.free"),
            resource("RayfineImage.i", {"tag": "i"}),
        ],
        [live("RunaiEnvironment.old")],
    )
    outcomes = run(plan, images, environments)
    assert statuses(outcomes) == {
        "RayfineImage.i": "failed",
        "RunaiEnvironment.a": "skipped_dependency",
        "RunaiEnvironment.b": "skipped_dependency",
        "RunaiEnvironment.free": "applied",
        "RunaiEnvironment.old": "not_attempted",
    }
    assert outcomes["RayfineImage.i"].message == "there: boom"
    assert outcomes["RayfineImage.i"].fix == "mend it"


def test_a_replacement_deletes_the_old_object_once_the_new_one_is_confirmed(
    environments: MemoryProvider,
) -> None:
    plan = plan_of(
        [resource("RunaiEnvironment.a", {"scope": "cluster"})], [live("RunaiEnvironment.a")]
    )
    assert statuses(run(plan, environments)) == {"RunaiEnvironment.a": "applied"}
    assert environments.calls == [
        "replace RunaiEnvironment.a",
        "settle RunaiEnvironment.a",
        "delete RunaiEnvironment.a",
        "settle RunaiEnvironment.a",
    ]


class Slow(MemoryProvider):
    """Takes a while until a write shows."""

    def settle(
        self, changes: Sequence[Change], uids: Mapping[str, str]
    ) -> Mapping[str, ProviderError]:
        time.sleep(0.05)
        return super().settle(changes, uids)


def test_the_time_of_a_change_ends_with_its_confirmation() -> None:
    plan = plan_of(
        [resource("RunaiEnvironment.new"), resource("RunaiEnvironment.a", {"scope": "cluster"})],
        [live("RunaiEnvironment.a")],
    )
    outcomes = run(plan, Slow())
    assert outcomes["RunaiEnvironment.new"].seconds >= 0.05
    assert outcomes["RunaiEnvironment.a"].seconds >= 0.1, "and with that of the old object's end"


def test_an_old_object_that_stays_is_said(environments: MemoryProvider) -> None:
    class Stubborn(MemoryProvider):
        def settle(
            self, changes: Sequence[Change], uids: Mapping[str, str]
        ) -> Mapping[str, ProviderError]:
            deleted = [change for change in changes if change.action is Action.DELETE]
            return {change.address: NotConvergedError("still there") for change in deleted}

    plan = plan_of(
        [resource("RunaiEnvironment.a", {"scope": "cluster"})], [live("RunaiEnvironment.a")]
    )
    outcome = run(plan, Stubborn())["RunaiEnvironment.a"]
    assert outcome.status is Status.FAILED
    assert "still there" in outcome.message


def test_a_replacement_that_did_not_converge_keeps_the_old_object(
    environments: MemoryProvider,
) -> None:
    environments.wrong["RunaiEnvironment.a"] = "not converged: image"
    plan = plan_of(
        [resource("RunaiEnvironment.a", {"scope": "cluster"})], [live("RunaiEnvironment.a")]
    )
    outcomes = run(plan, environments)
    assert outcomes["RunaiEnvironment.a"].message == "not converged: image"
    assert "delete RunaiEnvironment.a" not in environments.calls


def test_an_old_object_that_cannot_be_deleted_is_said(environments: MemoryProvider) -> None:
    environments.broken["delete RunaiEnvironment.a"] = ProviderError("denied")
    plan = plan_of(
        [resource("RunaiEnvironment.a", {"scope": "cluster"})], [live("RunaiEnvironment.a")]
    )
    outcome = run(plan, environments)["RunaiEnvironment.a"]
    assert outcome.status is Status.FAILED
    assert "the replacement is there" in outcome.message
    assert "denied" in outcome.message


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AmbiguousWriteError("lost", fix="look"), Status.UNKNOWN),
        (ProviderError("no"), Status.FAILED),
        (KeyError("defect"), Status.UNKNOWN),
    ],
)
def test_every_error_becomes_an_outcome(
    environments: MemoryProvider, error: Exception, status: Status
) -> None:
    environments.broken["create RunaiEnvironment.a"] = error
    outcomes = run(plan_of([resource("RunaiEnvironment.a")]), environments)
    assert outcomes["RunaiEnvironment.a"].status is status


def test_a_read_back_that_fails_leaves_what_was_written(environments: MemoryProvider) -> None:
    environments.unsettled = ProviderError("gone away")
    outcomes = run(plan_of([resource("RunaiEnvironment.a")]), environments)
    assert outcomes["RunaiEnvironment.a"].status is Status.WRITTEN
    assert "gone away" in outcomes["RunaiEnvironment.a"].message


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_second_interrupt_tells_what_was_written(
    environments: MemoryProvider, parallelism: int
) -> None:
    """Twenty creates, interrupted while they are read back: what is known of each is told."""
    environments.unsettled = KeyboardInterrupt()
    environments.broken["create RunaiEnvironment.e18"] = AmbiguousWriteError("lost")
    environments.broken["create RunaiEnvironment.e19"] = ProviderError("no")
    plan = plan_of(
        [resource(f"RunaiEnvironment.e{n:02}") for n in range(20)], [live("RunaiEnvironment.z")]
    )
    outcomes = run(plan, environments, parallelism=parallelism)
    found = statuses(outcomes)
    assert found.pop("RunaiEnvironment.e18") == "unknown"
    assert found.pop("RunaiEnvironment.e19") == "failed"
    assert found.pop("RunaiEnvironment.z") == "not_attempted"
    assert found == {f"RunaiEnvironment.e{n:02}": "written" for n in range(18)}
    assert {o.change.address for o in outcomes.values() if o.sent} == {
        f"RunaiEnvironment.e{n:02}" for n in range(19)
    }


class Breaking(Diary):
    """Is interrupted for good when the third change begins, in the same thread."""

    def started(self, change: Change) -> None:
        super().started(change)
        if sum(line.startswith("started ") for line in self.lines) == 3:
            raise KeyboardInterrupt


def test_what_ends_while_others_run_is_told_as_it_ended(environments: MemoryProvider) -> None:
    """One write a time: two are done and not read back, one is under way, one has not begun."""
    environments.broken["create RunaiEnvironment.b"] = ProviderError("no")
    plan = plan_of([resource(f"RunaiEnvironment.{name}") for name in "abcd"])

    class Serial:
        """Runs tasks in order, and tells of all of them at the end."""

        def run(self, tasks: Sequence[Callable[[], Result]]) -> Iterator[tuple[int, Result]]:
            return iter(list(enumerate([task() for task in tasks])))

    diary = Breaking()
    outcomes = apply_plan(plan, ApplyContext({"RunaiEnvironment": environments}, Serial(), diary))
    assert [outcome.status.value for outcome in outcomes] == [
        "written",
        "failed",
        "unknown",
        "not_attempted",
    ]
    assert [outcome.sent for outcome in outcomes] == [True, False, True, False]


def test_one_manifest_is_written_as_one() -> None:
    """The part waits for the whole: nothing of it is begun where that failed."""
    moved = {"scope": "cluster"}
    whole = ResourceKey("RunaiEnvironment", "x")
    plan = plan_of(
        [resource("RunaiCompute.x", moved, part_of=whole), resource("RunaiEnvironment.x", moved)],
        [live("RunaiCompute.x"), live("RunaiEnvironment.x")],
    )
    computes, environments = MemoryProvider("RunaiCompute"), MemoryProvider()
    environments.broken["replace RunaiEnvironment.x"] = ProviderError("no")
    outcomes = run(plan, computes, environments)
    assert statuses(outcomes) == {
        "RunaiCompute.x": "skipped_dependency",
        "RunaiEnvironment.x": "failed",
    }
    assert computes.calls == []
    assert set(statuses(run(plan, computes, environments)).values()) == {"applied"}


class Interrupting(Diary):
    """Asks to stop as soon as the first change begins."""

    def started(self, change: Change) -> None:
        super().started(change)
        assert self.stop is not None
        self.stop.set()


def test_an_interrupt_finishes_what_runs_and_records_the_rest(
    environments: MemoryProvider,
) -> None:
    diary = Interrupting(stop=threading.Event())
    plan = plan_of(
        [resource(f"RunaiEnvironment.{name}") for name in "abc"], [live("RunaiEnvironment.old")]
    )
    outcomes = apply_plan(plan, diary.context({"RunaiEnvironment": environments}))
    assert [outcome.status.value for outcome in outcomes] == [
        "applied",
        "not_attempted",
        "not_attempted",
        "not_attempted",
    ]
    assert len([line for line in diary.lines if "not_attempted" in line]) == 3


@pytest.mark.parametrize("parallelism", [1, 4])
def test_every_change_has_one_outcome_at_any_parallelism(
    environments: MemoryProvider, parallelism: int
) -> None:
    plan = plan_of([resource(f"RunaiEnvironment.e{n}") for n in range(20)])
    outcomes = run(plan, environments, parallelism=parallelism)
    assert len(outcomes) == 20
    assert len(environments.calls) == 21


def test_a_circle_is_a_defect_that_is_named(environments: MemoryProvider) -> None:
    plan = plan_of(
        [
            resource("RunaiEnvironment.a", depends_on=["RunaiEnvironment.b"]),
            resource("RunaiEnvironment.b", depends_on=["RunaiEnvironment.a"]),
        ]
    )
    with pytest.raises(ReconcileError, match="depend on one another"):
        run(plan, environments)


def test_a_failed_delete_stops_the_deletes_after_it() -> None:
    computes, environments = MemoryProvider("RunaiCompute"), MemoryProvider()
    environments.broken["delete RunaiEnvironment.a"] = ProviderError("no")
    plan = plan_of([], [live("RunaiEnvironment.a"), live("RunaiCompute.a")])
    outcomes = run(plan, computes, environments)
    assert statuses(outcomes) == {
        "RunaiCompute.a": "not_attempted",
        "RunaiEnvironment.a": "failed",
    }
    assert computes.calls == []


def test_a_defect_in_settling_does_not_swallow_outcomes(environments: MemoryProvider) -> None:
    environments.unsettled = KeyError("surprise")
    outcomes = run(plan_of([resource("RunaiEnvironment.a")]), environments)
    assert statuses(outcomes) == {"RunaiEnvironment.a": "written"}
    assert "unexpected KeyError" in outcomes["RunaiEnvironment.a"].message


def moved_volume() -> Plan:
    return plan_of([resource("Volume.a", {"scope": "cluster"})], [live("Volume.a")])


def test_a_kind_may_delete_first() -> None:
    volumes = MemoryProvider("Volume")
    outcomes = run(moved_volume(), volumes)
    assert statuses(outcomes) == {"Volume.a": "applied"}
    assert outcomes["Volume.a"].uid == "new-uid"
    assert volumes.calls == [
        "delete Volume.a",
        "settle Volume.a",
        "create Volume.a",
        "settle Volume.a",
    ]


def test_nothing_is_created_while_the_old_one_is_there() -> None:
    volumes = MemoryProvider("Volume")
    volumes.wrong["Volume.a"] = "still there"
    outcome = run(moved_volume(), volumes)["Volume.a"]
    assert (outcome.status, outcome.message, outcome.sent) == (Status.FAILED, "still there", True)
    assert "create Volume.a" not in volumes.calls


def test_a_create_that_fails_says_that_the_old_one_is_deleted() -> None:
    volumes = MemoryProvider("Volume")
    volumes.broken["create Volume.a"] = ProviderError("denied", fix="ask")
    outcome = run(moved_volume(), volumes)["Volume.a"]
    assert (outcome.status, outcome.fix, outcome.sent) == (Status.FAILED, "ask", True)
    assert outcome.message == "the old object is deleted, and the new one is not created: denied"


def test_a_delete_that_fails_leaves_all_as_it_was() -> None:
    volumes = MemoryProvider("Volume")
    volumes.broken["delete Volume.a"] = ProviderError("denied")
    outcome = run(moved_volume(), volumes)["Volume.a"]
    assert (outcome.status, outcome.message, outcome.sent) == (Status.FAILED, "denied", False)
    assert volumes.calls == ["delete Volume.a"]


def test_an_output_that_never_becomes_known_stops_who_needs_it() -> None:
    tenants, environments = MemoryProvider("Tenant"), MemoryProvider()
    wanted = {"context": {"path": {"reference": "Tenant.t", "output": "path"}}}
    outcomes = run(
        plan_of([resource("Tenant.t"), resource("RunaiEnvironment.a", wanted)]),
        tenants,
        environments,
    )
    outcome = outcomes["RunaiEnvironment.a"]
    assert (outcome.status, outcome.sent) == (Status.FAILED, False)
    assert outcome.message == ("context.path needs the path of Tenant.t, which is not known yet")
    assert environments.calls == []


def test_an_interrupt_before_an_old_object_goes_is_said() -> None:
    class Interrupted(MemoryProvider):
        def write(self, change: Change, progress: Progress) -> str:
            raise KeyboardInterrupt

    crates, environments = MemoryProvider("RunaiCompute"), Interrupted()
    outcomes = run(
        plan_of(
            [
                resource("RunaiCompute.c", {"scope": "cluster"}),
                resource("RunaiEnvironment.e", {"image": {"reference": "RunaiCompute.c"}}),
            ],
            [live("RunaiCompute.c"), live("RunaiEnvironment.e", {"image": "uid-c"})],
        ),
        crates,
        environments,
    )
    assert statuses(outcomes) == {"RunaiCompute.c": "written", "RunaiEnvironment.e": "unknown"}
    message = outcomes["RunaiCompute.c"].message
    assert message == "interrupted before the old object was deleted"
    assert "delete RunaiCompute.c" not in crates.calls
