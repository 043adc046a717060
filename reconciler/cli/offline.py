"""A session without any live system: the manifests against nothing, or against a saved plan."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.cli.checkout import checkout
from reconciler.cli.config_from import config_from
from reconciler.cli.options import PlanOptions
from reconciler.config import Config, Target, offline_target
from reconciler.errors import ReconcileError
from reconciler.executor import ThreadExecutor
from reconciler.plan_file import read_plan_file
from reconciler.providers.offline import open_offline
from reconciler.render.text import Header
from reconciler.resource import LiveResource
from reconciler.review import Review
from reconciler.session import Session, read_config, short_commit
from reconciler.stated import inputs_of, read_stated, require_known_systems


@contextmanager
def open_offline_session(options: PlanOptions, live: Path | None) -> Iterator[Session]:
    """A session that reads files alone: no network, no credentials, no variable of the target.

    `live` is a JSON plan whose live side counts as what is there; without it, nothing is.
    """
    with (
        checkout(options) as place,
        config_from(read_config(place), options.config_from) as (config, overridden),
    ):
        target = offline_target(config, options.target)
        resources = read_stated(config, target.name)
        require_known_systems(resources, target, config)
        recorded = _recorded(live, target, config)
        header = Header(
            target.name,
            f"offline, compared with {live.name if live else 'nothing'}",
            short_commit(config.root),
            Review(config_from=options.config_from or "", overridden=overridden),
            offline=True,
            selection=options.selection,
            inputs=inputs_of(config, target.name, resources),
        )
        with open_offline(target, config.root, recorded) as providers:
            executor = ThreadExecutor(options.parallelism)
            yield Session(config, target, resources, providers, executor, header)


def _recorded(path: Path | None, target: Target, config: Config) -> tuple[LiveResource, ...]:
    if path is None:
        return ()
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
