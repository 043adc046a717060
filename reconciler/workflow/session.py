"""Configuration, manifests and providers -> an open target, for every front door.

`opening.open_session` opens one, `planning.plan_for` plans on it. Nothing here prints; what a
person should know besides is told to the `ConfigLocation`.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.config import (
    Config,
    Target,
    check_config,
    find_config,
    problem_error,
    read_config_file,
    resolve_target,
)
from reconciler.core.commit_approvals import Trailer
from reconciler.core.header import Header
from reconciler.core.lineage import Lineage
from reconciler.core.mark import Written
from reconciler.core.ownership import COMMIT_DIGITS
from reconciler.core.resource import Resource
from reconciler.core.review_notes import Review
from reconciler.errors import ConfigError, ManifestError, Problem, problems_of
from reconciler.git.head import Provenance, State, head_commit, read_state
from reconciler.git.identity import identify
from reconciler.git.process import find_top
from reconciler.git.whole import has_hidden
from reconciler.manifest.files import SUFFIXES
from reconciler.providers.base import Providers
from reconciler.providers.systems import describe_target, open_providers
from reconciler.support.threads import ThreadExecutor
from reconciler.workflow.plan_request import ConfigLocation, PlanRequest
from reconciler.workflow.target_manifests import (
    check_everything,
    context_places,
    inputs_of,
    read_manifests,
    read_stated,
    require_known_systems,
    stated_places,
)
from reconciler.workflow.trusted_config import TrustedConfig


@dataclass(frozen=True, slots=True)
class Session:
    """An open target: what `plan` and `apply` work with. `commit` is HEAD, empty if unknown.

    Once `stop` is set, no write begins, and nobody waits for an answer.
    """

    config: Config
    target: Target
    resources: tuple[Resource, ...]
    providers: Providers
    executor: ThreadExecutor
    header: Header
    trailers: tuple[Trailer, ...] = ()
    lineage: Lineage = field(default_factory=Lineage)
    commit: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


def read_config(place: ConfigLocation) -> Config:
    """The configuration of the directory, or the file that `--config` names."""
    path = place.config or find_config(place.directory)
    top = find_top(path.parent)
    if top is not None and not Path(os.path.realpath(path)).is_relative_to(top):
        raise ConfigError(
            f"{path.name} is a link that leads out of the repository",
            where=str(path),
            fix="put a copy into the repository, or name the file that is meant: --config FILE",
        )
    config, problems = check_config(path, read_config_file(path))
    if problems:
        raise problem_error([*problems, *_other_problems(config)])
    for text in config.warnings:
        place.warn(text)
    return config


def _other_problems(config: Config) -> Sequence[Problem]:
    """What is wrong with other files, where the configuration is faulty itself."""
    if config.manifests.is_dir():
        try:
            check_everything(config)
        except (ManifestError, ConfigError) as error:
            return problems_of(error)
    return ()


@contextmanager
def open_target(trusted: TrustedConfig, request: PlanRequest) -> Iterator[Session]:
    """Open a target of this configuration; its connections end with the block."""
    config = trusted.config
    try:
        target = resolve_target(config, request.target, os.environ)
    except ConfigError as error:
        if not (more := _problems_of_target(config, request.target)):
            raise
        raise problem_error([*problems_of(error), *more]) from error
    resources = read_manifests(config, target)
    require_known_systems(resources, target, config)
    executor = ThreadExecutor(request.parallelism)
    state = _state(config, target.name, resources)
    origin = provenance(config, "" if state.dirty else state.commit)
    lineage = Lineage(
        origin.written,
        rollback=request.approval.rollback,
        taken_over=request.approval.taken_over,
        gone=state.gone,
    )
    review = Review(
        dirty=state.dirty,
        config_from=request.config_from or "",
        overridden=trusted.overridden,
    )
    described = describe_target(target, config.root)
    header = Header(
        target.name,
        described,
        state.commit[:7],
        review,
        selection=request.selection,
        inputs=inputs_of(config, target.name, resources),
    )
    stop = threading.Event()
    with open_providers(
        target, config.root, request.parallelism, lambda: origin, stop
    ) as providers:
        yield Session(
            config,
            target,
            resources,
            providers,
            executor,
            header,
            _trailers(config.root, request.messages) if request.allow_from_commit else (),
            lineage,
            state.commit,
            stop,
        )


def _problems_of_target(config: Config, name: str | None) -> Sequence[Problem]:
    """What is wrong with the manifests of a target that could not be resolved."""
    chosen = name or config.default_target
    try:
        read_stated(config, chosen if chosen in config.sections else None)
    except (ManifestError, ConfigError) as error:
        return problems_of(error)
    return ()


def _trailers(root: Path, messages: Path | None) -> tuple[Trailer, ...]:
    from reconciler.git.commits import read_messages, read_trailers  # noqa: PLC0415
    from reconciler.git.repository import open_repository  # noqa: PLC0415  (only if asked for)

    repository = open_repository(root)
    found = read_trailers(repository)
    others = read_messages(messages) if messages else ()
    known = {trailer.commit for trailer in found}
    return (*found, *(trailer for trailer in others if trailer.commit not in known))


def _state(config: Config, target: str, resources: Sequence[Resource]) -> State:
    """HEAD, and whether the plan is made of anything else, ignored manifests included."""
    stated, contexts = stated_places(config, target), context_places(config, resources)
    places = (config.path, *contexts)
    state = read_state(config.root, places, stated, SUFFIXES, modes=bool(contexts))
    groups = ([config.path, *stated], contexts)
    hidden = any(has_hidden(config.root, group) for group in groups)
    return state._replace(dirty=state.dirty or hidden)


def provenance(config: Config, commit: str = "") -> Provenance:
    """What is written on live objects of where they came from; no commit has what is not in it."""
    identity = identify(config.root, manifests_of(config))
    written = Written(identity.name, commit[:COMMIT_DIGITS])
    return Provenance(identity.source, commit, written, identity.place)


def manifests_of(config: Config) -> str:
    return config.manifests.relative_to(config.root).as_posix()


def short_commit(root: Path) -> str:
    """The commit the manifests stand in, abbreviated to 7 digits; empty outside a repository."""
    commit = head_commit(root)
    return commit[:7] if commit else ""
