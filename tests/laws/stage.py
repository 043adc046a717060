"""A sandbox that can be set, read and compared behind its back, and sessions against it.

A `Stage` is one database that several servers (one for each behaviour) may serve. A `Desk` is a
directory of manifests from which plans are made and applied as the command line does it, with the
real loader, provider and HTTP; only the waiting is shorter, through the seams of the provider.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml

from reconciler.cli.place import Globals
from reconciler.config import resolve_target
from reconciler.core.guards import Approval
from reconciler.core.header import Header
from reconciler.core.mark import Mark
from reconciler.core.outcome import Outcome, Status
from reconciler.core.ownership import Holder, read_mark
from reconciler.core.plan import Change, Plan
from reconciler.core.selection import Selection
from reconciler.providers.runai.client import Client
from reconciler.providers.runai.connection import Connection, Credentials
from reconciler.providers.runai.system import Login, RunaiSystem
from reconciler.sandbox import Behaviour, Endpoint, SandboxServer
from reconciler.support.threads import ThreadExecutor
from reconciler.workflow.apply import ApplyContext, apply_plan
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.planning import plan_for
from reconciler.workflow.session import Session, read_config
from reconciler.workflow.target_manifests import read_manifests

STACK = "ml-platform"
OTHER_STACK = "others"
KINDS = {"environment": "RunaiEnvironment", "compute": "RunaiCompute"}
_BOOKKEEPING = frozenset(
    {"id", "createdAt", "createdBy", "updatedAt", "updatedBy", "updateCount", "tenantId", "kind"}
)


class Row(NamedTuple):
    """One asset as the database holds it."""

    seq: int
    id: str
    kind: str
    name: str
    scope: str
    scope_id: str
    first_name: str
    body: str

    @property
    def mark(self) -> Mark | None:
        """The mark of ownership that counts, whatever the stack."""
        meta = json.loads(self.body)["meta"]
        holder = Holder(KINDS[self.kind], self.scope, self.scope_id, self.name)
        return read_mark(meta.get("description"), holder).mark

    @property
    def ours(self) -> bool:
        mark = self.mark
        return mark is not None and mark.stack == STACK


class Stage:
    """The assets of one sandbox database. Servers over it are started when first asked for."""

    def __init__(self, directory: Path, seed: Path | None = None, timeout: float = 10) -> None:
        self.database = directory / "sandbox.db"
        self._seed = seed
        self._timeout = timeout
        self.server: SandboxServer
        self.endpoint: Endpoint
        self.lag = 0.0
        self._servers: dict[Behaviour, tuple[SandboxServer, Endpoint]] = {}
        self._clients: dict[str, Client] = {}
        self._open = ExitStack()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Short: Hypothesis would print all attributes, and refuse to, instead of the failure."""
        return f"Stage({str(self.database)!r})"

    def __enter__(self) -> Self:
        self.behave(Behaviour())
        connection = sqlite3.connect(
            self.database, timeout=10, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = OFF")
        self._rows = self._open.enter_context(closing(connection))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def behave(self, behaviour: Behaviour) -> None:
        """Let the stage be served by a server of this behaviour from now on."""
        if behaviour not in self._servers:
            server = SandboxServer(self.database, seed=self._seed, behaviour=behaviour)
            self._servers[behaviour] = server, self._open.enter_context(server)
        self.server, self.endpoint = self._servers[behaviour]
        self.lag = behaviour.visibility_lag

    def client(self, base_url: str | None = None) -> Client:
        """A logged-in client of the present server or a proxy, one for all sessions."""
        url = base_url or self.endpoint.base_url
        if url not in self._clients:
            made = Client(self.connection(url))
            self._open.callback(made.close)
            self._clients[url] = made
        return self._clients[url]

    def forget_logins(self) -> None:
        """Let the next sessions log in anew."""
        self._clients.clear()

    def connection(self, base_url: str) -> Connection:
        """How to talk to the present server, or to a proxy in front of it, in a hurry."""
        return Connection(
            base_url=base_url,
            credentials=Credentials(self.endpoint.client_id, self.endpoint.client_secret),
            timeout=self._timeout,
            read_attempts=3,
            first_pause=0.002,
            longest_pause=0.01,
        )

    def rows(self) -> list[Row]:
        """Every asset that is not built in, in the order of creation."""
        query = f"SELECT {', '.join(Row._fields)} FROM asset WHERE scope != 'system' ORDER BY seq"
        with self._lock:
            return [Row(*row) for row in self._rows.execute(query)]

    def restore(self, rows: Iterable[Row] = ()) -> None:
        """Hold exactly these assets, with the ids they had."""
        marks = ", ".join("?" * len(Row._fields))
        insert = f"INSERT INTO asset ({', '.join(Row._fields)}) VALUES ({marks})"
        with self._lock:
            self._rows.execute("BEGIN IMMEDIATE")
            self._rows.execute("DELETE FROM asset WHERE scope != 'system'")
            self._rows.execute("DELETE FROM outdated")
            self._rows.executemany(insert, rows)
            self._rows.execute("COMMIT")

    def state(self) -> list[str]:
        """What there is, without ids and dates: two runs with the same effect give the same."""
        return normal(self.rows())

    def foreign(self) -> dict[str, Row]:
        """By id, every asset that is not owned by our stack."""
        return {row.id: row for row in self.rows() if not row.ours}


def normal(rows: Iterable[Row]) -> list[str]:
    """Assets without what differs from run to run, sorted."""
    return sorted(
        f"{row.kind} {row.scope} {row.scope_id} {row.name}: {_without_bookkeeping(row.body)}"
        for row in rows
    )


def _without_bookkeeping(body: str) -> str:
    document = json.loads(body)
    meta = {name: value for name, value in document["meta"].items() if name not in _BOOKKEEPING}
    return json.dumps({"meta": meta, "spec": document["spec"]}, sort_keys=True)


class Ledger:
    """An observer that counts what it is told, and may set `stop` at one of the events."""

    def __init__(self, stop: threading.Event | None = None, at: int = 0) -> None:
        self.finishes: list[Outcome] = []
        self.starts: list[Change] = []
        self._stop = stop
        self._at = at
        self._events = 0
        self._lock = threading.Lock()

    def started(self, change: Change) -> None:
        with self._lock:
            self.starts.append(change)
            self._count()

    def progressed(self, change: Change, line: str) -> None:
        with self._lock:
            self._count()

    def finished(self, outcome: Outcome) -> None:
        with self._lock:
            self.finishes.append(outcome)
            self._count()

    def _count(self) -> None:
        self._events += 1
        if self._stop is not None and self._events == self._at:
            self._stop.set()


@dataclass
class Desk:
    """A directory of manifests against a stage. `patience` is in seconds."""

    stage: Stage
    directory: Path
    patience: float = 0.15
    parallelism: int = 1

    def __post_init__(self) -> None:
        (self.directory / "manifests").mkdir(parents=True, exist_ok=True)
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Write reconciler.yaml; `changes` are merged over its top level."""
        target = {"runai": {"base_url": "http://127.0.0.1:1", "token": {"env": "BEARER"}}}
        config = {
            "apiVersion": "reconciler/v1",
            "stack": STACK,
            "default_target": "live",
            "targets": {"live": target},
            **changes,
        }
        (self.directory / "reconciler.yaml").write_text(yaml.safe_dump(config))

    def write(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """State these documents, and nothing else, in one file."""
        text = yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False)
        (self.directory / "manifests" / "all.yaml").write_text(text)

    @contextmanager
    def session(self, base_url: str | None = None) -> Iterator[Session]:
        """An open session, through `base_url` if it is given."""
        place = Globals(self.directory, None, colour=False)
        config = read_config(place)
        target = replace(resolve_target(config, None, {"BEARER": "unused"}), timeout=self.patience)
        resources = read_manifests(config, target)
        login = Login(lambda: self.stage.client(base_url))
        providers = {item.traits.name: item for item in RunaiSystem(target, login)}
        executor = ThreadExecutor(self.parallelism)
        header = Header(target.name, "a stage", "")
        yield Session(config, target, resources, providers, executor, header)

    def plan(self, session: Session, only: Sequence[str] = (), **approved: Any) -> Plan:
        """The plan of a session."""
        place = Globals(self.directory, None, colour=False)
        approval, selection = Approval(**approved), Selection(tuple(only))
        options = PlanRequest(place, None, selection, approval, self.parallelism)
        return plan_for(session, options).plan

    def apply(
        self,
        session: Session,
        plan: Plan,
        ledger: Ledger | None = None,
        stop: threading.Event | None = None,
    ) -> tuple[Outcome, ...]:
        """Carry a plan out, and check law 10: one outcome for every pending change."""
        ledger = ledger or Ledger()
        context = ApplyContext(
            session.providers, session.executor, ledger, stop or threading.Event()
        )
        outcomes = apply_plan(plan, context)
        expected = [change.address for change in plan.pending]
        assert [item.change.address for item in outcomes] == expected
        assert sorted(item.change.address for item in ledger.finishes) == sorted(expected)
        return outcomes

    def converge(self, **approved: Any) -> tuple[Outcome, ...]:
        """Plan and apply without faults; everything has to succeed."""
        with self.session() as session:
            plan = self.plan(session, **approved)
            assert not plan.failures
            assert not plan.refused, [item.refusal for item in plan.refused]
            outcomes = self.apply(session, plan)
        unfinished = [item for item in outcomes if item.status is not Status.APPLIED]
        assert not unfinished, "\n".join(f"{i.change.address}: {i.message}" for i in unfinished)
        return outcomes

    def pending(self) -> dict[str, str]:
        """Address -> action of a fresh plan, refused changes too."""
        with self.session() as session:
            plan = self.plan(session)
        return {item.address: item.action.value for item in (*plan.pending, *plan.refused)}
