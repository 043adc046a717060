"""Laws 1, 2, 6, 9 and 10: manifests and live objects edited in any order, by us and by others.

A hypothesis state machine edits manifests and, as other people would, live assets, and plans and
applies in between, whole or in part, interrupted or not, with every switch of the sandbox.
RECONCILE_LAW_EXAMPLES and RECONCILE_LAW_STEPS set how much (default 40 x 30).
"""

import os
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from reconciler.core.mark import Mark, hash_id
from reconciler.core.outcome import Outcome, Status
from reconciler.core.ownership import Holder, write_mark
from reconciler.core.plan import Action, Plan
from reconciler.sandbox import Behaviour
from tests.acceptance.live_side import call, create_live
from tests.acceptance.project import environment
from tests.laws.scenarios import SPREAD, compute
from tests.laws.stage import KINDS, OTHER_STACK, Desk, Ledger, Row, Stage

EXAMPLES = int(os.environ.get("RECONCILE_LAW_EXAMPLES", "40"))
STEPS = int(os.environ.get("RECONCILE_LAW_STEPS", "30"))
SHRINK = os.environ.get("RECONCILE_LAW_SHRINK", "1") == "1"  # to make a failure short: minutes
PHASES = [phase for phase in Phase if SHRINK or phase not in (Phase.shrink, Phase.explain)]

SWITCHES = tuple(
    replace(behaviour, version=version)
    for version in SPREAD
    for behaviour in (
        Behaviour(),
        Behaviour(fill_defaults=True, deleted_entries="listed"),
        Behaviour(absent="null", revoke_tokens_every=5),
        Behaviour(absent="empty", fill_defaults=True),
        Behaviour(name_filter="partial", unknown_fields="keep", token_expiry="unstated"),
        Behaviour(unknown_fields="reject", unknown_parameters="refuse", missing_paths="405"),
        Behaviour(unfiltered_list="refuse"),
        Behaviour(visibility_lag=0.01),
    )
)
PLACES: dict[str, dict[str, Any]] = {
    "tenant": {"scope": "tenant"},
    "cluster": {"scope": "cluster"},
    "department": {"scope": "department", "scope_id": "default"},
    "team-a": {"scope": "project", "scope_id": "team-a"},
    "team-b": {"scope": "project", "scope_id": "team-b"},
}
IDS = ("a", "b", "c")
NAMES = ("a", "b", "c", "n1", "n2")
ids = st.sampled_from(IDS)
names = st.sampled_from(NAMES)
places = st.sampled_from(sorted(PLACES))
kinds = st.sampled_from(sorted(KINDS))
pick = st.integers(0, 30)

environment_fields = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["busybox:2", "registry.example/x:latest", "busybox"]),
        "description": st.sampled_from(["One", "Two [b]"]),
        "workload_types": st.sampled_from([["training"], ["workspace", "training"]]),
        "environment_variables": st.sampled_from(
            [{"A": "1"}, {"A": "2", "B": "x"}, {"T": {"env": "LAW_TOKEN"}, "A": "1"}]
        ),
        "tools": st.sampled_from([["jupyter"], ["jupyter", "tensorboard"]]),
        "image_pull_policy": st.sampled_from(["Always", "Never"]),
        "command": st.just("sh"),
        "run_as_non_root": st.booleans(),
        "compute": st.sampled_from([{"gpu": 1, "cpu_cores": 2}, {"cpu_cores": 4, "memory": "8Gi"}]),
    },
)
compute_fields = st.fixed_dictionaries(
    {},
    optional={
        "cpu_core_request": st.sampled_from([2, 2.5]),
        "cpu_memory_request": st.sampled_from(["8Gi", "8192Mi", "8G"]),
        "description": st.just("A box"),
        "large_shm_request": st.booleans(),
        "extended_resources": st.just({"vendor.example/foo": "1"}),
    },
)


