"""Configuration, manifests, providers and the plan they add up to: the wiring of a command."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import click

from reconciler import manifest
from reconciler.allowance import Trailer, allow
from reconciler.clash import order_names, require_distinct
from reconciler.cli.checkout import checkout
from reconciler.cli.config_from import config_from
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
from reconciler.git.head import head_commit, is_dirty, read_provenance
from reconciler.guard import Approval, guard
from reconciler.kinds.base import LoadContext
from reconciler.live import add_usage, read_all
from reconciler.plan import Plan, World, make_plan
from reconciler.providers.base import Providers
from reconciler.providers.registry import KIND_TRAITS, describe_target, open_providers
from reconciler.render.escape import printable
from reconciler.render.text import Header
from reconciler.resource import Resource
from reconciler.review import Review
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
    trailers: tuple[Trailer, ...] = ()


def read_config(place: Globals) -> Config:
    """The configuration of the directory, or the file that `--config` names."""
    config = load_config(place.config or find_config(place.directory))
    for text in config.warnings:
        click.echo(f"Warning: {printable(text)}", err=True)
    return config


def read_manifests(config: Config, target: Target | None) -> tuple[Resource, ...]:
    """Every resource of the manifests; values of variables only where a target is in use."""
    _require_inside(config)
    context = LoadContext(
        root=config.root,
        stack=target.stack if target else config.stack,
        limits=config.limits,
        env_allow=config.env_allow,
        variables=variables_for_manifests(config, os.environ) if target else None,
    )
    return tuple(manifest.load(config.manifests, context))


def _require_inside(config: Config) -> None:
    """Refuse a directory of manifests that is a link to somewhere else on the machine."""
    real, root = os.path.realpath(config.manifests), os.path.realpath(config.root)
    if os.path.commonpath((real, root)) != root:
        raise ConfigError(
            "`manifests` is a link that leads out of the directory of reconciler.yaml",
            where=config.path.name,
            fix="put the manifests into a directory of their own beside it",
        )


@contextmanager
def open_session(options: PlanOptions) -> Iterator[Session]:
    """Open the target that was asked for; its connections end with the block."""
    with (
        checkout(options) as place,
        config_from(read_config(place), options.config_from) as (config, overridden),
    ):
        target = resolve_target(config, options.target, os.environ)
        resources = read_manifests(config, target)
        _require_systems(resources, target, config)
        _require_pushed(resources, target, config)
        executor = ThreadExecutor(options.parallelism)
        dirty = _is_dirty(config, resources)
        origin = cache(lambda: read_provenance(config.root, dirty=dirty))
        review = Review(
            dirty=dirty,
            config_from=options.config_from or "",
            overridden=overridden,
        )
        described = describe_target(target, config.root)
        commit = short_commit(config.root)
        header = Header(target.name, described, commit, review, options.selection)
        with open_providers(target, config.root, options.parallelism, origin) as providers:
            trailers = _trailers(config.root) if options.allow_from_commit else ()
            yield Session(config, target, resources, providers, executor, header, trailers)


def plan_session(session: Session, options: PlanOptions) -> Plan:
    """Read the live side and make the guarded plan of what was selected."""
    whole = plan_everything(session)
    return finish_plan(whole, apply_selection(whole, options.selection), session, options)


def plan_everything(session: Session) -> Plan:
    """Read the live side and compare: every address, and nothing judged yet."""
    return compare(read_world(session))


def compare(world: World) -> Plan:
    """The plan of everything that was read."""
    return order_names(make_plan(world), KIND_TRAITS)


def read_world(session: Session) -> World:
    """Read the live side, with the manifests bound to it."""
    try:
        reading = read_all(session.resources, session.providers, session.executor)
    except ManifestError as error:
        raise manifest.locate(error, session.config.root) from error
    require_distinct(reading.desired, KIND_TRAITS)
    return World(
        target=session.target.name,
        stack=session.target.stack,
        desired=reading.desired,
        live=reading.live,
        kinds=KIND_TRAITS,
        failures=reading.failures,
    )


def finish_plan(whole: Plan, chosen: Plan, session: Session, options: PlanOptions) -> Plan:
    """What was chosen of the whole plan, with its users, guarded with what was approved."""
    approval, _ = approval_for(whole, chosen, session, options)
    return guard(add_usage(chosen, session.providers), session.config.guards, approval)


def approval_for(
    whole: Plan, chosen: Plan, session: Session, options: PlanOptions
) -> tuple[Approval, tuple[str, ...]]:
    """What was approved, by options and trailers, and a line about each trailer.

    Deletions named by `--only` are approved, too.
    """
    given = replace(options.approval, deletions=exact_addresses(whole, options.selection))
    digests = dict.fromkeys((chosen.digest(), whole.digest())) if session.trailers else {}
    return allow(session.trailers, digests, given)


def header_for(whole: Plan, chosen: Plan, session: Session, options: PlanOptions) -> Header:
    """The head of this plan, with what trailers of commits say."""
    _, lines = approval_for(whole, chosen, session, options)
    return replace(session.header, review=replace(session.header.review, allowances=lines))


def _trailers(root: Path) -> tuple[Trailer, ...]:
    from reconciler.git.repository import open_repository  # noqa: PLC0415  (only if asked for)
    from reconciler.git.trailers import read_trailers  # noqa: PLC0415

    with open_repository(root) as repository:
        return read_trailers(repository)


def _is_dirty(config: Config, resources: Sequence[Resource]) -> bool:
    """Whether the plan is made of anything that is not committed."""
    from reconciler.rayfine.image.lockfile import LOCK_FILE  # noqa: PLC0415  (not for validate)

    contexts = {str(item.spec["path"]) for item in resources if item.key.kind == "RayfineImage"}
    places = (config.path, config.manifests, *(config.root / path for path in sorted(contexts)))
    return is_dirty(config.root, [*places, config.root / LOCK_FILE])


def short_commit(root: Path) -> str:
    """The commit the manifests stand in, abbreviated to 7 digits; empty outside a repository."""
    commit = head_commit(root)
    return commit[:7] if commit else ""


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
        raise manifest.locate(ManifestError(problems), config.root)
