"""The manifests of a base commit: what `plan --since REF` compares with."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler import manifest
from reconciler.config import Config, Target, parse_config, variables_for_manifests
from reconciler.core.mark import Mark, hash_id
from reconciler.core.references import bind
from reconciler.core.resource import (
    LiveResource,
    Reference,
    Resource,
    needs_secrecy,
)
from reconciler.errors import ManifestError
from reconciler.git.history import SUFFIXES, input_paths
from reconciler.git.repository import Repository, TreeEntry
from reconciler.kinds.base import LoadContext
from reconciler.kinds.registry import KIND_NAMED
from reconciler.providers.base import Providers
from reconciler.providers.offline import open_offline
from reconciler.rayfine.image.lockfile import LOCK_FILE
from reconciler.workflow.read_live import resolve_all


@dataclass(frozen=True)
class Snapshot:
    """One commit's manifests of a target. Without an `environ`, no value of a variable is read."""

    repository: Repository
    commit: str
    config: Config
    target: Target
    environ: Mapping[str, str] | None = None

    def load(self, providers: Providers) -> tuple[tuple[Resource, ...], Config | None]:
        """The resources, bound to these systems, and reconciler.yaml; none if it had none.

        Images are made of the commit's own files and lock. Raises `ReconcileError`.
        """
        with tempfile.TemporaryDirectory(prefix="reconcile-") as directory:
            return self._load(Path(directory), providers)

    def _load(
        self, directory: Path, providers: Providers
    ) -> tuple[tuple[Resource, ...], Config | None]:
        prefix, path = self.repository.prefix, self.config.path
        data = self.repository.read_at(self.commit, prefix + path.name)
        if data is None:
            return (), None
        root = directory / prefix
        config = parse_config(root / path.name, data)
        manifests = prefix + config.manifests.relative_to(config.root).as_posix()
        files = self.repository.files(self.commit, [manifests])
        if not files:
            return (), config
        contexts = sorted({prefix + path for path in self._contexts(files)})
        overlays = prefix + config.overlays.relative_to(config.root).as_posix()
        self.repository.export(
            self.commit, [manifests, overlays, f"{prefix}{LOCK_FILE}", *contexts], directory
        )
        context = LoadContext(
            root=config.root,
            stack=self.target.stack,
            limits=config.limits,
            env_allow=config.env_allow,
            variables=None
            if self.environ is None
            else variables_for_manifests(config, self.environ),
        )
        patches = manifest.read_overlays(config.overlays, self.target.name, config.root)
        resources = manifest.load(config.manifests, context, overlays=patches)
        return self._bind(resources, providers, root), config

    def _contexts(self, files: Sequence[TreeEntry]) -> Iterator[str]:
        with self.repository.reader() as read:
            for item in files:
                if item.path.endswith(SUFFIXES):
                    for _, path in input_paths(read(item.blob)):
                        yield os.path.normpath(path)

    def _bind(
        self, resources: Sequence[Resource], providers: Providers, root: Path
    ) -> tuple[Resource, ...]:
        with open_offline(self.target, root) as of_files:
            bound = {
                kind: (of_files if KIND_NAMED[kind].files else providers)[kind]
                for kind in providers
            }
            have = [item for item in resources if item.key.kind in bound]
            answer = resolve_all(have, bound)
        if isinstance(answer, ManifestError):
            raise answer
        desired, failures = answer
        if failures:
            raise next(iter(failures.values()))
        return desired


def stack_of(config: Config | None, target: Target) -> str:
    """The stack that a base gave this target; it decides what is owned."""
    if config is None:
        return target.stack
    section = config.sections.get(target.name)
    return (section.stack if section else None) or config.stack


def as_live(resources: Sequence[Resource], stack: str, commit: str) -> tuple[LiveResource, ...]:
    """What would be live if the manifests of a commit were, exactly, and nothing else."""
    uids = {item.key: f"{commit[:7]}:{item.key.address}" for item in resources}

    def known(reference: Reference) -> str | None:
        return uids.get(reference.key) if reference.output == "id" else None

    return tuple(
        LiveResource(
            item.key.kind,
            uids[item.key],
            item.name,
            bind(item, known).spec,
            _mark(item, stack) if KIND_NAMED[item.key.kind].traits.marked else None,
        )
        for item in resources
        if not item.absent
    )


def _mark(item: Resource, stack: str) -> Mark:
    secrets = needs_secrecy(item.spec)
    return Mark(stack, hash_id(*item.key), protect=item.protect, secrets=secrets)
