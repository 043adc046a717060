"""Configuration, manifests, providers and the plan they add up to: the wiring of a command."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from reconciler import manifest
from reconciler.clash import order_names, require_distinct
from reconciler.cli.main import Globals
from reconciler.cli.options import PlanOptions
from reconciler.config import (
    Config,
    Target,
    find_config,
    load_config,
    resolve_target,
    variables_for_manifests,
)
from reconciler.errors import ConfigError, ManifestError, Problem
from reconciler.executor import ThreadExecutor
from reconciler.git.head import head_commit
from reconciler.guard import Approval, guard
from reconciler.kinds.base import LoadContext
from reconciler.live import add_usage, read_all
from reconciler.plan import Plan, World, make_plan
from reconciler.providers.base import Providers
from reconciler.providers.registry import KIND_TRAITS, describe_target, open_providers
from reconciler.render.escape import printable
from reconciler.render.text import Header
from reconciler.resource import Resource
from reconciler.selection import apply_selection, exact_addresses


@dataclass(frozen=True, slots=True)
class Session:
    """An open target: what `plan` and `apply` work with."""

    config: Config
    target: Target
    resources: tuple[Resource, ...]
    providers: Providers
    executor: ThreadExecutor
    header: Header


def read_config(place: Globals) -> Config:
    """The configuration of the directory, or the file that `--config` names."""
    config = load_config(place.config or find_config(place.directory))
    for text in config.warnings:
        click.echo(f"Warning: {printable(text)}", err=True)
    return config


def read_manifests(config: Config, target: Target) -> tuple[Resource, ...]:
    """Every resource of a target, with its overlays, stack and the values of variables."""
    return _load(config, target.name, target.stack, variables_for_manifests(config, os.environ))


def read_stated(config: Config, target: str | None) -> tuple[Resource, ...]:
    """The same for what needs no values: no variable is read. None: without any overlays."""
    section = config.sections.get(target or "")
    return _load(config, target, (section and section.stack) or config.stack, None)


def read_every_target(config: Config) -> tuple[tuple[Resource, ...], list[str]]:
    """What the manifests state, and the targets that have overlays, each of them checked.

    Raises one `ManifestError` with the problems of all targets. Manifests that no target uses as
    they are, because all have overlays, are only checked with those.
    """
    patched = [name for name in config.sections if (config.overlays / name).is_dir()]
    plain = [None] if len(patched) < len(config.sections) else []
    problems: list[Problem] = []
    found: tuple[Resource, ...] = ()
    for name in [*patched, *plain]:
        try:
            found = read_stated(config, name)
        except ManifestError as error:
            problems += error.problems
    if problems:
        raise ManifestError(problems)
    return found, patched


def _load(
    config: Config, target: str | None, stack: str, variables: Mapping[str, str] | None
) -> tuple[Resource, ...]:
    manifest.check_overlay_names(config.overlays, config.sections, config.root)
    context = LoadContext(
        root=config.root,
        stack=stack,
        limits=config.limits,
        env_allow=config.env_allow,
        variables=variables,
    )
    overlays = _overlays(config, target)
    return tuple(manifest.load(config.manifests, context, overlays=overlays))


def _overlays(config: Config, target: str | None) -> manifest.ReadFiles:
    if target is None:
        return manifest.NO_FILES
    return manifest.read_overlays(config.overlays, target, config.root)


@contextmanager
def open_session(options: PlanOptions) -> Iterator[Session]:
    """Open the target that was asked for; its connections end with the block."""
    config = read_config(options.place)
    target = resolve_target(config, options.target, os.environ)
    resources = read_manifests(config, target)
    require_known_systems(resources, target, config)
    executor = ThreadExecutor(options.parallelism)
    header = Header(
        target.name,
        describe_target(target, config.root),
        short_commit(config.root),
        selection=options.selection,
    )
    with open_providers(target, config.root, options.parallelism) as providers:
        yield Session(config, target, resources, providers, executor, header)


def plan_session(session: Session, options: PlanOptions) -> Plan:
    """Read the live side and make the guarded plan of what was selected."""
    whole = plan_everything(session)
    return finish_plan(whole, apply_selection(whole, options.selection), session, options)


def plan_everything(session: Session) -> Plan:
    """Read the live side and compare: every address, and nothing judged yet."""
    try:
        reading = read_all(session.resources, session.providers, session.executor)
    except ManifestError as error:
        overlays = _overlays(session.config, session.target.name)
        raise manifest.locate(error, session.config.root, overlays) from error
    require_distinct(reading.desired, KIND_TRAITS)
    plan = make_plan(
        World(
            target=session.target.name,
            stack=session.target.stack,
            desired=reading.desired,
            live=reading.live,
            kinds=KIND_TRAITS,
            failures=reading.failures,
        )
    )
    return order_names(plan, KIND_TRAITS)


def finish_plan(whole: Plan, chosen: Plan, session: Session, options: PlanOptions) -> Plan:
    """What was chosen of the whole plan, with its users, guarded with what was approved."""
    approval = approval_for(whole, options)
    return guard(add_usage(chosen, session.providers), session.config.guards, approval)


def approval_for(whole: Plan, options: PlanOptions) -> Approval:
    """What was approved, deletions named by `--only` included."""
    return replace(options.approval, deletions=exact_addresses(whole, options.selection))


def short_commit(root: Path) -> str:
    """The commit the manifests stand in, abbreviated to 7 digits; empty outside a repository."""
    commit = head_commit(root)
    return commit[:7] if commit else ""


def require_known_systems(resources: Sequence[Resource], target: Target, config: Config) -> None:
    """Refuse resources that the target has no system for, or whose images it could not pull."""
    _require_systems(resources, target, config)
    _require_pushed(resources, target, config)


def _require_systems(resources: Sequence[Resource], target: Target, config: Config) -> None:
    """Refuse resources for a system that the target does not have."""
    have = {"docker": target.docker is not None, "runai": target.runai is not None}
    for system, kinds in (
        ("docker", ("RayfineImage",)),
        ("runai", ("RunaiCompute", "RunaiEnvironment")),
    ):
        strays = [item for item in resources if item.key.kind in kinds]
        if strays and not have[system]:
            addresses = ", ".join(item.key.address for item in strays[:5])
            raise ConfigError(
                f"target {target.name!r} has no `{system}`, which {addresses} needs",
                where=str(strays[0].source),
                fix=f"add `{system}:` to the target in {config.path.name}, or choose another "
                "target with --target",
            )


def _require_pushed(resources: Sequence[Resource], target: Target, config: Config) -> None:
    """Refuse images that a real cluster could not pull: only a sandbox may use unpushed ones."""
    if target.is_sandbox:
        return
    local = {
        item.key
        for item in resources
        if item.key.kind == "RayfineImage" and not item.spec.get("push")
    }
    problems = [
        Problem(
            item.source.file,
            item.source.line,
            1,
            f"{item.key.address} uses {key.address}, which is not pushed to a registry",
            f"set push: true on {key.address} and give it a tag in a registry of the cluster's",
            ("spec", "image"),
        )
        for item in resources
        for key in item.depends_on
        if key in local
    ]
    if problems:
        overlays = _overlays(config, target.name)
        raise manifest.locate(ManifestError(problems), config.root, overlays)
