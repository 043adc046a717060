"""Laws 4, 5 and 6 for several processes at a time: a random search over interleavings.

Two to four processes of the same and of different commits and stacks, edits in the web UI in
between, faults at any request, lists that lag. Whatever happens: at most one live object bears a
mark, no foreign or protected object is changed, every `Apply complete!` is true, and every end is
healed by one rerun, or by the command that the plan names and one rerun.

RECONCILE_LAW_RACES sets how many interleavings (default 60), RECONCILE_LAW_RACE the seed of the
first one: a failure prints its own, which runs it again.
"""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from reconciler.core.mark import hash_id
from reconciler.core.outcome import Status
from reconciler.core.plan import Action, Plan
from reconciler.core.repair import plan_repair
from reconciler.workflow.planning import compare, read_world
from reconciler.workflow.session import Session
from tests.acceptance.live_side import create_live
from tests.acceptance.project import environment
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.laws.races import (
    FAULTS,
    Lives,
    Process,
    Strike,
    Turnstile,
    go_down,
    kill,
    lack,
    lives,
    strike,
)
from tests.laws.scenarios import GPU
from tests.laws.stage import OTHER_STACK, STACK, Desk, Row, Stage

pytestmark = pytest.mark.slow

RACES = int(os.environ.get("RECONCILE_LAW_RACES", "60"))
FIRST = int(os.environ.get("RECONCILE_LAW_RACE", "1"))
_BLOCK = 250
_REPAIR = re.compile(r"reconcile repair '?([^' ]+(?: \(deposed \w+\))?)'? --keep (\S+)")


def commit(name: str = "train", /, **spec: Any) -> dict[str, Any]:
    """What a commit says of the one environment that all of them are about."""
    metadata = {"id": "train", "adopt": True, **spec.pop("metadata", {})}
    return environment(name, metadata=metadata, **{"scope": "tenant", **spec})


STAYS = environment("stays", scope="tenant", metadata={"adopt": True})
COMMITS: Mapping[str, Sequence[dict[str, Any]]] = {
    "tenant": [commit()],
    "image": [commit(image="busybox:2")],
    "cluster": [commit(scope="cluster")],
    "project": [commit(scope="project", scope_id="team-a")],
    "renamed": [commit("renamed")],
    "moved": [commit(metadata={"id": "other", "moved_from": "train"})],
    "protected": [commit(metadata={"protect": True})],
    "compute": [commit(scope="cluster", compute=GPU)],
    "gone": [],
}


@dataclass
class Arena:
    """One control plane, a directory for every commit, and what each makes of nothing."""

    stage: Stage
    desks: dict[str, Desk]
    proxies: list[FaultProxy]
    expected: dict[str, Lives]
    starts: dict[str, list[Row]]


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with ExitStack() as stack:
        # A request that waits for its turn must not time out, however busy the machine is.
        stage = stack.enter_context(Stage(tmp_path_factory.mktemp("stage"), timeout=600))
        desks = {}
        for name, documents in {**COMMITS, "others": COMMITS["tenant"]}.items():
            desks[name] = Desk(stage, tmp_path_factory.mktemp("desk"), patience=0)
            guards = {"max_deletes": 100, "max_delete_percent": 100}
            owner = OTHER_STACK if name == "others" else STACK
            desks[name].configure(guards=guards, stack=owner)
            desks[name].write([*([] if name == "others" else [STAYS]), *documents])
        proxies = [stack.enter_context(FaultProxy(stage.endpoint.base_url)) for _ in range(4)]
        expected, starts = {}, {"nothing": list[Row]()}
        for name, desk in desks.items():
            stage.restore()
            desk.patience = 30
            desk.converge()
            starts[name] = stage.rows()
            expected[name] = lives(starts[name], _stack_of(name))
        starts["left over"] = _interrupted(stage, desks["cluster"], proxies[0], starts["tenant"])
        stage.restore()
        create_live(stage, "train", {"image": "busybox:1"})
        starts["unowned"] = stage.rows()
        yield Arena(stage, desks, proxies, expected, starts)


def _stack_of(name: str) -> str:
    return OTHER_STACK if name == "others" else STACK


