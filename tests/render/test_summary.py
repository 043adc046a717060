"""Terraform's summary lines, byte for byte: pull-request tools grep for them."""

from dataclasses import replace

import pytest

from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan, ReadFailure
from reconciler.render.summary import NO_CHANGES, apply_line, count, plan_details, plan_line
from tests.core.builders import live, plan_of, resource


@pytest.fixture
def plan() -> Plan:
    moved = {"scope": "cluster"}
    return plan_of(
        [
            resource("RunaiEnvironment.create"),
            resource("RunaiEnvironment.update", {"image": "b"}),
            resource("RunaiEnvironment.replace", moved),
            resource("RunaiEnvironment.same"),
        ],
        [
            live("RunaiEnvironment.update"),
            live("RunaiEnvironment.replace"),
            live("RunaiEnvironment.same"),
            live("RunaiEnvironment.delete"),
        ],
    )


def test_a_plan(plan: Plan) -> None:
    assert plan_line(plan) == "Plan: 2 to add, 1 to change, 2 to destroy."
    assert plan_details(plan) == ["1 unchanged."]


def test_a_plan_with_imports() -> None:
    plan = plan_of([resource("RunaiEnvironment.a")], [live("RunaiEnvironment.a", owner=None)])
    assert plan_line(plan) == "Plan: 1 to import, 0 to add, 0 to change, 0 to destroy."
    outcomes = [Outcome(change, Status.APPLIED) for change in plan.pending]
    assert (
        apply_line(outcomes, 0)
        == "Apply complete! Resources: 1 imported, 0 added, 0 changed, 0 destroyed."
    )


def test_no_changes() -> None:
    plan = plan_of([resource("RunaiEnvironment.a")], [live("RunaiEnvironment.a")])
    assert plan_line(plan) == NO_CHANGES
    assert NO_CHANGES == "No changes. Your infrastructure matches the configuration."
    assert plan_line(plan_of([])) == NO_CHANGES


def test_refused_changes_are_not_counted_as_work() -> None:
    plan = plan_of(
        [resource("RunaiEnvironment.a", {"image": "b"})], [live("RunaiEnvironment.a", owner=None)]
    )
    assert plan_line(plan) == "Plan: 0 to add, 0 to change, 0 to destroy."
    assert plan_details(plan) == ["1 in conflict: not applied until cleared (see above)."]


@pytest.mark.parametrize(
    ("systems", "said"),
    [
        (["Run:ai control plane"], "the Run:ai control plane could not be read."),
        (
            ["Run:ai control plane", "Docker engine", "Docker engine"],
            "the Docker engine and the Run:ai control plane could not be read.",
        ),
        (["a](http://x.example) **b**"], "the live system could not be read."),
        (["<b>", "Docker engine"], "the live systems could not be read."),
    ],
)
def test_what_could_not_be_read_is_no_plan_to_change_nothing(systems: list[str], said: str) -> None:
    failures = [ReadFailure(name, (f"Kind{n}",), "no answer", "") for n, name in enumerate(systems)]
    same = [resource("RunaiEnvironment.a")], [live("RunaiEnvironment.a")]
    assert plan_line(plan_of([], [], failures)) == f"No plan: {said}"
    assert plan_line(plan_of(*same, failures)) == f"No plan: {said}"
    needs = resource("RunaiEnvironment.b", depends_on=["Kind0.a"])
    blocked = guard(plan_of([resource("Kind0.a"), needs], [], failures), GuardRules(), Approval())
    assert len(blocked.refused) == 1
    assert plan_line(blocked) == f"No plan: {said}"
    assert plan_line(plan_of([resource("RunaiEnvironment.a")], [], failures)) == (
        f"Incomplete plan: 1 to add, 0 to change, 0 to destroy. T{said[1:]}"
    )


def test_an_apply(plan: Plan) -> None:
    done = [Outcome(change, Status.APPLIED) for change in plan.pending]
    assert apply_line(done, 0) == "Apply complete! Resources: 2 added, 1 changed, 2 destroyed."
    partly = [replace(done[0], status=Status.FAILED), *done[1:]]
    text = apply_line(partly, 0)
    assert text.startswith("Apply incomplete: 3 of 4 changes applied, 1 failed. Resources:")
    text = apply_line(partly, 2)
    assert text.startswith("Apply incomplete: 3 of 4 changes applied, 1 failed, 2 refused. Res")
    assert apply_line(done, 1).startswith("Apply incomplete: 1 refused. Resources: 2 added")


def test_counts_add_up(plan: Plan) -> None:
    counts = count(plan.changes)
    assert (counts.adds, counts.changes, counts.destroys, counts.unchanged) == (2, 1, 2, 1)
