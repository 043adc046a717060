"""A change of the manifests -> a commit on a new branch, for review. Never the caller's work tree.

The manifests are read from a commit, not from the disk, and the new commit is built from Git's own
objects. Before a branch is made, the manifests are loaded as they would be on it: exactly the asked
resources differ from the base, or nothing is made.
"""

import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from reconciler.agent.settings import AgentSettings
from reconciler.config import Config
from reconciler.errors import ConfigError
from reconciler.git.branch import (
    Checkout,
    NewCommit,
    find_commit,
    make_branch,
    open_checkout,
    read_tree,
    write_tree,
)
from reconciler.git.pull_request import review_steps
from reconciler.kinds.base import LoadContext
from reconciler.manifest import (
    ManifestFile,
    load_files,
    remove_document,
    replace_document,
    write_document,
)
from reconciler.manifest.files import SUFFIXES
from reconciler.resource import Resource, ResourceKey
from reconciler.strict_yaml import load as load_yaml


@dataclass(frozen=True, slots=True)
class Draft:
    """A change that is worked out but not committed.

    `file` and `data` are the manifest file as it would be (None: it goes), `addresses` the
    resources that would differ from the base; none means that the base states this already.
    """

    checkout: Checkout
    base: str
    verb: str
    key: ResourceKey
    file: str
    data: bytes | None
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A branch with one commit: what it changes, and how to hand it to people.

    `addresses` are the resources that differ from the base; `file` is the manifest, relative to
    `reconciler.yaml`. `existed`: the very same proposal was there before.
    """

    branch: str
    commit: str
    base: str
    file: str
    addresses: tuple[str, ...]
    open_with: tuple[str, ...]
    existed: bool = False


@dataclass(frozen=True, slots=True)
class Base:
    """The manifests of a commit: the files, and the resources that they state."""

    config: Config
    checkout: Checkout
    commit: str
    files: tuple[ManifestFile, ...]
    resources: tuple[Resource, ...]

    def load(self, changed: str, data: bytes | None) -> tuple[Resource, ...]:
        """What the manifests would state with one file changed. Raises `ManifestError`."""
        rest = [file for file in self.files if file.name != changed]
        new = [] if data is None else [ManifestFile(changed, data)]
        return _load(self.config, sorted([*rest, *new]))

    def find(self, key: ResourceKey) -> Resource | None:
        """The resource of a key, if any manifest states it."""
        return next((item for item in self.resources if item.key == key), None)

    def document_of(self, resource: Resource) -> tuple[ManifestFile, int, str]:
        """The file of a resource, the index of its document there, and that document's kind."""
        file = next(item for item in self.files if item.name == resource.source.file)
        documents = load_yaml(file.data, file.name)
        index = next(n for n, item in enumerate(documents) if item.line == resource.source.line)
        return file, index, str(documents[index].data["kind"])


def read_base(config: Config, settings: AgentSettings) -> Base:
    """The manifests of the base that the settings name. Raises `ConfigError`, `ManifestError`."""
    checkout = open_checkout(config.root)
    commit = find_commit(checkout, settings.base)
    directory = config.manifests.relative_to(config.root).as_posix()
    files = []
    for item in read_tree(checkout, commit, f"{checkout.prefix}{directory}/"):
        name = item.path.removeprefix(checkout.prefix)
        inside = name.removeprefix(f"{directory}/").split("/")
        if name.endswith(SUFFIXES) and not any(part.startswith(".") for part in inside):
            files.append(ManifestFile(name, item.data))
    files.sort()
    return Base(config, checkout, commit, tuple(files), _load(config, files))


def draft_manifest(base: Base, document: Mapping[str, Any]) -> Draft:
    """Work out one manifest: a file of its own if it is new, else in place of its document.

    Raises `ManifestError` for what is wrong with it.
    """
    metadata = document["metadata"]
    key = ResourceKey(str(document["kind"]), str(metadata.get("id") or metadata["name"]))
    stated = base.find(key)
    if stated is None:
        name = _new_name(base, key)
        return _draft(base, "create", key, name, write_document(document))
    file, index, kind = base.document_of(stated)
    _require_own_document(key, kind, stated)
    return _draft(base, "change", key, file.name, replace_document(file, index, document))


def draft_removal(base: Base, address: str) -> Draft:
    """Work out that the document of an address goes, and nothing else.

    Raises `ConfigError` with close names for an address that no manifest states, and for a
    protected one.
    """
    key = ResourceKey(*address.partition(".")[::2])
    stated = base.find(key)
    if stated is None:
        close = get_close_matches(address, [item.key.address for item in base.resources], n=3)
        fix = (
            f"did you mean {' or '.join(close)}?" if close else "reconcile plan lists what there is"
        )
        raise ConfigError(f"no manifest states {address}", fix=fix)
    if stated.protect:
        raise ConfigError(
            f"{address} is protected: its manifest says metadata.protect: true",
            where=str(stated.source),
            fix="propose metadata.protect: false first; when that is applied, propose this again",
        )
    file, index, kind = base.document_of(stated)
    _require_own_document(key, kind, stated)
    return _draft(base, "remove", key, file.name, remove_document(file, index))