def _interrupted(stage: Stage, desk: Desk, proxy: FaultProxy, start: list[Row]) -> list[Row]:
    """A replacement that was killed after its first write."""
    stage.restore(start)
    writes = 0

    def rule(_number: int, method: str, _target: str) -> Fault | None:
        nonlocal writes
        writes += method == "PUT"
        return Fault(Kind.RESET) if writes and method != "PUT" else None

    desk.patience = 0
    with desk.session(proxy.base_url) as session:
        plan = desk.plan(session)
        proxy.rule = rule
        desk.apply(session, plan)
    proxy.rule = None
    assert any("-replaced-" in row.name for row in stage.rows())
    return stage.rows()


def edits(stage: Stage, chance: random.Random) -> list[Callable[[], str]]:
    """What other people do in the web UI: up to three requests, one of a form opened before."""

    def put(row: Row, **changes: Any) -> str:
        body = json.loads(row.body)
        meta = {
            name: body["meta"][name] for name in ("name", "description") if name in body["meta"]
        }
        spec = {**body["spec"], **changes.pop("spec", {})}
        path = f"/api/v1/asset/{row.kind}/{row.id}"
        try:
            stage.client().call_api("PUT", path, body={"meta": meta | changes, "spec": spec})
        except Exception as error:  # noqa: BLE001  (gone, or the name is taken: nothing happened)
            return f"UI: {row.name}: {type(error).__name__}"
        return f"UI: {row.name} {sorted(changes)} {sorted(spec)}"

    def pick() -> Row | None:
        rows = [row for row in stage.rows() if row.kind == "environment" and row.name != "stays"]
        return chance.choice(rows) if rows else None

    def on(change: Callable[[Row], str]) -> Callable[[], str]:
        return lambda: change(row) if (row := pick()) else "UI: nothing there"

    opened: list[Row] = []

    def open_form() -> str:
        row = pick()
        opened.extend([row] if row else [])
        return "UI: opens a form"

    def submit() -> str:
        return put(opened[0], spec={"image": "by-hand"}) if opened else "UI: no form"

    def remove(row: Row) -> str:
        try:
            stage.client().call_api("DELETE", f"/api/v1/asset/{row.kind}/{row.id}")
        except Exception as error:  # noqa: BLE001  (it is gone)
            return f"UI: {row.name}: {type(error).__name__}"
        return f"UI: deletes {row.name}"

    choices: list[list[Callable[[], str]]] = [
        [],
        [],
        [on(lambda row: put(row, spec={"image": "by-hand"}))],
        [on(lambda row: put(row, description="Hi"))],
        [on(lambda row: put(row, name=f"{row.name}-by-hand"))],
        [on(remove)],
        [open_form, submit],
    ]
    return [step for _ in range(chance.choice([0, 1, 1, 2])) for step in chance.choice(choices)]


def faults(stage: Stage, chance: random.Random) -> dict[int, Strike]:
    """Up to three faults at requests of whichever process."""
    makers: list[Strike] = [
        *map(strike, FAULTS),
        kill(Fault(Kind.RESET)),
        kill(Fault(Kind.RESET, after=True)),
        go_down(chance.randint(1, 8)),
        lack(stage),
    ]
    return {
        chance.randint(1, 30): chance.choice(makers) for _ in range(chance.choice([0, 1, 1, 2, 3]))
    }


def race(arena: Arena, seed: int) -> tuple[list[str], Counter[str]]:
    """One interleaving: what it breaks, and how it went."""
    chance = random.Random(seed)
    arena.stage.restore(arena.starts[chance.choice(sorted(arena.starts))])
    names = [chance.choice(sorted(arena.desks)) for _ in range(chance.choice([2, 2, 3, 4]))]
    if chance.random() < 0.3:
        names = names[:1] * len(names)
    processes = [
        Process(f"{number}-{name}", arena.desks[name], _stack_of(name), arena.proxies[number])
        for number, name in enumerate(names)
    ]
    for desk in arena.desks.values():
        desk.patience = 0
    struck, others = faults(arena.stage, chance), edits(arena.stage, chance)
    meddled = bool(others)
    turnstile = Turnstile(arena.stage, chance, struck, others)
    turnstile.run(processes)
    for proxy in arena.proxies:
        proxy.rule = None
        proxy.clear()
    broken = list(turnstile.violations)
    broken += [f"{p.name} raised {p.error!r}" for p in processes if p.error is not None]
    for process, name in zip(processes, names, strict=True):
        broken += _untrue(process, arena.expected[name])
    messages = [item.message for p in processes for item in p.outcomes]
    broken += [text for text in messages if "unexpected" in text]
    doubled = _doubled(arena.stage.rows())
    told = any(p.killed or not p.complete for p in processes)
    if doubled and not (told and (meddled or any(p.faults for p in processes))):
        broken.append(f"several objects with one mark: {doubled}")
    ended = Counter(complete=sum(p.complete for p in processes), doubled=bool(doubled))
    healer = chance.choice(processes)
    broken += _heal(arena, healer, ended, meddled=meddled)
    if broken:
        broken += [f"  {line}" for line in turnstile.log]
        broken += [f"  {process.describe()}" for process in processes]
        broken += [f"  {row.name} {row.scope} {row.mark}" for row in arena.stage.rows()]
    return broken, ended


