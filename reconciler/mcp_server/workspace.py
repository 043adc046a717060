"""What the tools do: read the project anew for each call, keep the plans that were shown.

Manifests, configuration and live objects are read at every call, so nothing here is ever older
than the answer. A plan is carried out only if a fresh one has the digest that was asked for. No
approval of a guard can be given from here: that takes a person at the command line.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from reconciler import __version__
from reconciler.agent import (
    AgentSettings,
    Proposal,
    explain_address,
    find_change,
    propose_manifest,
    propose_removal,
)
from reconciler.agent.settings import make_settings
from reconciler.core.outcome import Outcome
from reconciler.core.plan import Change, Plan
from reconciler.core.planned import Planned
from reconciler.core.resource import Resource
from reconciler.core.selection import Selection
from reconciler.errors import ManifestError, ReconcileError, StalePlanError, UnknownAddressError
from reconciler.mcp_server.lookup import Objects, document_of, no_such_address, require_planned
from reconciler.planfile.reader import SavedPlan
from reconciler.planfile.writer import render_json
from reconciler.render.explain import Explanation
from reconciler.render.model_text import delimited, sentence
from reconciler.workflow.apply import ApplyContext, LogObserver, apply_plan
from reconciler.workflow.opening import open_config, open_session
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.planning import plan_for, read_world
from reconciler.workflow.session import read_config
from reconciler.workflow.target_manifests import check_everything

log = logging.getLogger(__name__)
Kept = TypeVar("Kept")

KEPT = 32
"""Plans, and whole answers, that stay readable as resources: the newest of each."""


class _Newest(OrderedDict[str, Kept]):
    """The newest entries; what is put in once more is new again."""

    def put(self, name: str, value: Kept) -> None:
        self[name] = value
        self.move_to_end(name)
        while len(self) > KEPT:
            self.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan that a client was shown, to be compared with a fresh one, and all of it as JSON."""

    saved: SavedPlan
    document: str

    @property
    def plan(self) -> Plan:
        return self.saved.plan


