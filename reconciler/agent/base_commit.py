"""A commit -> the manifests that it states, as a proposal starts from them. Never the work tree.

The loader reads the work tree, where it follows links; a commit has the links themselves, so that a
change of what they lead to would be another change. Where the manifests hold links or submodules,
nothing is proposed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.agent.settings import AgentSettings
from reconciler.config import Config
from reconciler.core.resource import Resource, ResourceKey
from reconciler.errors import ConfigError, ManifestError
from reconciler.git.repository import Repository, TreeEntry, open_repository
from reconciler.kinds.base import LoadContext
from reconciler.manifest import ManifestFile, load_files
from reconciler.manifest.files import SUFFIXES
from reconciler.strict_yaml import load as load_yaml


@dataclass(frozen=True, slots=True)
class Base:
    """The manifests of a commit: their files and resources.

    `taken` holds the lower-case names, relative to `reconciler.yaml`, of everything below the
    directory of manifests.
    """

    config: Config
    repository: Repository
    commit: str
    files: tuple[ManifestFile, ...]
    resources: tuple[Resource, ...]
    overlays: tuple[ManifestFile, ...] = ()
    taken: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def directory(self) -> str:
        """The directory of the manifests, relative to `reconciler.yaml`."""
        return _relative(self.config, self.config.manifests)

    def load(self, changed: str, data: bytes | None) -> tuple[Resource, ...]:
        """The resources if one file were changed. Raises `ManifestError`.

        Raises `ConfigError` if an overlay of a target would no longer fit.
        """
        rest = [file for file in self.files if file.name != changed]
        new = [] if data is None else [ManifestFile(changed, data)]
        files = sorted([*rest, *new])
        found = _load(self.config, files)
        for target in self.config.sections:
            start = f"{_relative(self.config, self.config.overlays)}/{target}/"
            patches = [file for file in self.overlays if file.name.startswith(start)]
            try:
                _load(self.config, files, patches)
            except ManifestError as error:
                raise ConfigError(
                    f"with the overlays of target {target}: {error.problems[0]}",
                    fix="change the overlay and the manifest together, by hand",
                ) from error
        return found

    def find(self, key: ResourceKey) -> Resource | None:
        return next((item for item in self.resources if item.key == key), None)

    def document_of(self, resource: Resource) -> tuple[ManifestFile, int, Mapping[str, Any]]:
        """The file of a resource, the index of its document there, and what that says."""
        file = next(item for item in self.files if item.name == resource.source.file)
        documents = load_yaml(file.data, file.name)
        index = next(n for n, item in enumerate(documents) if item.line == resource.source.line)
        return file, index, documents[index].data


def read_base(config: Config, settings: AgentSettings) -> Base:
    """The manifests of the base that the settings name. Raises `ConfigError`, `ManifestError`."""
    fix = "mode gitops commits to a branch: clone the repository, or use mode direct"
    repository = open_repository(config.root, fix=fix)
    return read_commit(config, repository, repository.commit(settings.base))


def read_commit(config: Config, repository: Repository, commit: str) -> Base:
    """The manifests of a commit or tree. Raises `ManifestError`; `ConfigError` for links in it."""
    stated = _entries(repository, commit, _relative(config, config.manifests))
    patches = _entries(repository, commit, _relative(config, config.overlays))
    files = _read_files(repository, stated)
    return Base(
        config,
        repository,
        commit,
        files,
        _load(config, files),
        _read_files(repository, patches),
        frozenset(item.path.removeprefix(repository.prefix).lower() for item in stated),
    )


def _entries(repository: Repository, commit: str, directory: str) -> list[TreeEntry]:
    """The visible files below a directory, as the loader sees them.

    Raises `ConfigError` for anything but files and directories, there or on the way.
    """
    top = f"{repository.prefix}{directory}"
    found = []
    for entry in repository.tree(commit, top):
        below = entry.path.removeprefix(f"{top}/")
        if below != entry.path:
            if any(part.startswith(".") for part in below.split("/")):
                continue
            found.append(entry)
        elif entry.sort == "file":
            fix = "remove it, or correct `manifests` in reconciler.yaml"
            raise ConfigError("this is a file in the commit", where=entry.path, fix=fix)
        if entry.sort in _FIXES:
            raise ConfigError(
                f"this is a {entry.sort} in the commit, and not the manifests themselves",
                where=entry.path,
                fix=_FIXES[entry.sort],
            )
    return found


_FIXES = {
    "symbolic link": "put the files themselves in its place, or change the manifests by hand",
    "submodule": "propose it in the submodule's own repository, or change the manifests by hand",
}


def _read_files(repository: Repository, entries: Sequence[TreeEntry]) -> tuple[ManifestFile, ...]:
    wanted = [item for item in entries if item.sort == "file" and item.path.endswith(SUFFIXES)]
    with repository.reader() as read:
        return tuple(
            sorted(
                ManifestFile(item.path.removeprefix(repository.prefix), read(item.blob))
                for item in wanted
            )
        )


def _relative(config: Config, directory: Path) -> str:
    return directory.relative_to(config.root).as_posix()


def _load(
    config: Config, files: Sequence[ManifestFile], overlays: Sequence[ManifestFile] = ()
) -> tuple[Resource, ...]:
    context = LoadContext(config.root, config.stack, config.limits, config.env_allow, None)
    return tuple(load_files(files, context, overlays=overlays))