class Reconciling(RuleBasedStateMachine):
    """Manifests by (kind, id), and everything that may happen to them and to live assets."""

    stage: Stage
    desk: Desk

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.theirs: set[str] = set()
        self.stage.behave(Behaviour())
        self.stage.restore()

    @initialize(behaviour=st.sampled_from(SWITCHES), parallelism=st.sampled_from([1, 4]))
    def serve(self, behaviour: Behaviour, parallelism: int) -> None:
        self.stage.behave(behaviour)
        self.desk.parallelism = parallelism

    # Manifests

    @rule(key=ids, name=names, place=places, fields=environment_fields)
    def state_environment(self, key: str, name: str, place: str, fields: dict[str, Any]) -> None:
        self._state("environment", key, name, {**PLACES[place], **fields})

    @rule(key=ids, name=names, place=places, fields=compute_fields)
    def state_compute(self, key: str, name: str, place: str, fields: dict[str, Any]) -> None:
        self._state("compute", f"c-{key}", f"c-{name}", {**PLACES[place], **fields})

    def _state(self, kind: str, key: str, name: str, spec: dict[str, Any]) -> None:
        """State or change a resource; two may not have one name, which the loader refuses."""
        taken = {
            item["metadata"]["name"]
            for other, item in self.documents.items()
            if other != (kind, key)
        }
        moved = {item["metadata"].get("moved_from") for item in self.documents.values()}
        if name in taken or key in moved:
            return
        old = self.documents.get((kind, key), {"metadata": {}})["metadata"]
        metadata = {**old, "id": key, "name": name}
        make = environment if kind == "environment" else compute
        self.documents[kind, key] = make(name, metadata=metadata, **spec)

    @precondition(lambda self: self.documents)
    @rule(which=pick, place=places)
    def move_to_another_scope(self, which: int, place: str) -> None:
        document = self._document(which)
        spec = {name: v for name, v in document["spec"].items() if not name.startswith("scope")}
        document["spec"] = {**PLACES[place], **spec}

    @precondition(lambda self: self.documents)
    @rule(which=pick, flag=st.sampled_from(["protect", "adopt"]), value=st.booleans())
    def set_flag(self, which: int, flag: str, value: bool) -> None:
        self._document(which)["metadata"][flag] = value

    @precondition(lambda self: self.documents)
    @rule(which=pick)
    def remove_manifest(self, which: int) -> None:
        keys = sorted(self.documents)
        del self.documents[keys[which % len(keys)]]

    @precondition(lambda self: self.documents)
    @rule(which=pick, new=ids, said=st.booleans())
    def give_another_id(self, which: int, new: str, said: bool) -> None:
        keys = sorted(self.documents)
        kind, old = keys[which % len(keys)]
        new = new if kind == "environment" else f"c-{new}"
        moved = {item["metadata"].get("moved_from") for item in self.documents.values()}
        if (kind, new) in self.documents or {new, old} & moved:
            return
        document = self.documents.pop((kind, old))
        document["metadata"]["id"] = new
        document["metadata"].pop("moved_from", None)
        if said:
            document["metadata"]["moved_from"] = old
        self.documents[kind, new] = document

    def _document(self, which: int) -> dict[str, Any]:
        keys = sorted(self.documents)
        return self.documents[keys[which % len(keys)]]

    # Other people

    @rule(kind=kinds, name=names, other_stack=st.booleans(), image=st.integers(0, 1))
    def others_create(self, kind: str, name: str, other_stack: bool, image: int) -> None:
        name = name if kind == "environment" else f"c-{name}"
        if any((row.name, row.kind, row.scope) == (name, kind, "tenant") for row in self._rows()):
            return
        meta = {}
        if other_stack:
            holder = Holder(KINDS[kind], "tenant", "", name)
            meta["description"] = write_mark(
                "Theirs", Mark(OTHER_STACK, hash_id(*holder[:2])), holder
            )
        spec = {"image": f"busybox:{image}"} if kind == "environment" else {"cpuCoreRequest": 1}
        made = create_live(self.stage, name, spec, KINDS[kind], **meta)
        self.theirs.add(made["meta"]["id"])

    @precondition(lambda self: self._rows())
    @rule(
        which=pick,
        edit=st.sampled_from(["image", "name", "mark", "description", "spec", "empty"]),
    )
    def others_edit(self, which: int, edit: str) -> None:
        row = self._row(which)
        asset = call(self.stage, "GET", f"/api/v1/asset/{row.kind}/{row.id}")
        meta = {"name": row.name}
        if asset["meta"].get("description"):
            meta["description"] = asset["meta"]["description"]
        spec = {name: value for name, value in asset["spec"].items() if value not in (None, [], "")}
        if edit == "image":
            spec |= {"image": "busybox:77"} if row.kind == "environment" else {"cpuCoreLimit": 9}
        elif edit == "spec":
            spec |= {"args": "--by-hand"} if row.kind == "environment" else {"cpuCoreRequest": 9}
        elif edit == "empty":
            spec = {"image": "busybox:0"} if row.kind == "environment" else {"cpuCoreRequest": 8}
        elif edit == "name":
            meta["name"] = f"{row.name}-by-hand"
        elif edit == "mark":
            meta.pop("description", None)
        else:
            meta["description"] = f"By hand {meta.get('description', '')}"
        if edit == "name" and any(other.name == meta["name"] for other in self._rows()):
            return
        call(
            self.stage,
            "PUT",
            f"/api/v1/asset/{row.kind}/{row.id}",
            {"meta": meta, "spec": spec},
        )
        self._wait()

    @precondition(lambda self: self._rows())
    @rule(which=pick)
    def others_delete(self, which: int) -> None:
        row = self._row(which)
        call(self.stage, "DELETE", f"/api/v1/asset/{row.kind}/{row.id}")
        self.theirs.discard(row.id)
        self._wait()

    @precondition(lambda self: self._rows())
    @rule(which=pick)
    def others_copy(self, which: int) -> None:
        """Make a copy as the web UI does: all of it, mark as well, under another name."""
        row = self._row(which)
        asset = call(self.stage, "GET", f"/api/v1/asset/{row.kind}/{row.id}")
        name = f"copy-of-{row.name}"
        if any(other.name == name for other in self._rows()):
            return
        meta = {"description": text} if (text := asset["meta"].get("description")) else {}
        spec = {name: value for name, value in asset["spec"].items() if value not in (None, [], "")}
        made = create_live(self.stage, name, spec, KINDS[row.kind], **meta)
        self.theirs.add(made["meta"]["id"])

    def _rows(self) -> list[Row]:
        return self.stage.rows()

    def _row(self, which: int) -> Row:
        rows = self._rows()
        return rows[which % len(rows)]

    def _wait(self) -> None:
        threading.Event().wait(self.stage.lag)

    # The reconciler

    @rule()
    def plan(self) -> None:
        self._plan_and_apply(carry_out=False)

    @rule()
    def apply(self) -> None:
        """All of it, with every delete approved.

        Law 2: when nothing failed or was refused, the next plan is empty. What was refused, or
        failed because of the order of names, is settled after a few times, or stays refused.
        """
        clean = False
        for _ in range(5):
            plan, outcomes = self._plan_and_apply()
            assert not (clean and (plan.pending or plan.refused)), _addresses(plan)
            failed = [item for item in outcomes if item.status is not Status.APPLIED]
            assert not failed or plan.refused, _words(failed)
            clean = not failed and not plan.refused
            if not plan.pending:
                return
        raise AssertionError(f"this goes on for ever: {_addresses(plan)}")

    @precondition(lambda self: self.documents)
    @rule(which=pick)
    def apply_only(self, which: int) -> None:
        keys = sorted(self.documents)
        kind, key = keys[which % len(keys)]
        self._plan_and_apply(only=(f"{KINDS[kind]}.{key}",))

    @rule(event=st.integers(1, 8))
    def apply_interrupted(self, event: int) -> None:
        self._plan_and_apply(stop_at=event)

    def _plan_and_apply(
        self, *, carry_out: bool = True, only: tuple[str, ...] = (), stop_at: int = 0
    ) -> tuple[Plan, tuple[Outcome, ...]]:
        self.desk.write(self.documents.values())
        requests = self.stage.server.requests
        requests.clear()
        before = self._rows()
        with self.desk.session() as session:
            plan = self.desk.plan(session, only)
            plan = self.desk.plan(session, only, deletes=_destroys(plan)) if carry_out else plan
            assert not plan.failures, plan.failures
            assert not requests.writes(), "law 1"
            assert self._rows() == before
            if not carry_out:
                self._check_reads()
            outcomes: tuple[Outcome, ...] = ()
            if carry_out:
                stop = threading.Event()
                outcomes = self.desk.apply(session, plan, Ledger(stop, stop_at), stop)
                self._wait()
        self._check_others(before, plan)
        return plan, outcomes

    def _check_reads(self) -> None:
        """Law 9: each list is answered at most once, whatever there is.

        Where each scope is listed by itself, that is up to two lists of each kind in five scopes.
        """
        counts = Counter(
            (item.path, item.query)
            for item in self.stage.server.requests.reads()
            if item.status == 200  # a revoked token, or a list that is refused, is asked again
        )
        assert max(counts.values()) == 1, counts
        assert len(counts) <= 4 + 2 * 2 * 5, counts

    def _check_others(self, before: list[Row], plan: Plan) -> None:
        """Law 6: what was not ours is as it was, unless the plan said that it is adopted."""
        adopted = {
            item.live.uid for item in plan.pending if item.action is Action.ADOPT and item.live
        }
        now = {row.id: row for row in self._rows()}
        for row in before:
            if not row.ours and row.id not in adopted:
                assert now.get(row.id) == row, f"{row.name} is not ours"
        self.theirs -= adopted
        assert self.theirs <= now.keys()

    @invariant()
    def nothing_bears_our_mark_twice(self) -> None:
        """Every live asset of ours has a mark of its own, leftovers of replacements aside."""
        marks = Counter(
            (row.kind, mark.id_hash)
            for row in self._rows()
            if (mark := row.mark) and mark.stack == "ml-platform" and not mark.deposed
        )
        assert all(count == 1 for count in marks.values()), marks


def _destroys(plan: Plan) -> int:
    return sum(change.destroys and (change.pending or _guarded(change)) for change in plan.changes)


def _guarded(change: Any) -> bool:
    return change.refusal is not None and "guards." in change.refusal.reason


def _addresses(plan: Plan) -> list[str]:
    return [change.address for change in (*plan.pending, *plan.refused)]


def _words(outcomes: list[Outcome]) -> str:
    return "\n".join(f"{item.change.address}: {item.status}: {item.message}" for item in outcomes)


@pytest.mark.slow
def test_convergence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAW_TOKEN", "canary-of-law-two")
    with Stage(tmp_path) as stage:
        Reconciling.stage = stage
        Reconciling.desk = Desk(stage, tmp_path / "desk", patience=30)
        Reconciling.desk.configure(env_allow=["LAW_*"])
        case = Reconciling.TestCase
        case.settings = settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        )
        case().runTest()
