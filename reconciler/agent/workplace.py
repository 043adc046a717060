"""Settings -> the configuration and target that the agent functions work on.

`reconciler.yaml` in the directory that the settings state, else in the current one. Only where no
directory is stated, and neither the current one nor one above it has a `reconciler.yaml`, the
variables `RUNAI_BASE_URL` with `RUNAI_CLIENT_ID` and `RUNAI_CLIENT_SECRET`, or `RUNAI_TOKEN`: the
limits of a repository must not depend on where in it a process was started. A sandbox is used only
if the settings name it: a function that reports success must not have worked on a toy.
"""

import logging
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from reconciler.agent.settings import AgentSettings
from reconciler.config import CONFIG_NAME, Config, Target, resolve_target
from reconciler.config.file import TargetSection
from reconciler.core.guards import Approval
from reconciler.core.header import Header
from reconciler.core.lineage import Lineage
from reconciler.core.mark import hash_id
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Change, Plan, select
from reconciler.core.planner import PlanInput
from reconciler.core.resource import (
    Resource,
    ResourceKey,
)
from reconciler.core.selection import Selection, apply_selection
from reconciler.errors import ConfigError, ReconcileError
from reconciler.git.head import Provenance
from reconciler.kinds.compute import COMPUTE
from reconciler.providers.systems import describe_target, open_providers
from reconciler.support.threads import ThreadExecutor
from reconciler.workflow.apply import ApplyContext, LogObserver, apply_plan
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.planning import judge
from reconciler.workflow.session import Session, provenance, read_config
from reconciler.workflow.trusted_config import TrustedConfig, config_from

PARALLELISM = 10
_FROM_VARIABLES = "environment"
_CREDENTIALS = ("RUNAI_CLIENT_ID", "RUNAI_CLIENT_SECRET")
_HOW = "RECONCILE_AGENT_DIRECTORY or configure(directory=...)"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Directory:
    """The place of a session: a directory. Warnings go to the log."""

    directory: Path
    config: Path | None = None

    def warn(self, text: str) -> None:
        _warn_once(text)


