"""A session without any live system: the manifests against nothing, a saved plan or a base."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.config import Config, Target, offline_target
from reconciler.core.header import Header
from reconciler.core.resource import LiveResource
from reconciler.core.review_notes import Review
from reconciler.errors import ConfigError, ReconcileError
from reconciler.git.repository import open_repository
from reconciler.planfile.reader import read_plan_file
from reconciler.providers.offline import Recorded, open_offline
from reconciler.support.threads import ThreadExecutor
from reconciler.workflow.base_manifests import Snapshot, as_live, stack_of
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.session import Session, short_commit
from reconciler.workflow.target_manifests import inputs_of, read_stated, require_known_systems
from reconciler.workflow.trusted_config import TrustedConfig


@contextmanager
def open_offline_target(trusted: TrustedConfig, request: PlanRequest) -> Iterator[Session]:
    """A session that reads files alone: no network, no credentials, no variable of the target.

    What counts as live: the live side of `request.live`, or the manifests of the base that the
    request compares with, or nothing.
    """
    config = trusted.config
    target = offline_target(config, request.target)
    resources = read_stated(config, target.name)
    require_known_systems(resources, target, config)
    live, words = _live_side(request, target, config)
    header = Header(
        target.name,
        f"offline, compared with {words}",
        short_commit(config.root),
        Review(config_from=request.config_from or "", overridden=trusted.overridden),
        offline=True,
        selection=request.selection,
        inputs=inputs_of(config, target.name, resources),
    )
    with open_offline(target, config.root, live) as providers:
        executor = ThreadExecutor(request.parallelism)
        yield Session(config, target, resources, providers, executor, header)


def _live_side(request: PlanRequest, target: Target, config: Config) -> tuple[Recorded, str]:
    """What is live, and its name."""
    if request.live is not None:
        return Recorded(_recorded(request.live, target, config)), request.live.name
    if request.since is None:
        return Recorded(), "nothing"
    try:
        repository = open_repository(config.root)
        commit = repository.merge_base(request.since)
        snapshot = Snapshot(repository, commit, config, target)
        live = _stated_at(snapshot, trusted=request.config_from is not None)
    except ConfigError:
        if not request.if_comparable:
            raise
        live = None  # attribution says why
    if live is None:
        return Recorded(), "nothing"
    return Recorded(live, has_ids=False), f"the manifests of {commit[:7]}"


def _stated_at(base: Snapshot, *, trusted: bool) -> tuple[LiveResource, ...] | None:
    """What a base states; None if it has errors. `trusted`: the target is not the work tree's."""
    with open_offline(base.target, base.config.root) as providers:
        try:
            stated, config = base.load(providers)
        except ReconcileError:
            return None
    stack = stack_of(None if trusted else config, base.target)
    return as_live(stated, stack, base.commit)


def _recorded(path: Path, target: Target, config: Config) -> tuple[LiveResource, ...]:
    saved = read_plan_file(path)
    if (saved.plan.target, saved.plan.stack) != (target.name, target.stack):
        raise ReconcileError(
            f"it holds target {saved.plan.target}, stack {saved.plan.stack}; "
            f"this is target {target.name}, stack {target.stack}",
            where=str(path),
            fix=f"make one with: reconcile plan --target {target.name} --out FILE "
            f"(see {config.path.name})",
        )
    return saved.recorded_live()
