"""A sandbox, and plans and applies of manifests against it: the real loader, SDK and HTTP."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import SecretStr

from reconciler.config import Target, resolve_target
from reconciler.core.header import Header
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan
from reconciler.core.resource import LiveResource
from reconciler.kinds.runai_asset import AssetKind
from reconciler.manifest.envelope import API_VERSION
from reconciler.providers.runai.connection import Connection, Credentials
from reconciler.providers.runai.system import Login, RunaiSystem
from reconciler.sandbox import Behaviour, SandboxServer
from reconciler.support.threads import ThreadExecutor
from reconciler.testing.faulty_client import Fault, FaultyClient
from reconciler.workflow.apply import ApplyContext, LogObserver, apply_plan
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.planning import plan_for
from reconciler.workflow.session import Session, read_config
from reconciler.workflow.target_manifests import read_manifests

PATIENT, HURRIED = 10.0, 0.1
"""Seconds to wait for what shows for sure, and for what a fault may prevent."""
_CONFIG = {
    "apiVersion": API_VERSION,
    "stack": "suite",
    "targets": {"bench": {"runai": {"base_url": "http://127.0.0.1:1", "token": {"env": "TOKEN"}}}},
    "default_target": "bench",
}


@dataclass(frozen=True)
class _Place:
    """The directory of a bench; see `ConfigLocation`."""

    directory: Path
    config: Path | None = None

    def warn(self, text: str) -> None:
        """Nobody listens."""


class Bench:
    """A sandbox of one behaviour for one kind, from `with` on."""

    def __init__(
        self, directory: Path, kind: AssetKind, behaviour: Behaviour, seed: str = ""
    ) -> None:
        self._directory = directory
        self._kind = kind
        self._behaviour = behaviour
        self._seed = seed
        self._open = ExitStack()
        self.client: FaultyClient

    def __enter__(self) -> Self:
        (self._directory / "manifests").mkdir(parents=True)
        (self._directory / "reconciler.yaml").write_text(yaml.safe_dump(_CONFIG))
        seed = self._directory / "seed.yaml" if self._seed else None
        if seed:
            seed.write_text(self._seed)
        database = self._directory / "sandbox.db"
        server = SandboxServer(database, seed=seed, behaviour=self._behaviour)
        endpoint = self._open.enter_context(server)
        secret = SecretStr(endpoint.client_secret.get_secret_value())
        credentials = Credentials(endpoint.client_id, secret)
        link = Connection(endpoint.base_url, credentials, first_pause=0.002, longest_pause=0.01)
        self.client = FaultyClient(link)
        self._open.callback(self.client.close)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def document(self, name: str, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
        """A manifest of the kind."""
        head = {"apiVersion": API_VERSION, "kind": self._kind.traits.name}
        return {**head, "metadata": {"name": name, **metadata}, "spec": dict(spec)}

    def plan(self, documents: Sequence[Mapping[str, Any]]) -> Plan:
        """The plan of these manifests and no others. Raises `ManifestError`."""
        with self._session(documents, PATIENT) as session:
            return plan_for(session, self._request()).plan

    def converge(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Plan and apply; everything has to succeed, and a second plan has to be empty."""
        outcomes = self.apply(documents)
        wrong = [item for item in outcomes if item.status is not Status.APPLIED]
        assert not wrong, "\n".join(f"{item.change.address}: {item.message}" for item in wrong)
        again = self.plan(documents)
        assert not again.failures, again.failures
        assert not again.pending, [(item.address, item.fields) for item in again.pending]

    def apply(
        self, documents: Sequence[Mapping[str, Any]], at: int = 0, fault: Fault = Fault.UNSENT
    ) -> tuple[Outcome, ...]:
        """Plan, and carry the plan out, with a fault at this request of the apply; 0 for none."""
        with self._session(documents, HURRIED if at else PATIENT) as session:
            plan = plan_for(session, self._request()).plan
            assert not plan.failures, plan.failures
            assert not plan.refused, [item.refusal for item in plan.refused]
            context = ApplyContext(
                session.providers, session.executor, LogObserver(), threading.Event()
            )
            with self.client.breaking(at, fault):
                return apply_plan(plan, context)

    def live(self) -> Sequence[LiveResource]:
        """What there is of the kind, by name."""
        with self._session((), PATIENT) as session:
            found = session.providers[self._kind.traits.name].read()
        return sorted(found, key=lambda item: item.name)

    def _request(self) -> PlanRequest:
        return PlanRequest(_Place(self._directory), parallelism=1)

    @contextmanager
    def _session(
        self, documents: Sequence[Mapping[str, Any]], patience: float
    ) -> Iterator[Session]:
        text = yaml.safe_dump_all(documents, sort_keys=False)
        (self._directory / "manifests" / "all.yaml").write_text(text)
        config = read_config(_Place(self._directory))
        target: Target = resolve_target(config, None, {"TOKEN": "unused"})
        target = replace(target, timeout=patience)
        resources = read_manifests(config, target)
        providers = {
            item.traits.name: item for item in RunaiSystem(target, Login(lambda: self.client))
        }
        header = Header(target.name, "a sandbox", "")
        yield Session(config, target, resources, providers, ThreadExecutor(1), header)
