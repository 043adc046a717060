"""`plan --since REF`: the manifests of a base, planned against the same live systems, and blame."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from reconciler.config import Config, variables_for_manifests
from reconciler.core.origins import Base, find_origins, to_causes, written_from
from reconciler.core.plan import Plan, Unmanaged
from reconciler.core.planned import Planned
from reconciler.core.planner import make_plan
from reconciler.core.released import find_released
from reconciler.core.resource import Resource, ResourceKey
from reconciler.core.review_notes import Cause, Edit, Origin
from reconciler.errors import ConfigError, ManifestError, ReconcileError
from reconciler.git.history import (
    Edits,
    Found,
    Wanted,
    find_edits,
    read_difference,
    read_steps,
)
from reconciler.git.repository import Repository, open_repository
from reconciler.kinds.registry import KIND_NAMED, made_of_files
from reconciler.rayfine.image.lockfile import LOCK_FILE
from reconciler.workflow.base_manifests import Snapshot, stack_of
from reconciler.workflow.plan_request import PlanRequest
from reconciler.workflow.session import Session


def attribute(session: Session, request: PlanRequest, planned: Planned) -> Planned:
    """The plan with the cause of each change since the merge base of `request.since` and HEAD.

    Raises `ConfigError` if the ref or the history is missing, unless `if_comparable` is set. If the
    base has faults, or the plan is incomplete, a note says so.
    """
    causes, why = dict[str, Cause](), "this plan is incomplete"
    released: tuple[Unmanaged, ...] = ()
    if not planned.plan.failures:  # else whoever is named is blamed for what nobody could look at
        try:
            causes, why, released = _find_causes(session, request.since or "", planned)
        except ConfigError as error:
            if not request.if_comparable:
                raise
            request.place.warn(f"changes are not attributed: {error.what}")
            why = error.what
    planned = replace(planned, plan=replace(planned.plan, released=released))
    note = f"changes are not attributed, because {why}" if why else ""
    return planned.with_review(since=request.since, causes=causes, note=note)


def _find_causes(
    session: Session, since: str, planned: Planned
) -> tuple[dict[str, Cause], str, tuple[Unmanaged, ...]]:
    """The cause of each change, by address; or why there are none. And what the base released."""
    world, plan = planned.world, planned.plan
    repository = open_repository(session.config.root)
    commit = repository.merge_base(since)
    environ = None if session.header.offline else _environ(session)
    snapshot = Snapshot(repository, commit, session.config, session.target, environ)
    try:
        desired, config = snapshot.load(session.providers)
    except ReconcileError as error:
        what = str(error).splitlines()[0]
        faulty = isinstance(error, ManifestError | ConfigError)  # else a system has failed
        return {}, f"{commit[:7]} has errors: {what}" if faulty else what, ()
    trusted = planned.header.review.config_from
    stack = stack_of(None if trusted else config, session.target)
    base_plan = make_plan(replace(world, desired=desired, stack=stack))
    bound = (change.desired for change in base_plan.changes)
    base = Base({item.key: item for item in bound if item}, base_plan, world.lineage)
    origins = find_origins(plan, base)
    search = _Search(repository, commit, session, config)
    edits = search.edits(plan, origins, base)
    pending = _find_pending(search, plan, written_from(plan, origins, world.live, world.lineage))
    origins |= dict.fromkeys(pending, Origin.PENDING)
    edits |= {address: edit for address, edit in pending.items() if edit}
    released = find_released(desired, world.desired, world.live, world.kinds)
    return to_causes(plan.changes, origins, edits), "", released


def _environ(session: Session) -> Mapping[str, str]:
    """The variables that a base may read. Its own `env_allow` allows none that a trusted one lacks.

    Any commit of the branch may be the base, and a model may name it.
    """
    if session.header.review.config_from:
        return variables_for_manifests(session.config, os.environ)
    return os.environ


def _find_pending(
    search: "_Search", plan: Plan, written: tuple[dict[str, str], frozenset[str] | None]
) -> dict[str, Edit | None]:
    """Of what seems to be drift, what was merged since its object was written, with the commit."""
    commits, known = written
    if known is None:  # nothing was ever applied, as far as anybody can tell
        return dict.fromkeys(commits)
    newest = search.newest(known) if "" in commits.values() else ""
    by_commit: dict[str, set[str]] = {}
    for address, commit in commits.items():
        by_commit.setdefault(commit or newest, set()).add(address)
    found: dict[str, Edit | None] = {}
    for commit, addresses in by_commit.items():
        found |= search.merged_since(commit, addresses, plan) if commit else {}
    return found


@dataclass(frozen=True)
class _Search:
    """The commits since the base that changed what is planned."""

    repository: Repository
    commit: str
    session: Session
    base_config: Config | None

    def edits(self, plan: Plan, origins: Mapping[str, Origin], base: Base) -> dict[str, Edit]:
        """By address, the newest edit of each change that is the branch's, where Git knows it."""
        desired = {item.key: item for item in self._desired(plan)}
        keys = {
            change.key for change in plan.changes if origins.get(change.address) not in _NOT_BRANCH
        }
        keys |= {key for item in keys if item in desired for key in desired[item].depends_on}
        if not keys:
            return {}
        inputs = {
            key.address: self._context(key, _moved(key, desired, base.desired))
            for key in keys
            if KIND_NAMED[key.kind].files and key in desired
        }
        wanted = Wanted(
            frozenset(key.address for key in keys),
            inputs,
            frozenset(self._settings()),
            tuple(f"{path}/" for path in self._manifests()),
        )
        paths = [*self._manifests(), *self._settings()]
        paths += sorted({path for found in inputs.values() for path in found})
        found = find_edits(self.repository, read_steps(self.repository, self.commit, paths), wanted)
        known = {item.path for item in self.repository.files("HEAD", self._manifests())}
        hidden = {
            key
            for key in keys
            if key in desired and self.repository.prefix + desired[key].source.file not in known
        }
        newest = {key: _newest(key, desired, found) for key in keys}
        newest |= {key: None for key in hidden if key.address not in found.by_address}
        return {key.address: item.edit for key, item in newest.items() if item}

    def newest(self, commits: Collection[str]) -> str:
        """The commit that no other one of these contains; any of several."""
        found = self.repository.ask("merge-base", "--independent", *sorted(commits))
        return (found or "").split("\n")[0] if commits else ""

    def merged_since(
        self, commit: str, addresses: Collection[str], plan: Plan
    ) -> dict[str, Edit | None]:
        """Which of these HEAD states otherwise than a commit does, and the newest edit of each."""
        base = self.repository.ask("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}") or ""
        if not base.startswith(commit):  # a branch or tag of that name
            return {}
        desired = {item.key.address: item for item in self._desired(plan)}
        stated = [desired[address] for address in addresses if address in desired]
        lock = f"{self.repository.prefix}{LOCK_FILE}"
        inputs = {
            item.key.address: self._context(item.key, item.spec.get("context", {})) | {lock}
            for item in made_of_files(stated)
        }
        manifests = self._manifests()
        wanted = Wanted(
            frozenset(addresses), inputs, manifests=tuple(f"{path}/" for path in manifests)
        )
        paths = [*manifests, *sorted({path for found in inputs.values() for path in found})]
        net = find_edits(self.repository, read_difference(self.repository, base, paths), wanted)
        if not net.by_address:
            return {}
        since = replace(wanted, addresses=frozenset(net.by_address))
        found = find_edits(self.repository, read_steps(self.repository, base, paths), since)
        edits = {address: item.edit for address, item in found.by_address.items()}
        return {address: edits.get(address) for address in net.by_address}

    def _context(self, key: ResourceKey, names: Iterable[str]) -> frozenset[str]:
        """These files of an image's context, and those that say how it is built."""
        paths = {item.key: item.spec.get("path", "") for item in self.session.resources}
        context = f"{self.repository.prefix}{os.path.normpath(paths.get(key, ''))}"
        return frozenset(f"{context}/{name}" for name in (*names, "Dockerfile", ".dockerignore"))

    @staticmethod
    def _desired(plan: Plan) -> Iterator[Resource]:
        for change in plan.changes:
            if change.desired is not None:
                yield change.desired

    def _manifests(self) -> list[str]:
        """Directories of manifests and of this target's overlays, now and at the base."""
        configs = [self.session.config, *([self.base_config] if self.base_config else [])]
        target = self.session.target.name
        places = [
            place.relative_to(item.root).as_posix()
            for item in configs
            for place in (item.manifests, item.overlays / target)
        ]
        return sorted({self.repository.prefix + place for place in places})

    def _settings(self) -> list[str]:
        prefix = self.repository.prefix
        return [f"{prefix}{self.session.config.path.name}", f"{prefix}{LOCK_FILE}"]


_NOT_BRANCH = (None, Origin.DRIFT, Origin.PENDING, Origin.AHEAD)


def _moved(
    key: ResourceKey,
    desired: Mapping[ResourceKey, Resource],
    base: Mapping[ResourceKey, Resource],
) -> Iterator[str]:
    """The files of an image's context that are not what they were at the base."""
    before = base[key].spec.get("context", {}) if key in base else {}
    after = desired[key].spec.get("context", {})
    return (name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _newest(
    key: ResourceKey, desired: Mapping[ResourceKey, Resource], edits: Edits
) -> Found | None:
    """The newest of a document's own edit and those of what it depends on, else of the settings."""
    resource = desired.get(key)
    keys = [key, *(resource.depends_on if resource else ())]
    found = [edits.by_address[item.address] for item in keys if item.address in edits.by_address]
    return min(found, key=lambda item: item.age) if found else edits.settings