def commit_draft(draft: Draft, settings: AgentSettings) -> Proposal:
    """Make the branch of a draft that changes something. Raises `ConfigError`."""
    path = f"{draft.checkout.prefix}{draft.file}"
    subject = f"{draft.verb.capitalize()} {draft.key.address}"
    listed = "".join(f"- {address}\n" for address in draft.addresses)
    why = "Proposed by the agent functions, for review. Resources that differ:"
    body = f"{subject}\n\n{why}\n{listed}"
    new = NewCommit(draft.base, {path: draft.data}, body, settings.author)
    branch = _branch_name(draft, write_tree(draft.checkout, new))
    commit, existed = make_branch(draft.checkout, branch, new)
    steps = review_steps(draft.checkout, branch, settings.base)
    return Proposal(branch, commit, draft.base, draft.file, draft.addresses, tuple(steps), existed)


def propose_manifest(
    config: Config, document: Mapping[str, Any], settings: AgentSettings
) -> Proposal:
    """Propose one manifest (`kind`, `metadata`, `spec`): a new one, or the next state of its own.

    Raises `ManifestError` for what is wrong with it, `ConfigError` for what is wrong with Git, and
    where the base states exactly this already.
    """
    base = read_base(config, settings)
    return _commit_change(draft_manifest(base, document), settings)


def propose_removal(config: Config, address: str, settings: AgentSettings) -> Proposal:
    """Propose that the manifest of an address goes; other documents of its file stay as they are.

    Raises `ConfigError` with close names for an address that no manifest states.
    """
    base = read_base(config, settings)
    return _commit_change(draft_removal(base, address), settings)


def _commit_change(draft: Draft, settings: AgentSettings) -> Proposal:
    if not draft.addresses:
        raise ConfigError(f"the manifests state {draft.key.address} exactly so already")
    return commit_draft(draft, settings)


def _draft(base: Base, verb: str, key: ResourceKey, file: str, data: bytes | None) -> Draft:
    after = {item.key: item for item in base.load(file, data)}
    before = {item.key: item for item in base.resources}
    changed = sorted(
        item
        for item in before.keys() | after.keys()
        if _without_place(before.get(item)) != _without_place(after.get(item))
    )
    strays = [item.address for item in changed if item.id != key.id]
    if strays:
        raise ConfigError(
            f"this would change {', '.join(strays)} as well", where=file, fix="edit it by hand"
        )
    return Draft(
        base.checkout, base.commit, verb, key, file, data, tuple(item.address for item in changed)
    )


def _without_place(resource: Resource | None) -> tuple[Any, ...] | None:
    if resource is None:
        return None
    return (resource.spec, resource.protect, resource.adopt, resource.moved_from)


def _require_own_document(key: ResourceKey, kind: str, stated: Resource) -> None:
    if kind != key.kind:
        raise ConfigError(
            f"{key.address} has no manifest of its own: it follows from the {kind} there",
            where=str(stated.source),
            fix=f"propose a change of that {kind} instead",
        )


def _load(config: Config, files: Sequence[ManifestFile]) -> tuple[Resource, ...]:
    context = LoadContext(config.root, config.stack, config.limits, config.env_allow, None)
    return tuple(load_files(files, context))


def _new_name(base: Base, key: ResourceKey) -> str:
    """A file that is not there yet, directly in the manifests directory, named after the id."""
    directory = base.config.manifests.relative_to(base.config.root).as_posix()
    slug = re.sub(r"[^A-Za-z0-9._-]", "-", key.id).strip(".-")[:100] or "manifest"
    taken = {file.name.lower() for file in base.files}
    for number in range(1, len(taken) + 2):
        ending = "" if number == 1 else f"-{number}"
        name = posixpath.join(directory, f"{slug}{ending}.yaml")
        if name.lower() not in taken:
            break
    return name


def _branch_name(draft: Draft, tree: str) -> str:
    """The same proposal on the same base has the same name."""
    slug = re.sub(r"[^a-z0-9]+", "-", draft.key.id.lower()).strip("-")[:40].strip("-") or "manifest"
    digest = hashlib.sha256(f"{draft.base} {tree}".encode()).hexdigest()[:8]
    return f"reconcile/{draft.verb}-{slug}-{digest}"
