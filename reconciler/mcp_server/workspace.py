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
from typing import Any

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
from reconciler.core.guards import Approval
from reconciler.core.outcome import Outcome
from reconciler.core.plan import Change, Plan
from reconciler.core.resource import Resource
from reconciler.core.selection import Selection, narrow
from reconciler.errors import ManifestError, ReconcileError, StalePlanError
from reconciler.mcp_server.lookup import Objects, document_of, require_known, require_planned
from reconciler.mcp_server.naming import delimited
from reconciler.planfile.reader import SavedPlan
from reconciler.planfile.staleness import Present, require_same
from reconciler.planfile.writer import render_json
from reconciler.render.explain import Explanation
from reconciler.render.model_text import sentence
from reconciler.workflow.apply import ApplyContext, apply_plan
from reconciler.workflow.opening import open_session
from reconciler.workflow.plan_request import ConfigLocation, PlanRequest
from reconciler.workflow.session import (
    Session,
    finish_plan,
    plan_everything,
    plan_session,
    read_config,
    read_world,
)
from reconciler.workflow.target_manifests import check_everything, read_every_target

log = logging.getLogger(__name__)

KEPT = 32
"""Plans, and whole answers, that stay readable as resources: the newest of each."""
EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan that a client was shown, to be compared with a fresh one, and all of it as JSON."""

    saved: SavedPlan
    document: str

    @property
    def plan(self) -> Plan:
        """The plan itself."""
        return self.saved.plan


class Workspace:
    """One project and target. Its methods may be called from several threads."""

    def __init__(self, place: ConfigLocation, target: str | None, parallelism: int) -> None:
        self._place = place
        self._target = target
        self._parallelism = parallelism
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._answers: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self._applying = threading.Lock()
        self._proposing = threading.Lock()
        self._stop = threading.Event()

    def validate(self) -> Sequence[Resource]:
        """Every resource of the manifests, read without network, credentials or variables."""
        found, _ = check_everything(read_config(self._place))
        return found

    def manifest(self, address: str) -> Any:
        """The document that states an address now; None if there is none."""
        config = read_config(self._place)
        try:
            found, _ = read_every_target(config)
        except ManifestError:  # a proposal is made from a commit: the work tree may be half done
            return None
        stated = next((item for item in found if item.key.address == address), None)
        return None if stated is None else document_of(config.root, stated)

    def plan(self, selection: Selection) -> Shown:
        """Make a plan and keep it under its digest."""
        request = self._request(selection)
        with open_session(request) as session:
            whole = plan_everything(session)
            require_known(whole, (*selection.only, *selection.exclude))
            chosen = narrow(whole, selection)
            return self._keep(finish_plan(whole, chosen, session, request), session, selection)

    def explain(self, address: str) -> tuple[Explanation, Change, Plan]:
        """Why one address would change. Raises `ReconcileError` for one that there is not."""
        request = self._request(EVERYTHING)
        with open_session(request) as session:
            plan = plan_session(session, request)
            require_planned(plan, address)
            return explain_address(plan, address, session), find_change(plan, address), plan

    def propose(self, manifest: Mapping[str, Any]) -> Proposal:
        """Commit one manifest to a new branch. Raises `ReconcileError`; no branch is made then."""
        with self._proposing:
            return propose_manifest(read_config(self._place), manifest, self._proposals())

    def propose_removal(self, address: str) -> Proposal:
        """Commit the removal of one manifest to a new branch. Raises `ReconcileError`."""
        with self._proposing:
            return propose_removal(read_config(self._place), address, self._proposals())

    def _proposals(self) -> AgentSettings:
        return make_settings({"mode": "gitops", "directory": self._place.directory})

    def objects(self) -> Objects:
        """The manifests' and the live side. Raises `ReconcileError` if a system cannot be read."""
        with open_session(self._request(EVERYTHING)) as session:
            world = read_world(session)
            for failure in world.failures:
                raise ReconcileError(failure.reason, where=failure.system, fix=failure.fix)
            name = {kind: item.name_ids for kind, item in session.providers.items()}
            return Objects(
                session.config.root,
                world.stack,
                tuple(replace(it, spec=name[it.key.kind](it.spec)) for it in world.desired),
                tuple(replace(it, spec=name[it.kind](it.spec)) for it in world.live),
            )

    def shown(self, digest: str) -> Shown | None:
        """The plan of this digest, if it was shown lately."""
        with self._lock:
            return self._shown.get(digest)

    def keep_answer(self, uri: str, text: str) -> None:
        """Keep a whole answer, to be read as a resource."""
        with self._lock:
            self._answers[uri] = text
            self._answers.move_to_end(uri)
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)

    def answer(self, uri: str) -> str | None:
        """The whole answer of this name, if it was kept lately."""
        with self._lock:
            return self._answers.get(uri)

    def digests(self) -> tuple[str, ...]:
        """The digests of the plans that were shown lately, newest first."""
        with self._lock:
            return tuple(reversed(self._shown))

    def apply(self, digest: str) -> tuple[Plan, tuple[Outcome, ...]]:
        """Carry out the plan of this digest, if that is what a fresh plan says as well.

        Raises `StalePlanError` that names every address that moved, and `ReconcileError`; nothing
        was written then.
        """
        shown = self.shown(digest)
        request = self._request(shown.saved.selection if shown else EVERYTHING)
        with self._applying, open_session(request) as session:
            whole = plan_everything(session)
            fresh = finish_plan(whole, narrow(whole, request.selection), session, request)
            if fresh.failures:
                failure = fresh.failures[0]
                raise ReconcileError(
                    "nothing was applied, because the plan is incomplete: "
                    f"{sentence(failure.reason)}",
                    where=failure.system,
                    fix=failure.fix or "call plan again when it can be read",
                )
            _require_same(digest, shown, fresh, session.header.description)
            context = ApplyContext(session.providers, session.executor, _Quiet(), self._stop)
            return fresh, apply_plan(fresh, context)

    def close(self) -> None:
        """Let no further write begin, and wait for those that have."""
        self._stop.set()
        with self._applying:
            log.debug("no write is under way")

    def _keep(self, plan: Plan, session: Session, selection: Selection) -> Shown:
        document = render_json(plan, session.header, datetime.now(UTC), __version__)
        head = session.header
        saved = SavedPlan(plan, head.description, head.commit, __version__, selection)
        shown = Shown(saved, document)
        with self._lock:
            self._shown[plan.digest()] = shown
            self._shown.move_to_end(plan.digest())
            while len(self._shown) > KEPT:
                self._shown.popitem(last=False)
        return shown

    def _request(self, selection: Selection) -> PlanRequest:
        # A model is no person: its patterns select, and approve nothing.
        selected = replace(selection, approves=False)
        return PlanRequest(self._place, self._target, selected, parallelism=self._parallelism)


