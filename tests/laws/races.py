"""Several processes against one control plane, request by request in an order that a seed decides.

Each process is a session with a fault proxy of its own. A `Turnstile` holds every request back
until all processes wait at it or have ended, and lets one through: so a seed stands for one
interleaving of requests, faults and edits of other people, and runs it again.
"""

import json
import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan
from reconciler.errors import ReconcileError
from tests.faults.proxy import Fault, FaultProxy, Kind
from tests.laws.stage import KINDS, Desk, Row, Stage, normal

FAULTS = (
    Fault(Kind.RESET),
    Fault(Kind.RESET, after=True),
    Fault(Kind.STATUS, status=503),
    Fault(Kind.STATUS, status=503, after=True),
    Fault(Kind.STATUS, status=429),
    Fault(Kind.STATUS, status=400),
    Fault(Kind.CUT, after=True),
    Fault(Kind.HTML, status=200, after=True),
    Fault(Kind.HTML, status=502),
)
_DOWN = Fault(Kind.STATUS, status=503)

Lives = Mapping[str, tuple[str, ...]]
"""By kind and hash of the id: the assets of a stack, without ids and dates, leftovers aside."""


def lives(rows: Iterable[Row], stack: str) -> Lives:
    """What bears the marks of a stack."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if (mark := row.mark) and mark.stack == stack and not mark.deposed:
            found.setdefault(f"{row.kind} {mark.id_hash}", []).append(row)
    return {key: tuple(normal(same)) for key, same in found.items()}


class Sight(NamedTuple):
    """What was there when a process listed a kind. `writes`: how many it had sent before."""

    word: str
    writes: int
    rows: list[Row]


@dataclass
class Process:
    """One apply, and what it sees and does. Once `killed` nothing of it gets through."""

    name: str
    desk: Desk
    stack: str
    proxy: FaultProxy
    plan: Plan | None = None
    outcomes: tuple[Outcome, ...] = ()
    error: BaseException | None = None
    killed: bool = False
    down: int = 0
    faults: list[str] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    planned: dict[str, set[Row]] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    looked: tuple[str, Row | None] = ("", None)
    writes: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """Plan and apply, with every destroy approved."""
        with self.desk.session(self.proxy.base_url) as session:
            plan = self.desk.plan(session)
            self.plan = plan
            if not plan.failures:
                self.outcomes = self.desk.apply(session, plan)

    @property
    def complete(self) -> bool:
        """Whether the command would say `Apply complete!`, or that there is nothing to do."""
        plan = self.plan
        if plan is None or self.killed or plan.failures or plan.refused:
            return False
        return all(item.status is Status.APPLIED for item in self.outcomes)

    def see(self, word: str, rows: list[Row]) -> None:
        """It lists a kind; before its first write that is what it plans with."""
        self.sights.append(Sight(word, self.writes.get(word, 0), rows))
        if not any(self.writes.values()):
            for row in rows:
                self.planned.setdefault(row.id, set()).add(row)

    def leave(self, rows: Iterable[Row]) -> None:
        """It has just written these."""
        self.left |= {row.id + normal([row])[0] for row in rows}

    def describe(self) -> str:
        """How it ended, on one line."""
        refused = [f"{c.address}: {c.refusal}" for c in self.plan.refused] if self.plan else []
        ends = [
            f"{i.change.address} {i.change.action} {i.status}: {i.message}" for i in self.outcomes
        ]
        flags = ["killed"] if self.killed else []
        return f"{self.name}: {'; '.join(flags + self.faults + refused + ends)}"


Strike = Callable[[Process, str, str], Fault | None]
"""What happens to a request of a process, given its method and target."""


class Turnstile:
    """Lets requests through one by one. `plan` gives the fault of the n-th request."""

    def __init__(
        self,
        stage: Stage,
        chance: random.Random,
        plan: Mapping[int, Strike],
        edits: list[Callable[[], str]],
    ) -> None:
        self.violations: list[str] = []
        self.log: list[str] = []
        self._stage, self._chance, self._plan, self._edits = stage, chance, plan, edits
        self._processes: list[Process] = []
        self._moved = threading.Condition()
        self._waiting: dict[str, tuple[Process, str, str]] = {}
        self._granted: dict[str, Fault | None] = {}
        self._running: set[str] = set()
        self._after: Callable[[], None] = lambda: None

    def run(self, processes: list[Process]) -> None:
        """All of them, to their ends."""
        self._processes = processes
        self._running = {item.name for item in processes}
        threads = [threading.Thread(target=self._work, args=(item,)) for item in processes]
        for process, thread in zip(processes, threads, strict=True):
            process.proxy.rule = lambda _n, method, target, it=process: self._arrive(
                it, method, target
            )
            thread.start()
        number = 0
        while self._wait_for_all():
            self._after()
            self._after = lambda: None
            names = sorted(self._waiting)
            if self._edits and self._chance.random() < 0.15:
                self.log.append(self._edits.pop(0)())
                continue
            number += 1
            self._let_through(self._chance.choice(names), number)
        self._after()
        for thread in threads:
            thread.join()

    def _work(self, process: Process) -> None:
        try:
            process.run()
        except ReconcileError as error:  # the end of a command that has written nothing
            process.error = error if process.writes else None
        except Exception as error:  # noqa: BLE001  (told as a violation)
            process.error = error
        with self._moved:
            self._running.discard(process.name)
            self._moved.notify_all()

    def _arrive(self, process: Process, method: str, target: str) -> Fault | None:
        if target.endswith("/token"):
            return None
        with self._moved:
            self._waiting[process.name] = process, method, target
            self._running.discard(process.name)
            self._moved.notify_all()
            self._moved.wait_for(lambda: process.name in self._granted)
            return self._granted.pop(process.name)

    def _wait_for_all(self) -> bool:
        """Until nobody runs; whether anybody waits."""
        with self._moved:
            assert self._moved.wait_for(lambda: not self._running, 300), self.log
            return bool(self._waiting)

    def _let_through(self, name: str, number: int) -> None:
        process, method, target = self._waiting.pop(name)
        fault = self._fault(process, number, method, target)
        struck = "" if fault is None else f" {fault.kind}{'+' if fault.after else ''}"
        self.log.append(f"{name}: {method} {target}{struck}")
        if struck:
            process.faults.append(f"{method} {target.rpartition('/')[2]}{struck}")
        self._look(process, method, target, fault)
        with self._moved:
            self._running.add(name)
            self._granted[name] = fault
            self._moved.notify_all()

    def _fault(self, process: Process, number: int, method: str, target: str) -> Fault | None:
        if process.killed:
            return Fault(Kind.RESET)
        if process.down:
            process.down -= 1
            return _DOWN
        strike = self._plan.get(number)
        return strike(process, method, target) if strike else None

    def _look(self, process: Process, method: str, target: str, fault: Fault | None) -> None:
        """Note what this process sees now, and check that what it writes is what it saw."""
        rows = self._stage.rows()
        parts, _, query = target.partition("?")
        word, uid = [*parts.split("/")[4:], "", ""][:2]
        if word not in KINDS:
            return
        there = {row.id: row for row in rows}
        looked, process.looked = process.looked, ("", None)
        if method == "GET":
            if uid:
                process.looked = uid, there.get(uid)
            elif "name=" not in query and (fault is None or fault.kind is Kind.BODY):
                process.see(word, rows)
            return
        if method in ("PUT", "DELETE"):
            self._check(process, f"{method} {uid}", looked, uid)
        if fault is None or fault.after:
            process.writes[word] = process.writes.get(word, 0) + (method in ("POST", "PUT"))
            new = (
                (lambda row: row.id not in there)
                if method == "POST"
                else (lambda row: row.id == uid)
            )
            self._after = lambda: process.leave(filter(new, self._stage.rows()))

    def _check(self, process: Process, what: str, looked: tuple[str, Row | None], uid: str) -> None:
        row = looked[1]
        if looked[0] != uid:
            self.violations.append(f"{process.name}: {what} without a look right before")
        elif row not in process.planned.get(uid, ()) and not self._is_left(process, row):
            self.violations.append(f"{process.name}: {what} was changed since the plan")
        elif row is not None:
            self._check_owner(process, what, row)

    def _is_left(self, process: Process, row: Row | None) -> bool:
        """Whether an asset is as this process left it, or would have.

        Others of its commit leave the same; so does every replacement of the stack, and whoever
        undoes one.
        """
        if row is None:
            return False
        content = row.id + normal([row])[0]
        deposed = row.mark is not None and row.mark.deposed is not None
        planned = process.planned.get(row.id, ())
        common = deposed or content in {row.id + normal([item])[0] for item in planned}
        return any(
            content in item.left
            for item in self._processes
            if item.desk is process.desk or (common and item.stack == process.stack)
        )

    def _check_owner(self, process: Process, what: str, row: Row) -> None:
        mark, made = row.mark, self._is_left(process, row)
        if mark is not None and mark.stack != process.stack:
            self.violations.append(f"{process.name}: {what} of another stack")
        if mark is None and what.startswith("DELETE"):
            self.violations.append(f"{process.name}: {what}, which is not ours")
        if mark is not None and mark.protect and what.startswith("DELETE") and not made:
            self.violations.append(f"{process.name}: {what}, which is protected")


def strike(fault: Fault) -> Strike:
    """This fault."""
    return lambda _process, _method, _target: fault


def kill(fault: Fault | None) -> Strike:
    """The process ends at this request; nothing goes through any more."""

    def end(process: Process, _method: str, _target: str) -> Fault | None:
        process.killed = True
        return fault

    return end


def go_down(requests: int) -> Strike:
    """The control plane does this request, loses the answer, and answers no more for a while."""

    def end(process: Process, _method: str, _target: str) -> Fault | None:
        process.down = requests
        return Fault(Kind.RESET, after=True)

    return end


def lack(stage: Stage) -> Strike:
    """A replica that is behind: a list before the first write lacks the assets of our stacks."""

    def shorten(process: Process, method: str, target: str) -> Fault | None:
        if method != "GET" or target.count("/") > 4 or any(process.writes.values()):
            return None
        if target.rsplit("/", 1)[-1] not in KINDS:
            return None
        data: Any = stage.client().call_api("GET", target).data
        ours = [item for item in data["entries"] if "[reconcile:" in json.dumps(item["meta"])]
        kept = [item for item in data["entries"] if item not in ours]
        return Fault(Kind.BODY, status=200, body={"entries": kept})

    return shorten
