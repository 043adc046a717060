"""The stages of a plan, on providers in memory: what each adds, and what it leaves alone."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.place import Globals
from reconciler.config import Config, Target
from reconciler.core.commit_approvals import Trailer
from reconciler.core.guards import Approval
from reconciler.core.header import Header
from reconciler.core.selection import Selection
from reconciler.errors import StalePlanError, UnknownAddressError
from reconciler.planfile.reader import SavedPlan
from reconciler.support.threads import ThreadExecutor
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.planning import compare, judge, plan_for, read_world
from reconciler.workflow.session import Session
from tests.core.builders import live, resource
from tests.core.fake_provider import MemoryProvider

KIND = "RunaiEnvironment"
OLD, NEW = f"{KIND}.old", f"{KIND}.new"


@pytest.fixture
def provider() -> MemoryProvider:
    """A live object that no manifest states any more, and that a workload uses."""
    made = MemoryProvider()
    made.objects = [live(OLD)]
    made.users = {made.objects[0].uid: ("workload w",)}
    return made


def open_with(provider: MemoryProvider, *trailers: Trailer) -> Session:
    mark = provider.objects[0].mark
    assert mark is not None
    config = Config(Path("reconciler.yaml"), Path(), mark.stack, Path("m"), Path("o"), None, {})
    return Session(
        config,
        Target("live", mark.stack),
        (resource(NEW),),
        {KIND: provider},
        ThreadExecutor(2),
        Header("live", "in memory"),
        trailers,
    )


def asked(*only: str, **more: Any) -> PlanRequest:
    return PlanRequest(Globals(Path(), None, None), selection=Selection(only), **more)


def test_users_are_looked_up_for_what_was_chosen_and_goes(provider: MemoryProvider) -> None:
    session = open_with(provider)
    planned = plan_for(session, asked(NEW))
    assert provider.calls == []
    assert [item.address for item in planned.plan.changes] == [NEW]
    assert {item.address for item in planned.whole.changes} >= {NEW}
    assert len(planned.whole.changes) == 2
    whole = plan_for(session, asked())
    assert provider.calls == ["usage of 1"]
    assert [item.used_by for item in whole.plan.changes if item.destroys] == [("workload w",)]
    assert whole.plan.refused


def test_the_approval_is_what_the_guard_judged_by(provider: MemoryProvider) -> None:
    (address,) = (
        item.address for item in plan_for(open_with(provider), asked()).whole.changes if item.live
    )
    approval = Approval(addresses=frozenset({address}))
    planned = plan_for(open_with(provider), asked(approval=approval))
    assert planned.approval.addresses == {address}
    assert not planned.plan.refused
    digest = planned.plan.digest()
    trailer = Trailer("a" * 40, "Ada", f"destroy={address} digest={digest}")
    planned = plan_for(open_with(provider, trailer), asked())
    assert planned.approval.addresses == {address}
    assert not planned.plan.refused
    (line,) = planned.header.review.allowances
    assert "is for this plan" in line


def test_the_stages_one_by_one_are_the_same_plan(provider: MemoryProvider) -> None:
    session, request = open_with(provider), asked()
    world = read_world(session)
    whole = compare(world)
    judged, planned = judge(session, request, world, whole, whole), plan_for(session, request)
    assert (judged.whole, judged.plan) == (planned.whole, planned.plan)
    assert (judged.approval, judged.header) == (planned.approval, planned.header)


def test_a_word_that_means_nothing_comes_with_what_there_is(provider: MemoryProvider) -> None:
    with pytest.raises(UnknownAddressError) as caught:
        plan_for(open_with(provider), asked(f"{KIND}.nwe"))
    assert caught.value.word == f"{KIND}.nwe"
    assert NEW in caught.value.known
    assert provider.calls == []


def test_a_saved_plan_is_compared_and_its_names_come_with_the_error(
    provider: MemoryProvider,
) -> None:
    session, request = open_with(provider), asked()
    planned = plan_for(session, request)
    saved = SavedPlan(planned.plan, planned.header)
    with pytest.raises(StalePlanError, match="the tool changed"):
        plan_for(session, request, saved)
    provider.objects = []
    with pytest.raises(StalePlanError) as caught:
        plan_for(session, request, saved)
    assert {item.address for item in planned.plan.changes} <= caught.value.names


def test_another_digest_is_refused(provider: MemoryProvider) -> None:
    session = open_with(provider)
    digest = plan_for(session, asked()).plan.digest()
    assert plan_for(session, asked(expect_digest=digest)).plan.digest() == digest
    with pytest.raises(StalePlanError):
        plan_for(session, asked(expect_digest="sha256:" + "0" * 64))