def _require_same(digest: str, shown: Shown | None, fresh: Plan, description: str) -> None:
    """Raise `StalePlanError` unless this is the plan of that digest."""
    if shown is None:
        if fresh.digest() == digest:
            return
        raise StalePlanError(
            "nothing was applied: this server has shown no plan of that digest, and a fresh "
            f"plan of everything, with {len(fresh.pending)} changes to make, has another",
            where=digest,
            fix="call plan, have its result reviewed, and use the digest that it returns",
        )
    try:
        require_same(shown.saved, Present(fresh, description, __version__), Approval())
    except StalePlanError as error:
        _, *moved = error.what.splitlines()
        names = {item.address for plan in (shown.plan, fresh) for item in plan.changes}
        raise StalePlanError(
            "nothing was applied: the plan is no longer what was reviewed: "
            + "; ".join(delimited(line.strip(), names) for line in moved),
            where=digest,
            fix="call plan again, have its result reviewed, and use the new digest",
        ) from error


class _Quiet:
    """An observer that writes to the log alone: standard output belongs to the protocol."""

    def started(self, change: Change) -> None:
        log.info("%s: %s", change.address, change.action)

    def progressed(self, change: Change, line: str) -> None:
        log.debug("%s: %s", change.address, line)

    def finished(self, outcome: Outcome) -> None:
        log.info("%s: %s", outcome.change.address, outcome.status)