def _doubled(rows: Sequence[Row]) -> list[str]:
    return [
        f"{stack} {key}"
        for stack in (STACK, OTHER_STACK)
        for key, found in lives(rows, stack).items()
        if len(found) > 1
    ]


def _untrue(process: Process, expected: Lives) -> list[str]:
    """What of an `Apply complete!` was never so after the last write of the process."""
    if not process.complete or process.plan is None:
        return []
    same = {
        hash_id(*change.key) for change in process.plan.changes if change.action is Action.UNCHANGED
    }
    found = [
        f"{process.name} said complete, and {key} never was"
        for key, value in expected.items()
        if not any(
            lives(sight.rows, process.stack).get(key) == value
            for sight in process.sights
            if key.startswith(f"{sight.word} ")
            and (key.split()[1] in same or sight.writes == process.writes.get(sight.word, 0))
        )
    ]
    deleted = {
        change.live.uid
        for change in process.plan.pending
        if change.action is Action.DELETE and change.live
    }
    there = {row.id for row in process.sights[-1].rows}
    return found + [f"{process.name} said complete, and {uid} is there" for uid in deleted & there]


def _heal(arena: Arena, process: Process, ended: Counter[str], *, meddled: bool) -> list[str]:
    desk = process.desk
    desk.patience = 30
    for attempt in ("rerun", "after repair"):
        with desk.session() as session:
            plan = desk.plan(session)
            command = _REPAIR.search(" ".join(c.refusal.fix for c in plan.refused if c.refusal))
            if command and attempt == "rerun":
                ended["repaired"] += 1
                outcomes = desk.apply(session, _repair(session, *command.groups()))
                if not all(item.status is Status.APPLIED for item in outcomes):
                    return [f"repair: {[item.message for item in outcomes]}"]
                continue
            outcomes = desk.apply(session, plan)
        refused = [f"{c.address}: {c.refusal}" for c in plan.refused]
        if any("which is deleted last" in text for text in refused) and attempt == "rerun":
            continue  # two ids and one name: the plan says to apply once more
        failed = [
            f"{i.change.address}: {i.message}" for i in outcomes if i.status is not Status.APPLIED
        ]
        ended["refused"] += bool(refused)
        left = desk.pending()
        if failed or (left and not refused):
            return [f"not healed by {process.name}: {failed} {left}"]
        if refused and not meddled and not _expected_refusal(plan):
            return [f"not healed by {process.name}: {refused}"]
        return []
    return []


def _repair(session: Session, address: str, keep: str) -> Plan:
    world = read_world(session)
    return plan_repair(compare(world), address, keep, world.lineage)


def _expected_refusal(plan: Plan) -> bool:
    """Another stack holds the name, or a protected object was to go."""
    reasons = [change.refusal.reason for change in plan.refused if change.refusal]
    words = (
        "belongs to stack",
        "exists and is not ours",
        "protected",
        "stated together with",
        "left of it",
    )
    return all(any(word in text for word in words) for text in reasons)


@pytest.mark.parametrize("first", range(FIRST, FIRST + RACES, _BLOCK))
def test_races(arena: Arena, first: int) -> None:
    ended: Counter[str] = Counter()
    seeds = range(first, min(first + _BLOCK, FIRST + RACES))
    for seed in seeds:
        broken, facts = race(arena, seed)
        ended += facts
        assert not broken, f"RECONCILE_LAW_RACE={seed} RECONCILE_LAW_RACES=1\n" + "\n".join(broken)
    print(f"\n{len(seeds)} interleavings from seed {first}: {dict(ended)}")
