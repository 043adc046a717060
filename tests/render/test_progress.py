from dataclasses import dataclass, field

import pytest

from reconciler.cli.carry_out import _unfinished
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Change, Plan
from reconciler.render.progress import Progress
from reconciler.support.terminal import Screen
from tests.core.builders import live, plan_of, resource


@dataclass
class Lines(Screen):
    """A screen that remembers."""

    printed: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    repaints: bool = False

    def line(self, text: str) -> None:
        self.printed.append(text)

    def running(self, texts: list[str]) -> None:
        self.shown = texts


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def change() -> Change:
    plan: Plan = plan_of([resource("RunaiEnvironment.a")])
    return plan.changes[0]


def test_lines_as_terraform_prints_them(change: Change) -> None:
    screen, clock = Lines(), Clock()
    progress = Progress(screen, clock)
    progress.started(change)
    clock.now = 10.4
    progress.tick()
    progress.tick()
    progress.progressed(change, "Step 1/3 : FROM x\x1b[2J")
    clock.now = 21
    progress.tick()
    progress.finished(Outcome(change, Status.APPLIED, uid="u-1", seconds=21.3))
    progress.tick()
    assert screen.printed == [
        "RunaiEnvironment.a: Creating...",
        "RunaiEnvironment.a: Still creating... [10s elapsed]",
        "RunaiEnvironment.a: Step 1/3 : FROM x\\x1b[2J",
        "RunaiEnvironment.a: Still creating... [20s elapsed]",
        "RunaiEnvironment.a: Creation complete after 21s [id=u-1]",
    ]
    assert screen.shown == []


def test_what_runs_is_shown_with_its_news(change: Change) -> None:
    screen, clock = Lines(repaints=True), Clock()
    progress = Progress(screen, clock)
    progress.started(change)
    progress.progressed(change, "pushing")
    clock.now = 3
    progress.tick()
    assert screen.printed == ["RunaiEnvironment.a: Creating..."]
    assert screen.shown == ["RunaiEnvironment.a: creating 3s pushing"]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.FAILED, "Failed: why"),
        (Status.UNKNOWN, "Outcome unknown: why"),
        (Status.SKIPPED_DEPENDENCY, "Skipped: why"),
        (Status.NOT_ATTEMPTED, "Not attempted: why"),
    ],
)
def test_other_ends(change: Change, status: Status, words: str) -> None:
    screen = Lines()
    Progress(screen).finished(Outcome(change, status, "why", "do this"))
    assert screen.printed == [f"RunaiEnvironment.a: {words}", "  do this"]


def test_every_action_has_its_words() -> None:
    plan = plan_of(
        [
            resource("RunaiEnvironment.u", {"image": "b"}),
            resource("RunaiEnvironment.r", {"scope": "cluster"}),
            resource("RunaiEnvironment.i"),
        ],
        [
            live("RunaiEnvironment.u"),
            live("RunaiEnvironment.r"),
            live("RunaiEnvironment.i", owner=None),
            live("RunaiEnvironment.d"),
        ],
    )
    screen = Lines()
    progress = Progress(screen)
    for change in plan.pending:
        progress.started(change)
    assert [line.partition(": ")[2] for line in screen.printed] == [
        "Destroying...",
        "Importing...",
        "Replacing...",
        "Modifying...",
    ]


def test_of_many_that_run_some_are_named_and_the_rest_counted() -> None:
    plan = plan_of([resource(f"RunaiEnvironment.e-{n:02}") for n in range(20)])
    screen, plain = Lines(repaints=True), Lines()
    for progress in (Progress(screen, Clock()), Progress(plain, Clock())):
        for change in plan.changes:
            progress.started(change)
        progress.tick()
    assert len(screen.shown) == 9
    assert screen.shown[0] == "RunaiEnvironment.e-00: creating 0s"
    assert screen.shown[-1] == "... and 12 more"
    assert plain.shown == []  # nor is any of it put together: an apply of many stays linear


def test_what_has_ended_is_shown_as_running_no_longer(change: Change) -> None:
    screen = Lines(repaints=True)
    progress = Progress(screen, Clock())
    progress.started(change)
    progress.tick()
    assert screen.shown == ["RunaiEnvironment.a: creating 0s"]
    progress.finished(Outcome(change, Status.APPLIED))
    assert screen.shown == []


def test_the_end_of_a_build_is_shown_line_by_line(change: Change) -> None:
    """And no line of what a system says passes for one of ours."""
    screen = Lines()
    message = "failed at Step 2/3 : RUN x: exit 1\nApply complete!"
    fix = "the last lines of its output:\n  one\n  two\x1b[2J"
    Progress(screen).finished(Outcome(change, Status.FAILED, message, fix))
    assert screen.printed == [
        "RunaiEnvironment.a: Failed: failed at Step 2/3 : RUN x: exit 1",
        "  Apply complete!",
        "  the last lines of its output:",
        "    one",
        "    two\\x1b[2J",
    ]
    assert list(_unfinished([Outcome(change, Status.FAILED, message, fix)])) == [
        "RunaiEnvironment.a: failed: failed at Step 2/3 : RUN x: exit 1\n  Apply complete!",
        "  the last lines of its output:",
        "    one",
        "    two\\x1b[2J",
    ]