@lru_cache(maxsize=64)
def _warn_once(text: str) -> None:
    """A server calls the functions again and again: the same warning is logged once."""
    _log.warning("%s", text)


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a function works on. `target.stack` is the stack of Git, `stack` that of direct mode."""

    settings: AgentSettings
    config: Config
    target: Target
    stack: str

    @property
    def description(self) -> str:
        """Target and system in words."""
        return f"{self.target.name} ({describe_target(self.target, self.config.root)})"

    @property
    def link(self) -> str:
        """Where the web interface shows environment assets; a sandbox has none."""
        runai = self.target.runai
        if runai is None or runai.base_url is None:
            return "(the sandbox has no web interface)"
        return f"{runai.base_url}/assets/environments"


@contextmanager
def open_workplace(settings: AgentSettings) -> Iterator[Workplace]:
    """The target that the settings lead to. Raises `ConfigError` that says what to set.

    Nobody reviews what direct mode makes, so the limits of a trusted ref hold as well.
    """
    with open_settings_config(settings) as (found, _, limits):
        config = replace(found, limits=limits)
        if settings.target is None:
            _require_no_sandbox(config)
        target = replace(resolve_target(config, settings.target, os.environ), docker=None)
        if target.runai is None:
            raise ConfigError(
                f"target {target.name} has no `runai`, which the agent functions need",
                where=config.path.name,
                fix="choose another target: configure(target=...) or RECONCILE_AGENT_TARGET",
            )
        yield Workplace(settings, config, target, _own_stack(settings, config, target))


@contextmanager
def open_settings_config(settings: AgentSettings) -> Iterator[TrustedConfig]:
    """The configuration that counts: see `_read`, and `AgentSettings.config_from`."""
    with config_from(_read(settings, os.environ), settings.config_from) as trusted:
        yield trusted


def _read(settings: AgentSettings, environ: Mapping[str, str]) -> Config:
    """The configuration of the directory, else of the variables. Raises `ConfigError`."""
    if settings.directory is not None:
        return _read_stated(settings.directory.absolute())
    directory = Path.cwd()
    if _has_config(directory):
        return read_config(Directory(directory))
    _require_none_above(directory)
    if environ.get("RUNAI_BASE_URL"):
        return _config_of_variables(directory, environ)
    raise ConfigError(
        f"there is no {CONFIG_NAME} and no variable RUNAI_BASE_URL",
        where=str(directory),
        fix="set RUNAI_BASE_URL, RUNAI_CLIENT_ID and RUNAI_CLIENT_SECRET, or name the directory "
        f"with {_HOW}",
    )


def _read_stated(directory: Path) -> Config:
    """The configuration of a directory that was named. Nothing else stands in for it."""
    if not _has_config(directory):
        missing = f"no {CONFIG_NAME} in it" if directory.is_dir() else "no such directory"
        raise ConfigError(
            f"the directory that the settings state cannot be used: there is {missing}",
            where=str(directory),
            fix=f"name the directory that has it with {_HOW}, or leave it out to use the variables "
            "RUNAI_BASE_URL, RUNAI_CLIENT_ID and RUNAI_CLIENT_SECRET",
        )
    return read_config(Directory(directory))


def _has_config(directory: Path) -> bool:
    """Whether there is a configuration, even one with a name that `read_config` refuses."""
    path = directory / CONFIG_NAME
    return path.is_file() or path.with_suffix(".yml").is_file()


def _require_none_above(directory: Path) -> None:
    """Refuse to ignore a configuration further up, which is not read, as on the command line."""
    for above in directory.parents:
        if _has_config(above):
            raise ConfigError(
                f"there is no {CONFIG_NAME} here, but one in {above}, whose limits would not hold",
                where=str(directory),
                fix=f"name that directory with {_HOW}, or start where no {CONFIG_NAME} is above",
            )


def _config_of_variables(directory: Path, environ: Mapping[str, str]) -> Config:
    """A configuration with one target, as if it were written with `{env: NAME}`."""
    names = ("RUNAI_TOKEN",) if environ.get("RUNAI_TOKEN") else _CREDENTIALS
    runai = {name.removeprefix("RUNAI_").lower(): {"env": name} for name in names}
    section = {"runai": {"base_url": {"env": "RUNAI_BASE_URL"}, **runai}}
    return Config(
        path=directory / CONFIG_NAME,
        root=directory,
        stack="reconcile",
        manifests=directory / "manifests",
        overlays=directory / "overlays",
        default_target=_FROM_VARIABLES,
        sections={_FROM_VARIABLES: TargetSection.model_validate(section)},
    )


def _require_no_sandbox(config: Config) -> None:
    section = config.sections.get(config.default_target or "")
    if section is not None and section.runai is not None and section.runai.sandbox is not None:
        raise ConfigError(
            f"the default target {config.default_target} is a sandbox, which the agent functions "
            "use only if it is named",
            where=config.path.name,
            fix=f"name it, or another one: configure(target={config.default_target!r}) or "
            f"RECONCILE_AGENT_TARGET={config.default_target}",
        )


def _own_stack(settings: AgentSettings, config: Config, target: Target) -> str:
    """The stack of direct mode: never that of manifests, whose apply would delete its objects."""
    stack = settings.stack or f"{target.stack}-agent"
    if len(stack) > 32:
        raise ConfigError(
            f"{stack} is too long for the name of a stack (32 characters)",
            fix="name one: configure(stack=...) or RECONCILE_AGENT_STACK",
        )
    taken = {section.stack or config.stack for section in config.sections.values()}
    if stack in taken | {target.stack}:
        raise ConfigError(
            f"stack {stack} belongs to manifests: what the agent functions make in it would be "
            "deleted by the next apply",
            fix="choose another one: configure(stack=...), or leave it out",
        )
    return stack


@contextmanager
def open_direct(place: Workplace, resources: Sequence[Resource] = ()) -> Iterator[Session]:
    """A session of the functions' own stack: these resources, and no image engine.

    Marks name the repository but no commit, since no commit states them. Without a configuration
    they name nothing.
    """
    target, root = replace(place.target, stack=place.stack), place.config.root
    header = Header(target.name, describe_target(target, root))
    origin = provenance(place.config) if place.config.path.is_file() else Provenance()
    with open_providers(target, root, PARALLELISM, lambda: origin) as providers:
        yield Session(
            place.config,
            target,
            tuple(resources),
            providers,
            ThreadExecutor(PARALLELISM),
            header,
            lineage=Lineage(origin.written),
        )


def plan_of(session: Session, world: PlanInput, whole: Plan, keys: Sequence[ResourceKey]) -> Plan:
    """The part of a plan of everything that is about these keys, each of which is meant by name."""
    addresses = [key.address for key in keys]
    asked = PlanRequest(
        Directory(session.config.root),
        session.target.name,
        Selection(tuple(_exactly(address) for address in addresses)),
        Approval(addresses=frozenset(addresses)),
    )
    chosen = apply_selection(whole, asked.selection)
    meant = select(chosen, (change for change in chosen.changes if change.key in keys))
    return judge(session, asked, world, whole, meant).plan


def made_with(change: Change, environment: ResourceKey) -> bool:
    """Whether this is a live compute asset of ours that was made for this environment's id."""
    mark = change.live.mark if change.live is not None else None
    if mark is None or change.key.kind != COMPUTE.name or change.deposed is not None:
        return False
    return change.desired is None and mark.id_hash == hash_id(COMPUTE.name, environment.id)


def _exactly(address: str) -> str:
    """The address as a pattern that matches nothing else: live names may hold `*`."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in address)


def carry_out(plan: Plan, session: Session, meant: Collection[ResourceKey]) -> tuple[Outcome, ...]:
    """Apply the plan. Raises `ReconcileError` if it is incomplete or holds anything not meant."""
    require_complete(plan)
    strays = [change.address for change in plan.pending if change.key not in meant]
    if strays:
        raise ReconcileError(
            f"the plan holds what was not asked for: {', '.join(strays)}",
            fix="this is a defect: please report it",
        )
    return apply_plan(
        plan, ApplyContext(session.providers, session.executor, LogObserver(), session.stop)
    )


def require_complete(plan: Plan) -> None:
    """Raise `ReconcileError` if a system could not be read."""
    for failure in plan.failures:
        raise ReconcileError(
            f"the {failure.system} could not be read: {failure.reason}", fix=failure.fix
        )


def all_applied(outcomes: Collection[Outcome]) -> bool:
    return all(outcome.status is Status.APPLIED for outcome in outcomes)
