"""The manifests of a commit, read from Git and not from the disk: what a proposal starts from.

Git is read as it is: no link is followed and no submodule entered, because a change that is written
where a link stands would remove what the link leads to, or state it twice. Where there is one, the
manifests are not all to be seen in the commit, and it is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reconciler.agent.settings import AgentSettings
from reconciler.config import Config
from reconciler.errors import ConfigError, ManifestError
from reconciler.git.branch import (
    DIRECTORY,
    LINK,
    SUBMODULE,
    Checkout,
    TreeEntry,
    find_commit,
    find_entry,
    list_tree,
    open_checkout,
    read_files,
)
from reconciler.kinds.base import LoadContext
from reconciler.manifest import ManifestFile, load_files
from reconciler.manifest.files import SUFFIXES
from reconciler.resource import Resource, ResourceKey
from reconciler.strict_yaml import load as load_yaml


@dataclass(frozen=True, slots=True)
class Base:
    """The manifests of a commit: the files, and the resources that they state.

    `names` are all paths below the manifests directory, directories and other files as well;
    like those of the files they are relative to `reconciler.yaml`.
    """

    config: Config
    checkout: Checkout
    commit: str
    files: tuple[ManifestFile, ...]
    resources: tuple[Resource, ...]
    overlays: tuple[ManifestFile, ...] = ()
    names: tuple[str, ...] = ()

    def load(self, changed: str, data: bytes | None) -> tuple[Resource, ...]:
        """What the manifests would state with one file changed.

        Raises `ManifestError`, and `ConfigError` where the overlays of a target would not fit any
        more.
        """
        files = self.with_file(changed, data)
        found = _load(self.config, files)
        for target in self.config.sections:
            start = f"{relative(self.config, self.config.overlays)}/{target}/"
            patches = [file for file in self.overlays if file.name.startswith(start)]
            try:
                _load(self.config, files, patches)
            except ManifestError as error:
                raise ConfigError(
                    f"with the overlays of target {target}: {error.problems[0]}",
                    fix="change the overlay and the manifest together, by hand",
                ) from error
        return found

    def with_file(self, changed: str, data: bytes | None) -> tuple[ManifestFile, ...]:
        """The files with one changed, added, or (None) gone."""
        rest = [file for file in self.files if file.name != changed]
        new = [] if data is None else [ManifestFile(changed, data)]
        return tuple(sorted([*rest, *new]))

    def find(self, key: ResourceKey) -> Resource | None:
        """The resource of a key, if any manifest states it."""
        return next((item for item in self.resources if item.key == key), None)

    def document_of(self, resource: Resource) -> tuple[ManifestFile, int, str]:
        """The file of a resource, the index of its document there, and that document's kind."""
        file = next(item for item in self.files if item.name == resource.source.file)
        documents = load_yaml(file.data, file.name)
        index = next(n for n, item in enumerate(documents) if item.line == resource.source.line)
        return file, index, str(documents[index].data["kind"])


class State(NamedTuple):
    """What a commit or tree holds for a configuration; the names are those of `Base`."""

    files: tuple[ManifestFile, ...]
    overlays: tuple[ManifestFile, ...]
    names: tuple[str, ...]


def read_base(config: Config, settings: AgentSettings) -> Base:
    """The manifests of the base that the settings name. Raises `ConfigError`, `ManifestError`."""
    checkout = open_checkout(config.root)
    commit = find_commit(checkout, settings.base)
    state = read_state(config, checkout, commit)
    resources = _load(config, state.files)
    return Base(config, checkout, commit, state.files, resources, state.overlays, state.names)


def read_state(config: Config, checkout: Checkout, tree: str) -> State:
    """Read the manifests and overlays of a commit or tree. Raises `ConfigError` for links."""
    entries = _list(config, checkout, tree, config.manifests)
    overlays = _list(config, checkout, tree, config.overlays)
    names = tuple(entry.path.removeprefix(checkout.prefix) for entry in entries)
    return State(_read(checkout, entries), _read(checkout, overlays), names)


def relative(config: Config, directory: Path) -> str:
    """A directory of the configuration, relative to `reconciler.yaml`."""
    return directory.relative_to(config.root).as_posix()


def _list(config: Config, checkout: Checkout, tree: str, directory: Path) -> list[TreeEntry]:
    """All entries below a directory but for hidden ones, which are no manifests.

    Raises `ConfigError` for a link or a submodule among them or on the way there.
    """
    place = f"{checkout.prefix}{relative(config, directory)}"
    parts = place.split("/")
    for end in range(1, len(parts) + 1):
        entry = find_entry(checkout, tree, "/".join(parts[:end]))
        if entry is not None and entry.mode != DIRECTORY:
            raise _in_the_way(checkout, entry, tree)
    found = []
    for entry in list_tree(checkout, tree, f"{place}/"):
        inside = entry.path.removeprefix(f"{place}/").split("/")
        if any(part.startswith(".") for part in inside):
            continue
        if entry.mode in (LINK, SUBMODULE):
            raise _in_the_way(checkout, entry, tree)
        found.append(entry)
    return found


def _in_the_way(checkout: Checkout, entry: TreeEntry, tree: str) -> ConfigError:
    fixes = {
        LINK: "replace the link by what it leads to",
        SUBMODULE: "propose it in the repository of the submodule",
    }
    fix = fixes.get(entry.mode, "commit a directory in its place")
    return ConfigError(
        f"{entry.path.removeprefix(checkout.prefix)} is {entry.sort}; a proposal changes only "
        "what lies in directories of the commit itself",
        where=f"commit {tree[:12]}",
        fix=f"{fix}, or make this change by hand",
    )


def _read(checkout: Checkout, entries: Sequence[TreeEntry]) -> tuple[ManifestFile, ...]:
    manifests = [entry for entry in entries if entry.path.endswith(SUFFIXES)]
    return tuple(
        sorted(
            ManifestFile(item.path.removeprefix(checkout.prefix), item.data)
            for item in read_files(checkout, manifests)
        )
    )


def _load(
    config: Config, files: Sequence[ManifestFile], overlays: Sequence[ManifestFile] = ()
) -> tuple[Resource, ...]:
    context = LoadContext(config.root, config.stack, config.limits, config.env_allow, None)
    return tuple(load_files(files, context, overlays=overlays))