class Workspace:
    """One project and target. Its methods may be called from several threads.

    `asked` holds for every plan: the project, the target, the ref of a trusted configuration. A
    model's patterns select changes but approve none.
    """

    def __init__(self, asked: PlanRequest) -> None:
        self._asked = replace(asked, selection=Selection(approves=False))
        self._shown = _Newest[Shown]()
        self._answers = _Newest[str]()
        self._lock = threading.Lock()
        self._applying = threading.Lock()
        self._proposing = threading.Lock()
        self._stop = threading.Event()

    def validate(self) -> Sequence[Resource]:
        """Every resource of the manifests, read without network, credentials or variables."""
        found, _ = check_everything(read_config(self._asked.place))
        return found

    def manifest(self, address: str) -> Any:
        """The document that states an address now; None if there is none."""
        config = read_config(self._asked.place)
        try:
            found, _ = check_everything(config)
        except ManifestError:  # a proposal is made from a commit: the work tree may be half done
            return None
        stated = next((item for item in found if item.key.address == address), None)
        return None if stated is None else document_of(config.root, stated)

    def plan(self, only: Sequence[str], exclude: Sequence[str], since: str | None) -> Shown:
        """Make a plan and keep it under its digest."""
        selection = Selection(tuple(only), tuple(exclude), approves=False)
        request = replace(self._asked, selection=selection, since=since)
        with open_session(request) as session:
            try:
                return self._keep(plan_for(session, request))
            except UnknownAddressError as error:
                raise no_such_address(error.word, error.known, error.what) from error

    def explain(self, address: str, since: str | None) -> tuple[Explanation, Change, Plan]:
        """Why one address would change. Raises `ReconcileError` for one that there is not."""
        request = replace(self._asked, since=since)
        with open_session(request) as session:
            planned = plan_for(session, request)
            plan = planned.plan
            require_planned(plan, address)
            return explain_address(planned, address, session), find_change(plan, address), plan

    def propose(self, manifest: Mapping[str, Any]) -> Proposal:
        """Commit one manifest to a new branch. Raises `ReconcileError`; no branch is made then."""
        with self._proposing, open_config(self._asked) as trusted:
            return propose_manifest(trusted.config, manifest, self._proposals())

    def propose_removal(self, address: str) -> Proposal:
        """Commit the removal of one manifest to a new branch. Raises `ReconcileError`."""
        with self._proposing, open_config(self._asked) as trusted:
            return propose_removal(trusted.config, address, self._proposals())

    def _proposals(self) -> AgentSettings:
        return make_settings({"mode": "gitops", "directory": self._asked.place.directory})

    def objects(self) -> Objects:
        """The manifests' and the live side. Raises `ReconcileError` if a system cannot be read."""
        with open_session(self._asked) as session:
            world = read_world(session)
            for failure in world.failures:
                raise ReconcileError(failure.reason, where=failure.system, fix=failure.fix)
            return Objects(
                session.config.root,
                world.stack,
                tuple(world.desired),
                tuple(world.live),
            )

    def shown(self, digest: str) -> Shown | None:
        """The plan of this digest, if it was shown lately."""
        with self._lock:
            return self._shown.get(digest)

    def keep_answer(self, uri: str, text: str) -> None:
        """Keep a whole answer, to be read as a resource."""
        with self._lock:
            self._answers.put(uri, text)

    def answer(self, uri: str) -> str | None:
        """The whole answer of this name, if it was kept lately."""
        with self._lock:
            return self._answers.get(uri)

    def digests(self) -> tuple[str, ...]:
        """The digests of the plans that were shown lately, newest first."""
        with self._lock:
            return tuple(reversed(self._shown))

    def apply(self, digest: str) -> tuple[Plan, tuple[Outcome, ...]]:
        """Carry out the plan of this digest, if a fresh plan has the same.

        Raises `StalePlanError` that names every address that moved, or `ReconcileError`; then
        nothing was written.
        """
        shown = self.shown(digest)
        with self._applying, open_session(self._asked) as session:
            try:
                fresh = plan_for(session, self._asked, shown.saved if shown else None).plan
            except StalePlanError as error:
                raise _moved(error, digest) from error
            if fresh.failures:
                failure = fresh.failures[0]
                raise ReconcileError(
                    "nothing was applied, because the plan is incomplete: "
                    f"{sentence(failure.reason)}",
                    where=failure.system,
                    fix=failure.fix or "call plan again when it can be read",
                )
            if shown is None and fresh.digest() != digest:
                raise _never_shown(fresh, digest)
            context = ApplyContext(
                session.providers, session.executor, LogObserver(logging.INFO), self._stop
            )
            return fresh, apply_plan(fresh, context)

    def close(self) -> None:
        """Let no further write begin, and wait for those that have."""
        self._stop.set()
        with self._applying:
            log.debug("no write is under way")

    def _keep(self, planned: Planned) -> Shown:
        plan, header = planned.plan, planned.header
        document = render_json(plan, header, datetime.now(UTC), __version__)
        shown = Shown(SavedPlan(plan, header, __version__), document)
        with self._lock:
            self._shown.put(plan.digest(), shown)
        return shown


def _moved(error: StalePlanError, digest: str) -> StalePlanError:
    """The same, for a model: each name that others gave is delimited."""
    _, *moved = error.what.splitlines()
    return StalePlanError(
        "nothing was applied: the plan is no longer what was reviewed: "
        + "; ".join(delimited(line.strip(), error.names) for line in moved),
        where=digest,
        fix="call plan again, have its result reviewed, and use the new digest",
    )


def _never_shown(fresh: Plan, digest: str) -> StalePlanError:
    return StalePlanError(
        "nothing was applied: this server has shown no plan of that digest, and a fresh "
        f"plan of everything, with {len(fresh.pending)} changes to make, has another",
        where=digest,
        fix="call plan, have its result reviewed, and use the digest that it returns",
    )
