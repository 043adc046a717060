"""A small live system over real HTTP, its kinds, and their provider: what traits of kinds promise.

The system refuses two objects of a kind with one name, and to delete what another object holds the
id of. The client may be killed at any request: before it is sent, or after it was carried out.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from reconciler.core.diff import diff_specs
from reconciler.core.guards import Approval, GuardRules, guard
from reconciler.core.mark import Mark, deposed_digits
from reconciler.core.outcome import Outcome
from reconciler.core.ownership import desired_mark
from reconciler.core.plan import Action, Change, Plan
from reconciler.core.planner import PlanInput, make_plan
from reconciler.core.references import references
from reconciler.core.resource import (
    KindTraits,
    LiveResource,
    Made,
    Reference,
    Replacement,
    Resource,
    ResourceKey,
    Source,
    reveal,
)
from reconciler.errors import ConflictError, NotConvergedError, ProviderError
from reconciler.providers.base import Progress, Provider, Providers
from reconciler.support.threads import Result
from reconciler.workflow.apply import ApplyContext, LogObserver, apply_plan
from reconciler.workflow.read_live import read_all

STACK = "depot"
KEY = b"the key of the target"
KINDS = {
    traits.name: traits
    for traits in (
        KindTraits(
            "Shelf",
            frozenset({"hall"}),
            ("name",),
            0,
            replacement=Replacement.DELETE_FIRST,
            marked=False,
        ),
        KindTraits("Crate", frozenset({"size"}), ("name",), 10),
        KindTraits("Label", frozenset({"colour"}), ("name",), 30),
        KindTraits("Index", frozenset(), ("name",), 40),
        KindTraits("Login", frozenset(), ("name",), 10, write_only=frozenset({"password", "pin"})),
        KindTraits("Badge", frozenset({"code"}), ("name",), 10, write_only=frozenset({"code"})),
        KindTraits(
            "Vat",
            frozenset({"size"}),
            ("name",),
            20,
            replacement=Replacement.DELETE_FIRST,
            destroys="what is in it",
        ),
    )
}
Table = dict[str, dict[str, Any]]


class KilledError(BaseException):
    """The process ends here."""


class Depot(ThreadingHTTPServer):
    """Tables of objects by kind and id."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tables: dict[str, Table] = {kind: {} for kind in KINDS}
        self._made = 0
        self.refused = ""
        """A kind of which nothing can be written for now."""

    def make(self, kind: str, body: dict[str, Any]) -> str:
        """Put an object there, as a person does."""
        self._made += 1
        uid = f"{kind.lower()}-{self._made}"
        self.tables[kind][uid] = body
        return uid

    def names(self, kind: str) -> dict[str, Any]:
        """The objects by name, as they are, without ids."""
        return {body["name"]: body for body in self.tables[kind].values()}

    def carry_out(self, method: str, kind: str, uid: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The status and the answer of one request."""
        table = self.tables[kind]
        if method == "GET":
            hidden = KINDS[kind].write_only
            rows = [{**body, "id": u, "serial": _serial(u)} for u, body in table.items()]
            return 200, [{k: v for k, v in row.items() if k not in hidden} for row in rows]
        if kind == self.refused:
            return 503, {}
        if method in ("PUT", "DELETE") and uid not in table:
            return 404, {}
        if method == "DELETE":
            others = [one for rows in self.tables.values() for one in rows.values()]
            if any(f'"{uid}"' in json.dumps(one) for one in others):
                return 412, {}
            del table[uid]
            return 204, {}
        if any(one["name"] == body["name"] and key != uid for key, one in table.items()):
            return 409, {}
        if method == "POST":
            made = self.make(kind, body)
            return 201, {"id": made, "serial": _serial(made)}
        table[uid] = body
        return 200, {}


def _serial(uid: str) -> str:
    """What the system tells of an object besides its id."""
    return f"serial of {uid}"


class _Handler(BaseHTTPRequestHandler):
    server: Depot
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        _, kind, *uid = self.path.split("/")
        status, answer = self.server.carry_out(self.command, kind, "".join(uid), body)
        data = json.dumps(answer).encode() if status != 204 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  (the names that http.server asks for)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Client:
    """Sends requests; is killed at one of them, `after` it was carried out or before."""

    def __init__(self, depot: Depot, kill_at: int = 0, *, after: bool = False) -> None:
        self._address = depot.server_address[:2]
        self._kill_at, self._after = kill_at, after
        self.sent = 0

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self.sent += 1
        if self.sent == self._kill_at and not self._after:
            raise KilledError
        connection = HTTPConnection(str(self._address[0]), int(self._address[1]), timeout=30)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if self.sent == self._kill_at:
            raise KilledError
        if answer.status >= 400:
            raise ConflictError(f"{method} {path}: {answer.status}")
        return json.loads(data) if data else None


class InTurn:
    """Runs tasks one after the other, on this thread: what is killed does nothing more."""

    def run(self, tasks: Sequence[Callable[[], Result]]) -> Iterator[tuple[int, Result]]:
        """See `Executor.run`."""
        yield from ((number, task()) for number, task in enumerate(tasks))


class DepotProvider(Provider):
    """One kind of the depot. A mark is a field of an object; unmarked kinds have none."""

    system = "depot"

    def __init__(self, traits: KindTraits, client: Client) -> None:
        self.traits = traits
        self._client = client
        self._path = f"/{traits.name}"

    def resolve(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        return resources

    def read(self) -> Sequence[LiveResource]:
        return [self._read(row) for row in self._client.call("GET", self._path)]

    def _read(self, row: Mapping[str, Any]) -> LiveResource:
        spec = {name: value for name, value in row.items() if name not in ("id", "serial", "mark")}
        mark = Mark(**row["mark"]) if "mark" in row else None
        outputs = {"serial": row["serial"]}
        return LiveResource(self.traits.name, row["id"], row["name"], spec, mark, outputs=outputs)

    def usage(self, live: Sequence[LiveResource]) -> Mapping[str, tuple[str, ...]]:
        return {}

    def write(self, change: Change, progress: Progress) -> str:
        live, desired = change.live, change.desired
        if change.action is Action.DELETE:
            assert live is not None
            self._client.call("DELETE", f"{self._path}/{live.uid}")
            return live.uid
        assert desired is not None
        body = self._body(desired)
        if change.action in (Action.UPDATE, Action.ADOPT):
            assert live is not None
            self._client.call("PUT", f"{self._path}/{live.uid}", body)
            return live.uid
        if change.action is Action.REPLACE:
            assert live is not None
            self._depose(live)
        answer = self._client.call("POST", self._path, body)
        return Made(answer["id"], {"serial": answer["serial"]})

    def _depose(self, live: LiveResource) -> None:
        assert live.mark is not None
        digits = deposed_digits(live.uid)
        old = {**live.spec, "name": f"{live.name}-replaced-{digits}"}
        mark = {**_fields(live.mark), "deposed": digits, "protect": False}
        self._client.call("PUT", f"{self._path}/{live.uid}", {**old, "mark": mark})

    def _body(self, desired: Resource) -> dict[str, Any]:
        body: dict[str, Any] = dict(reveal(desired.spec))
        if self.traits.marked:
            body["mark"] = _fields(desired_mark(desired, STACK))
        return body

    def settle(
        self, changes: Sequence[Change], uids: Mapping[str, str]
    ) -> Mapping[str, ProviderError]:
        live = {item.uid: item for item in self.read()}
        wrong = {
            change.address: self._fault(change, live.get(uids[change.address]))
            for change in changes
        }
        return {address: NotConvergedError(text) for address, text in wrong.items() if text}

    def _fault(self, change: Change, found: LiveResource | None) -> str:
        if change.action is Action.DELETE:
            return "still there" if found else ""
        assert change.desired is not None
        if found is None:
            return "not there"
        wanted = self.traits.readable(change.desired.spec)
        names = [item.name for item in diff_specs(found.spec, wanted, self.traits.immutable)]
        if self.traits.marked and found.mark != desired_mark(change.desired, STACK):
            names.append("its mark")
        return ", ".join(names)


def _fields(mark: Mark) -> dict[str, Any]:
    return {
        "stack": mark.stack,
        "id_hash": mark.id_hash,
        "protect": mark.protect,
        "secrets": mark.secrets,
        "fingerprint": mark.fingerprint,
        "deposed": mark.deposed,
    }


@contextmanager
def running() -> Iterator[Depot]:
    """A depot that answers until the block ends."""
    depot = Depot()
    thread = threading.Thread(target=depot.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield depot
    finally:
        depot.shutdown()
        thread.join()
        depot.server_close()


def stated(address: str, spec: Mapping[str, Any] | None = None, **rest: Any) -> Resource:
    """A manifest of the depot."""
    kind, _, name = address.partition(".")
    key = ResourceKey(kind, name)
    spec = {"name": name, **(spec or {})}
    needed = tuple(dict.fromkeys(found.key for _, found in references(spec)))
    return Resource(key, spec, Source("depot.yaml", 1), depends_on=needed, **rest)


def ref(address: str, output: str = "id") -> Reference:
    """What another object of the depot will be known by."""
    kind, _, name = address.partition(".")
    return Reference(ResourceKey(kind, name), output)


def providers_of(client: Client) -> Providers:
    return {name: DepotProvider(traits, client) for name, traits in KINDS.items()}


def plan_on(depot: Depot, desired: Sequence[Resource], key: bytes | None = KEY) -> Plan:
    """What applying these manifests would do."""
    providers = providers_of(Client(depot))
    reading = read_all(desired, providers, InTurn())
    world = PlanInput("depot", STACK, reading.desired, reading.live, KINDS, fingerprint_key=key)
    plan = make_plan(world)
    return guard(plan, GuardRules(max_deletes=100, max_delete_percent=100), Approval())


def apply_on(depot: Depot, desired: Sequence[Resource], client: Client) -> tuple[Outcome, ...]:
    """Plan and apply. Raises `KilledError` where the client is killed."""
    plan = plan_on(depot, desired)
    context = ApplyContext(providers_of(client), InTurn(), LogObserver())
    return apply_plan(plan, context)
